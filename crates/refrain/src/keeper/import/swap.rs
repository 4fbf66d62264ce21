//! Taking a token over into a grant that has one: verified aside, then written like a new login.

use std::sync::Arc;

use super::{ImportError, ImportRequest, TakenOver, is_taken};
use crate::{
    config::App,
    id::{Epoch, GrantName},
    keeper::{
        Error, Keeper, Live, Problem,
        login::{Earlier, Obtained},
    },
    lifecycle::{
        GrantRow, Origin,
        row::{Account, Consent},
    },
    oauth::answer::Granted,
    seal::Field,
    secret::RefreshToken,
    store::attempt::Terms,
};

/// What is put behind the name of the grant while its new token is verified.
const ASIDE: &str = ".imported";

/// What a grant's new token is called while it is verified.
pub(super) fn aside(name: &GrantName) -> Result<GrantName, Error> {
    Ok(format!("{name}{ASIDE}").parse().map_err(Problem::Name)?)
}

impl Keeper {
    pub(super) async fn swap(
        self: &Arc<Self>,
        app: &App,
        request: &ImportRequest,
        origin: &Origin,
        over: Option<Epoch>,
    ) -> Result<TakenOver, Error> {
        let name = &request.grant;
        let aside = aside(name)?;
        let row = match self.known(&aside, origin).await? {
            Some(row) => row,
            None => self.lay_down(app, request, &aside, origin).await?,
        };
        let (live, account, row) = self.verified(&row).await?;
        let account = self.fits_owner(name, account, &aside).await?;
        let replaced = row.generation.0 > 0;
        let obtained = self.obtained(&row, &live, &account, (origin.clone(), over))?;
        let consent = obtained.earlier.as_ref().map(|it| it.consent);
        let terms = Terms {
            grant: name.clone(),
            app: app.name.clone(),
            redirect_uri: String::new(),
            scope: row.scope.clone(),
            other_account: false,
            link: None,
            session: None,
            carries: false,
            asked_anew: false,
        };
        let done = self.save_login(app, terms, obtained).await?;
        // From here on the token has two places, and one of them goes.
        self.forget(&aside, row.epoch).await?;
        Ok(TakenOver {
            grant: done.grant,
            account: Ok(account),
            scope: done.scope,
            consent: consent.unwrap_or_else(|| Consent::given(self.parts.clock.wall())),
            replaced,
            again: false,
        })
    }

    /// The account, if the grant is not another one's. Otherwise what was imported stays where it is.
    async fn fits_owner(
        &self,
        name: &GrantName,
        account: Result<Account, String>,
        aside: &GrantName,
    ) -> Result<Account, Error> {
        let here = self.parts.store.grant(name).await?;
        let here = here.filter(|here| is_taken(&here.value));
        let owner = here.and_then(|here| here.value.account);
        let (grant, kept) = (name.clone(), aside.clone());
        match account {
            Ok(account) if owner.is_none_or(|owner| owner.id == account.id) => Ok(account),
            Ok(_) => Err(ImportError::OtherAccount { grant, kept }.into()),
            Err(why) => Err(ImportError::AccountUnknown { grant, kept, why }.into()),
        }
    }

    /// The tokens of a row as a login brings them; they are durable, and are written once more.
    fn obtained(
        &self,
        row: &GrantRow,
        live: &Live,
        account: &Account,
        (origin, over): (Origin, Option<Epoch>),
    ) -> Result<Obtained, Error> {
        let grant = || row.name.clone();
        let tokens = row.tokens.as_ref();
        let tokens = tokens.ok_or_else(|| Problem::SignedOut { grant: grant() })?;
        let opened = self
            .data_key(row)?
            .open(Field::RefreshToken, row.generation.0, &tokens.refresh)
            .map_err(|source| Problem::sealed(row, "refresh token", source))?;
        let consent = row
            .consent
            .ok_or_else(|| Problem::SignedOut { grant: grant() })?;
        let sent = self.parts.clock.now();
        Ok(Obtained {
            granted: Granted {
                access_token: live.token().clone(),
                expires_in: live.remaining(sent.uptime),
                scope: Some(row.scope.clone()),
                refresh_token: None,
            },
            sent,
            refresh: RefreshToken::new(opened.as_str()),
            account: Ok(account.clone()),
            earlier: Some(Earlier {
                consent,
                origin,
                over,
            }),
        })
    }
}
