//! Taking over a refresh token that another program holds.
//!
//! The token is written down, sealed, before anything is sent: from then on it is presented like any other,
//! armed and committed, and an answer that is lost or a process that dies costs no more than it does
//! elsewhere. What was never accepted is a grant in doubt, which a person alone presents
//! (`lifecycle::import`). A refusal ends it, and nothing is left of it here; the other program still has its
//! own copy.
//!
//! Over a grant that has a token none is written that may be of another account, or of no use at all. There
//! the new one is verified under a name of its own first (`swap`), and where it does not fit it stays there:
//! the provider may have replaced it, and then nobody else has it.

mod error;
mod swap;

use std::sync::Arc;

pub use self::error::ImportError;
use crate::{
    config::App,
    hex,
    id::{AppName, Epoch, GrantName},
    keeper::{Error, Keeper, Live, Problem},
    lifecycle::{
        self, Change, GrantRow, Imported, Origin,
        event::What,
        row::{Account, Bounds, Consent, Reason},
    },
    oauth::{client::ClientId, scope::Scope},
    seal::{Field, Owner, SealError},
    secret::RefreshToken,
    store::{Versioned, Written},
};

/// So much of a grant's story is looked at: as much as any store keeps.
const STORY: u32 = 1000;

/// So many grants are looked at in one read.
const PAGE: u32 = 1000;

/// A token to be taken over, and what its holder tells of it.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The grant to be, or to be renewed.
    pub grant: GrantName,
    /// The app that it was issued to.
    pub app: AppName,
    /// The token.
    pub refresh_token: RefreshToken,
    /// The client that it was issued to, where its holder says.
    pub client_id: Option<ClientId>,
    /// What was granted, where its holder says; the provider's word replaces it.
    pub scope: Option<Scope>,
    /// What is known of the instant of the consent.
    pub consent: Bounds,
    /// What the holder is called, for the story.
    pub source: String,
    /// Whether it may take the place of a token that is here.
    pub replace: bool,
}

/// A token that has been taken over, and works.
#[derive(Debug, Clone)]
pub struct TakenOver {
    /// The grant.
    pub grant: GrantName,
    /// Whose it is, or why nobody knows.
    pub account: Result<Account, String>,
    /// What was granted.
    pub scope: Scope,
    /// What is known of the consent.
    pub consent: Consent,
    /// Whether the provider has replaced the token since: what its holder has is of no use any more.
    pub replaced: bool,
    /// Whether it had been taken over before.
    pub again: bool,
}

impl Keeper {
    /// Takes a token over: verifies it by a refresh, and finds out whose it is.
    ///
    /// # Errors
    /// [`ImportError`], which also tells what became of the token.
    ///
    /// # Cancel safety
    /// Runs in a task of its own: whoever stops waiting loses nothing.
    pub async fn import(self: &Arc<Self>, request: ImportRequest) -> Result<TakenOver, Error> {
        let keeper = Arc::clone(self);
        self.uninterrupted(async move { keeper.take_over(request).await })
            .await
    }

    async fn take_over(self: &Arc<Self>, request: ImportRequest) -> Result<TakenOver, Error> {
        let app = self.app(&request.app)?;
        check_client(app, &request)?;
        // What belongs to browsers has its account's name.
        let unknown = "it is not known yet".to_owned();
        self.fits(app, &request.grant, Err(&unknown))?;
        self.follow_key().await?;
        let origin = self.origin(&request);
        let name = &request.grant;
        let here = self.parts.store.grant(name).await?.map(|it| it.value);
        if let Some(row) = here.as_ref().filter(|row| is_of(row, &origin)) {
            // A swap that was broken off may have left the token in two places.
            if let Ok(aside) = swap::aside(name)
                && let Some(left) = self.known(&aside, &origin).await?
            {
                self.forget(&aside, left.epoch).await?;
            }
            return self.verify_and_name(row, true).await;
        }
        self.not_elsewhere(name, &origin).await?;
        let over = here.as_ref().map(|row| row.epoch);
        if !here.as_ref().is_some_and(is_taken) {
            let row = self.lay_down(app, &request, name, &origin).await?;
            return self.verify_and_name(&row, false).await;
        }
        if !request.replace {
            let grant = name.clone();
            return Err(ImportError::Exists { grant }.into());
        }
        self.swap(app, &request, &origin, over).await
    }

