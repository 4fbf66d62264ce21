//! Saving a login: written until it is written, and never over what has come since.

use std::time::Duration;

use crate::{
    config::App,
    id::{Epoch, GrantId, GrantName},
    keeper::{
        Error, Keeper, Problem,
        contended::Contended,
        links::LinkError,
        login::{Earlier, LoggedIn, LoginError, Obtained},
    },
    lifecycle::{
        self, Change, Consented, GrantRow,
        row::{Account, Consent, Status},
        timing,
    },
    oauth::{answer::Granted, scope::Scope},
    seal::{Field, Owner, SealError},
    secret::{RefreshToken, Sealed},
    store::{Versioned, Written, attempt::Terms},
    time::{Moment, UnixMillis},
};

/// How long a finished login waits for a store that does not take it.
const SAVING: Duration = Duration::from_secs(30);

impl Keeper {
    pub(in crate::keeper) async fn save_login(
        &self,
        app: &App,
        terms: Terms,
        obtained: Obtained,
    ) -> Result<LoggedIn, Error> {
        let Obtained {
            granted,
            sent,
            refresh,
            account,
            earlier,
        } = obtained;
        let at = self.parts.clock.wall();
        let consent = earlier
            .as_ref()
            .map_or_else(|| Consent::given(at), |it| it.consent);
        // RFC 6749 §5.1: no scope in the answer means the one that was asked for.
        let scope = granted.scope.clone().unwrap_or_else(|| terms.scope.clone());
        let login = Login {
            app,
            terms: &terms,
            granted: &granted,
            sent,
            refresh: &refresh,
            account: &account,
            scope,
            at,
            consent,
            earlier: earlier.as_ref(),
        };
        let begin = self.parts.clock.uptime();
        let (mut tried, mut contended) = (Tried::default(), Contended::default());
        loop {
            match self.save_once(&login, &mut tried, &mut contended).await {
                Ok(Some(row)) => {
                    self.cell(&terms.grant).begin_epoch(row.epoch);
                    return Ok(LoggedIn {
                        grant: terms.grant,
                        missing: terms.scope.missing_from(&row.scope),
                        scope: row.scope,
                        account: row.account,
                        reauthorize_by: consent.reauthorize_by,
                    });
                }
                Ok(None) => {}
                // The code is spent and the tokens are here alone: worth some patience.
                Err(error) if may_pass(&error) => {
                    if self.parts.clock.uptime().since(begin) > SAVING {
                        return Err(error);
                    }
                    tracing::warn!(grant = %terms.grant, code = error.code(), "a login waits for the store");
                    self.parts.clock.sleep(timing::FIRST_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the login to the row as it is now; `None` where somebody else was faster. It is not written
    /// twice: where the outcome was unknown, what has come since is not to be undone by it.
    async fn save_once(
        &self,
        login: &Login<'_>,
        tried: &mut Tried,
        contended: &mut Contended,
    ) -> Result<Option<GrantRow>, Error> {
        let seen = self.parts.store.grant(&login.terms.grant).await?;
        if let Some(seen) = &seen {
            self.give_way(contended, seen.version).await;
        }
        if let Some(seen) = &seen
            && tried.is_in(&seen.value)?
        {
            return Ok(Some(seen.value.clone()));
        }
        login.bound(seen.as_ref().map(|seen| &seen.value))?;
        login.asked(seen.as_ref().map(|seen| &seen.value))?;
        login.in_place(seen.as_ref().map(|seen| &seen.value))?;
        self.fits(login.app, &login.terms.grant, login.account.as_ref())?;
        if let Some(seen) = &seen {
            pinned(&seen.value, login.account, login.terms.other_account)?;
        }
        let row = match &seen {
            Some(seen) => seen.value.clone(),
            None => self.blank(&login.terms.grant, login.app)?,
        };
        self.follow_key().await?;
        let consented = self
            .seal_login(&row, login)
            .map_err(|source| Problem::sealed(&row, "login", source))?;
        let change = lifecycle::consent(&row, consented);
        tried.note(&change.row);
        let written = self.save(seen.as_ref(), &change).await?;
        if written == Written::Conflict {
            tried.forget_last();
            if let Some(seen) = &seen {
                contended.on(seen.version);
            }
            return Ok(None);
        }
        Ok(Some(change.row))
    }

    pub(in crate::keeper) async fn save(
        &self,
        seen: Option<&Versioned<GrantRow>>,
        change: &Change,
    ) -> Result<Written, Error> {
        Ok(match seen {
            Some(seen) => self.parts.store.replace(seen.version, change).await?,
            None => self.parts.store.insert(change).await?,
        })
    }

    /// A row that has never had a token.
    pub(in crate::keeper) fn blank(&self, name: &GrantName, app: &App) -> Result<GrantRow, Error> {
        let id = GrantId::random(self.parts.random.as_ref())?;
        let (app, client_id) = (app.name.clone(), app.client.id.clone());
        Ok(GrantRow::blank(
            id,
            name.clone(),
            app,
            client_id,
            self.parts.clock.wall(),
        ))
    }

    fn seal_login(&self, row: &GrantRow, login: &Login<'_>) -> Result<Consented, SealError> {
        let random = self.parts.random.as_ref();
        let owner = Owner {
            epoch: row.epoch.next(),
            ..Owner::of(row)
        };
        let (key, data_key) = self.parts.sealer.new_data_key(&owner, random)?;
        let granted = login.granted;
        let life = (granted.expires_in, login.sent);
        Ok(Consented {
            app: login.app.name.clone(),
            client_id: login.app.client.id.clone(),
            at: login.at,
            consent: login.consent,
            origin: login.earlier.map(|it| it.origin.clone()),
            scope: login.scope.clone(),
            account: login.account.clone().ok(),
            data_key,
            refresh: key.seal(Field::RefreshToken, 0, login.refresh.expose(), random)?,
            access: self.seal_access(&key, 0, &granted.access_token, life)?,
        })
    }
}

/// A login that has everything but its place in the store.
struct Login<'a> {
    app: &'a App,
    terms: &'a Terms,
    granted: &'a Granted,
    sent: Moment,
    refresh: &'a RefreshToken,
    account: &'a Result<Account, String>,
    scope: Scope,
    at: UnixMillis,
    consent: Consent,
    earlier: Option<&'a Earlier>,
}

/// The writes of a login whose outcome is unknown.
#[derive(Default)]
struct Tried(Vec<(Epoch, Sealed)>);

impl Tried {
    fn note(&mut self, row: &GrantRow) {
        let key = row.tokens.as_ref().map(|tokens| tokens.data_key.clone());
        self.0.extend(key.map(|key| (row.epoch, key)));
    }

    fn forget_last(&mut self) {
        self.0.pop();
    }

    /// Whether a row holds the login; no two logins have one data key.
    ///
    /// # Errors
    /// Where it may have held it, and somebody has logged in or out since.
    fn is_in(&self, row: &GrantRow) -> Result<bool, LoginError> {
        let key = row.tokens.as_ref().map(|tokens| &tokens.data_key);
        if self.0.iter().any(|(_, tried)| Some(tried) == key) {
            return Ok(true);
        }
        if self.0.iter().any(|(epoch, _)| *epoch <= row.epoch) {
            let grant = row.name.clone();
            return Err(LoginError::Overtaken { grant });
        }
        Ok(false)
    }
}

impl Login<'_> {
    /// Refuses the login of a link whose grant has changed hands since it was made: was signed in, out, or
    /// in again.
    fn bound(&self, row: Option<&GrantRow>) -> Result<(), LinkError> {
        let Some(link) = &self.terms.link else {
            return Ok(());
        };
        if row.map(|row| row.epoch) == link.epoch {
            return Ok(());
        }
        Err(LinkError::Overtaken {
            grant: self.terms.grant.clone(),
        })
    }

    /// Refuses what was given to another program where somebody has signed the grant in or out since it was begun
    /// to be taken over.
    fn in_place(&self, row: Option<&GrantRow>) -> Result<(), LoginError> {
        match self.earlier {
            Some(it) if it.over != row.map(|row| row.epoch) => Err(LoginError::Overtaken {
                grant: self.terms.grant.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Refuses to sign a user in again who has signed out, in whatever browser, and has not seen since what they
    /// agree to: the login is to be begun once more.
    fn asked(&self, row: Option<&GrantRow>) -> Result<(), LoginError> {
        let gone = row.is_some_and(|row| matches!(row.status, Status::SignedOut { .. }));
        if gone && self.terms.session.is_some() && !self.terms.asked_anew {
            return Err(LoginError::NotAsked);
        }
        Ok(())
    }
}

fn may_pass(error: &Error) -> bool {
    matches!(error.problem(), Problem::Store(error) if error.is_transient())
}

/// Refuses a login as somebody else, unless it was asked for.
fn pinned(
    row: &GrantRow,
    account: &Result<Account, String>,
    other_account: bool,
) -> Result<(), LoginError> {
    let Some(owner) = row.account.as_ref().filter(|_| !other_account) else {
        return Ok(());
    };
    match account {
        Ok(account) if account.id == owner.id => Ok(()),
        Ok(_) => Err(LoginError::OtherAccount {
            grant: row.name.clone(),
        }),
        Err(why) => Err(LoginError::AccountUnknown { why: why.clone() }),
    }
}