    fn origin(&self, request: &ImportRequest) -> Origin {
        let token = request.refresh_token.expose();
        let hash = self.parts.sealer.fingerprint("imported token", token);
        let (start, _) = hash.split_at(16);
        Origin {
            source: request.source.clone(),
            token: hex::text(start),
        }
    }

    /// The grant of this name, if it began with this very token and still goes on.
    async fn known(&self, name: &GrantName, origin: &Origin) -> Result<Option<GrantRow>, Error> {
        let Some(seen) = self.parts.store.grant(name).await? else {
            return Ok(None);
        };
        Ok(is_of(&seen.value, origin).then_some(seen.value))
    }

    /// Refuses a token that goes on here under another name: presented once more it could end both.
    async fn not_elsewhere(&self, name: &GrantName, origin: &Origin) -> Result<(), Error> {
        let aside = swap::aside(name).ok();
        let mut after = None;
        loop {
            let rows = self.parts.store.grants(after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.value.name.clone());
            let mut others = rows.into_iter().map(|row| row.value);
            let found = others.find(|row| is_of(row, origin) && Some(&row.name) != aside.as_ref());
            if let Some(row) = found {
                let grant = row.name;
                return Err(ImportError::AlreadyHere { grant }.into());
            }
        }
    }

    /// Writes the token down, to be verified; over nothing that was ever accepted.
    async fn lay_down(
        &self,
        app: &App,
        request: &ImportRequest,
        name: &GrantName,
        origin: &Origin,
    ) -> Result<GrantRow, Error> {
        loop {
            let seen = self.parts.store.grant(name).await?;
            let row = match &seen {
                Some(seen) => seen.value.clone(),
                None => self.blank(name, app)?,
            };
            if is_taken(&row) {
                let grant = name.clone();
                return Err(ImportError::Exists { grant }.into());
            }
            let imported = self
                .seal_import(&row, app, request, origin)
                .map_err(|source| Problem::sealed(&row, "import", source))?;
            let change = lifecycle::import(&row, imported, &self.parts.clock.now());
            if self.save(seen.as_ref(), &change).await? != Written::Conflict {
                self.cell(name).begin_epoch(change.row.epoch);
                return Ok(change.row);
            }
        }
    }

    fn seal_import(
        &self,
        row: &GrantRow,
        app: &App,
        request: &ImportRequest,
        origin: &Origin,
    ) -> Result<Imported, SealError> {
        let random = self.parts.random.as_ref();
        let owner = Owner {
            epoch: row.epoch.next(),
            ..Owner::of(row)
        };
        let (key, data_key) = self.parts.sealer.new_data_key(&owner, random)?;
        let token = request.refresh_token.expose();
        Ok(Imported {
            app: app.name.clone(),
            client_id: app.client.id.clone(),
            origin: origin.clone(),
            consent: Consent::between(request.consent, self.parts.clock.wall()),
            scope: request.scope.clone().unwrap_or_default(),
            data_key,
            refresh: key.seal(Field::RefreshToken, 0, token, random)?,
        })
    }

    /// Verifies the token of a row by a refresh, and writes down whose it is.
    async fn verify_and_name(
        self: &Arc<Self>,
        row: &GrantRow,
        again: bool,
    ) -> Result<TakenOver, Error> {
        let (_, account, row) = self.verified(row).await?;
        let consent = row.consent.unwrap_or_else(|| {
            // Signed out meanwhile: what is told then is what was true when it was verified.
            Consent::between(Bounds::default(), self.parts.clock.wall())
        });
        Ok(TakenOver {
            grant: row.name.clone(),
            account,
            scope: row.scope,
            consent,
            replaced: row.generation.0 > 0,
            again,
        })
    }

    /// Presents the token of a row, finds out whose it is, and writes that down; with the row as it is then.
    async fn verified(
        self: &Arc<Self>,
        row: &GrantRow,
    ) -> Result<(Arc<Live>, Result<Account, String>, GrantRow), Error> {
        let live = self.verify(row).await?;
        let account = self.whose(&live).await;
        let row = self.name_owner(row, account.as_ref().ok()).await?;
        Ok((live, account, row))
    }

    /// Presents the token of a row as a person would have it done.
    async fn verify(self: &Arc<Self>, row: &GrantRow) -> Result<Arc<Live>, Error> {
        let error = match self.refresh_now(&self.cell(&row.name)).await {
            Ok(live) => return Ok(live),
            Err(error) => error,
        };
        let now = self.read(&row.name).await?.value;
        if now.epoch != row.epoch {
            let grant = row.name.clone();
            return Err(ImportError::Overtaken { grant }.into());
        }
        let worked = now.minting.0 > 0 || now.generation.0 > 0 || !now.candidates.is_empty();
        match error.problem() {
            // It worked here once: what it has met now is told like everywhere.
            _ if worked => Err(error),
            Problem::Reauthorize { reason, .. } => {
                let (grant, reason) = (row.name.clone(), *reason);
                let description = self.words_of_refusal(row).await?;
                self.forget(&row.name, row.epoch).await?;
                Err(ImportError::Refused {
                    grant,
                    reason,
                    description,
                }
                .into())
            }
            _ => {
                let (grant, cause) = (row.name.clone(), error);
                Err(ImportError::Unverified { grant, cause }.into())
            }
        }
    }

    /// What the provider said when it refused last.
    async fn words_of_refusal(&self, row: &GrantRow) -> Result<Option<String>, Error> {
        let story = self.parts.store.story(&row.id, STORY).await?;
        let mut of_this = story.into_iter().rev().filter(|it| it.epoch == row.epoch);
        let last = of_this.find_map(|event| match event.what {
            What::Refused { description, .. } => Some(description),
            _ => None,
        });
        Ok(last.flatten())
    }

    /// Whose token it is, or why nobody knows: it is kept in either case.
    async fn whose(&self, live: &Live) -> Result<Account, String> {
        match self.account(live.token()).await {
            Ok(account) => account,
            Err(error) => {
                let told = error.explain();
                Err(format!("{}; {}", told.what, told.fix))
            }
        }
    }

    /// Writes down whose grant it is, where that is known; answers the row as it is then.
    async fn name_owner(
        &self,
        of: &GrantRow,
        account: Option<&Account>,
    ) -> Result<GrantRow, Error> {
        loop {
            let Versioned { value, version } = self.read(&of.name).await?;
            if value.epoch != of.epoch {
                let grant = of.name.clone();
                return Err(ImportError::Overtaken { grant }.into());
            }
            if account.is_none() || value.account.is_some() {
                return Ok(value);
            }
            let row = GrantRow {
                account: account.cloned(),
                ..value
            };
            let change = Change {
                row,
                events: Vec::new(),
                forgets: false,
            };
            if self.parts.store.replace(version, &change).await? != Written::Conflict {
                return Ok(change.row);
            }
        }
    }

    /// Takes a token away that is of no use here, or has another place. The provider is not asked to revoke
    /// it: whoever had it goes on with it.
    async fn forget(&self, name: &GrantName, epoch: Epoch) -> Result<(), Error> {
        loop {
            let Versioned { value, version } = self.read(name).await?;
            if value.epoch != epoch {
                return Ok(());
            }
            let change = lifecycle::sign_out(&value, self.parts.clock.wall());
            if self.parts.store.replace(version, &change).await? != Written::Conflict {
                self.cell(name).begin_epoch(change.row.epoch);
                break;
            }
        }
        if let Err(error) = self.parts.store.scrub().await {
            tracing::warn!(grant = %name, code = error.code(), "old pages could not be scrubbed yet");
        }
        Ok(())
    }
}

/// Whether a grant began with this very token, and still goes on.
fn is_of(row: &GrantRow, origin: &Origin) -> bool {
    row.tokens.is_some() && row.imported_from.as_ref() == Some(&origin.token)
}

/// Whether a row has a token that the provider may accept, or is about to get one: what was imported and
/// never accepted makes room for another try, unless an answer to it is on its way or stands by.
fn is_taken(row: &GrantRow) -> bool {
    let never_accepted = row.status.is_imported() || row.status.reason() == Some(Reason::Imported);
    let awaited = row.intent.is_some() || !row.candidates.is_empty();
    row.tokens.is_some() && (awaited || !never_accepted)
}

/// Refuses what is known to be another app's.
fn check_client(app: &App, request: &ImportRequest) -> Result<(), ImportError> {
    match &request.client_id {
        Some(theirs) if *theirs != app.client.id => Err(ImportError::OtherClient {
            app: app.name.clone(),
            theirs: theirs.clone(),
            ours: app.client.id.clone(),
        }),
        _ => Ok(()),
    }
}
