//! Grants that somebody else carries: what a login brings leaves this process, sealed, in a browser's cookie,
//! and no row of it outlives the process.
//!
//! While such a grant is in use it is a row like any other, in a store in memory, so that everything that is
//! promised of a refresh holds for it too. Of what is shown and what is there the newer counts: an old copy
//! takes nothing back.

use std::time::Duration;

use crate::{
    id::{AppName, Epoch, Generation, GrantId, GrantName, Minting},
    keeper::{
        Error, Keeper, Problem,
        login::{LoggedIn, Obtained},
        sessions::SessionError,
    },
    lifecycle::{
        Change, GrantRow, Status,
        row::{Access, Account, Consent, Tokens, Unanswered},
    },
    oauth::{authorization::AuthorizationResponse, client::ClientId, scope::Scope},
    seal::{DataKey, Field, Owner, SealError},
    secret::{AccessToken, RefreshToken, Sealed},
    session::{SessionId, SessionToken},
    store::{
        Versioned, Written,
        attempt::{Attempt, Terms},
    },
    time::{Deadline, UnixMillis},
};

/// How far a grant has come; the further of two is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The login.
    pub epoch: Epoch,
    /// The refresh token within it.
    pub generation: Generation,
    /// The access token.
    pub minting: Minting,
}

impl Step {
    /// How far a row has come.
    pub fn of(row: &GrantRow) -> Self {
        Self {
            epoch: row.epoch,
            generation: row.generation,
            minting: row.minting,
        }
    }
}

/// A grant as somebody carries it: all that is needed to go on with it anywhere.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Its identity, made at the login.
    pub id: GrantId,
    /// The session that it belongs to, and is named after.
    pub session: SessionId,
    /// How far it has come.
    pub step: Step,
    /// The app that it belongs to.
    pub app: AppName,
    /// The client that the tokens were issued to.
    pub client_id: ClientId,
    /// When the user consented, and how long that lasts.
    pub consent: Consent,
    /// What was granted.
    pub scope: Scope,
    /// Whose it is, where the provider has said so.
    pub account: Option<Account>,
    /// The refresh token.
    pub refresh: RefreshToken,
    /// The newest access token. Without one the next caller gets a new one.
    pub access: Option<CarriedAccess>,
}

/// An access token and its life.
#[derive(Debug, Clone)]
pub struct CarriedAccess {
    /// The token.
    pub token: AccessToken,
    /// When it expires.
    pub expires_at: UnixMillis,
    /// Its whole life from minting.
    pub life: Duration,
}

impl Carried {
    /// What the grant of a session is called.
    pub fn grant_of(session: &SessionId) -> Result<GrantName, Error> {
        Ok(format!("web-{session}").parse().map_err(Problem::Name)?)
    }
}

/// What is shown and was not here may have been presented by a process that has died since, or by another one,
/// and what came of it has not reached the browser. So a refusal of it is explained, and whoever shows it is told
/// to sign in again instead of to wait.
fn shown_once_more(carried: &Carried, now: UnixMillis) -> Unanswered {
    Unanswered {
        generation: carried.step.generation,
        since: now,
        presentations: 1,
        missing: true,
    }
}

impl Keeper {
    /// Turns the code of an answer into a grant that is carried; nothing of it is written.
    pub(super) async fn finish_carried(
        &self,
        attempt: Attempt,
        response: AuthorizationResponse,
    ) -> Result<(Carried, LoggedIn), Error> {
        let (terms, obtained) = self.obtain(attempt, response).await?;
        let carried = self.carry(&terms, obtained)?;
        let done = LoggedIn {
            grant: Carried::grant_of(&carried.session)?,
            account: carried.account.clone(),
            missing: terms.scope.missing_from(&carried.scope),
            scope: carried.scope.clone(),
            reauthorize_by: carried.consent.reauthorize_by,
        };
        Ok((carried, done))
    }

    fn carry(&self, terms: &Terms, obtained: Obtained) -> Result<Carried, Error> {
        let random = self.parts.random.as_ref();
        let app = self.app(&terms.app)?;
        let authorized_at = self.parts.clock.wall();
        let Obtained {
            granted,
            sent,
            refresh,
            account,
            earlier: _,
        } = obtained;
        Ok(Carried {
            id: GrantId::random(random)?,
            session: SessionToken::random(random)?.id(),
            step: Step {
                epoch: Epoch::default().next(),
                generation: Generation::default(),
                minting: Minting::default(),
            },
            app: app.name.clone(),
            client_id: app.client.id.clone(),
            consent: Consent::given(authorized_at),
            // RFC 6749 §5.1: no scope in the answer means the one that was asked for.
            scope: granted.scope.unwrap_or_else(|| terms.scope.clone()),
            account: account.ok(),
            refresh,
            access: Some(CarriedAccess {
                token: granted.access_token,
                expires_at: sent.wall.after(granted.expires_in),
                life: granted.expires_in,
            }),
        })
    }

    /// Makes a row of what somebody shows, unless there is one that has come as far; answers what it is called.
    ///
    /// # Errors
    /// [`SessionError::Unknown`] where a session of somebody else has the same name.
    pub(crate) async fn take_in(&self, carried: &Carried) -> Result<GrantName, Error> {
        let name = Carried::grant_of(&carried.session)?;
        loop {
            let seen = self.parts.store.grant(&name).await?;
            if let Some(seen) = &seen {
                if seen.value.id != carried.id {
                    return Err(SessionError::Unknown.into());
                }
                if Step::of(&seen.value) >= carried.step {
                    return Ok(name);
                }
            }
            let row = self.row_of(&name, carried, seen.as_ref())?;
            let epoch = row.epoch;
            let change = Change {
                row,
                events: Vec::new(),
                forgets: false,
            };
            let written = match &seen {
                Some(seen) => self.parts.store.replace(seen.version, &change).await?,
                None => self.parts.store.insert(&change).await?,
            };
            if written != Written::Conflict {
                self.cell(&name).begin_epoch(epoch);
                return Ok(name);
            }
        }
    }

    /// The row of what is shown, and of what stands by in the one that is there: an answer that is on its way
    /// finds its place, and is kept.
    fn row_of(
        &self,
        name: &GrantName,
        carried: &Carried,
        seen: Option<&Versioned<GrantRow>>,
    ) -> Result<GrantRow, Error> {
        let Carried { id, app, .. } = carried;
        let (id, client_id) = (id.clone(), carried.client_id.clone());
        let since = carried.consent.authorized_at;
        let now = self.parts.clock.wall();
        let blank = GrantRow::blank(id, name.clone(), app.clone(), client_id, since);
        let seen = seen.map(|seen| &seen.value);
        let same = seen.filter(|seen| seen.epoch == carried.step.epoch && seen.tokens.is_some());
        let row = GrantRow {
            epoch: carried.step.epoch,
            generation: carried.step.generation,
            minting: carried.step.minting,
            fence: seen.map_or(blank.fence, |seen| seen.fence.next()),
            candidates: same.map_or_else(Vec::new, |seen| seen.candidates.clone()),
            status: Status::Active,
            consent: Some(carried.consent),
            scope: carried.scope.clone(),
            account: carried.account.clone(),
            unanswered: Some(shown_once_more(carried, now)),
            ..blank
        };
        let sealed = self
            .seal_carried(&row, carried, same)
            .map_err(|source| Problem::sealed(&row, "session", source))?;
        let tokens = Some(sealed);
        Ok(GrantRow { tokens, ..row })
    }

    fn seal_carried(
        &self,
        row: &GrantRow,
        carried: &Carried,
        seen: Option<&GrantRow>,
    ) -> Result<Tokens, SealError> {
        let random = self.parts.random.as_ref();
        let (key, data_key) = self.epoch_key(row, seen)?;
        let generation = row.generation.0;
        let refresh = key.seal(
            Field::RefreshToken,
            generation,
            carried.refresh.expose(),
            random,
        )?;
        let now = self.parts.clock.now();
        let mut tokens = Tokens {
            data_key,
            refresh,
            access: None,
        };
        if let Some(CarriedAccess {
            token,
            expires_at,
            life,
        }) = &carried.access
        {
            let left = expires_at.since(now.wall).min(*life);
            let sealed = self.seal_access(&key, row.minting.0, token, (*life, now))?;
            tokens.access = Some(Access {
                expires: Deadline::after(&now, left),
                ..sealed
            });
        }
        Ok(tokens)
    }

    /// The key of the row that is there, which seals what stands by in it; a new one where there is none.
    fn epoch_key(
        &self,
        row: &GrantRow,
        seen: Option<&GrantRow>,
    ) -> Result<(DataKey, Sealed), SealError> {
        let (sealer, owner) = (&self.parts.sealer, Owner::of(row));
        match seen.and_then(|seen| seen.tokens.as_ref()) {
            Some(tokens) => {
                let key = sealer.open_data_key(&owner, &tokens.data_key)?;
                Ok((key, tokens.data_key.clone()))
            }
            None => sealer.new_data_key(&owner, self.parts.random.as_ref()),
        }
    }

    /// How far the row of a session has come; `None` where there is none, or it is signed out.
    pub(crate) async fn step(&self, session: &SessionId) -> Result<Option<Step>, Error> {
        let name = Carried::grant_of(session)?;
        let row = self.parts.store.grant(&name).await?.map(|seen| seen.value);
        let row = row.filter(|row| row.tokens.is_some());
        Ok(row.as_ref().map(Step::of))
    }

    /// The row of a session, to be carried; `None` where there is none, or it is signed out.
    pub(crate) async fn carried(&self, session: &SessionId) -> Result<Option<Carried>, Error> {
        let name = Carried::grant_of(session)?;
        let row = self.parts.store.grant(&name).await?.map(|seen| seen.value);
        let Some((row, tokens, consent)) = row.as_ref().and_then(|row| {
            let tokens = row.tokens.as_ref()?;
            Some((row, tokens, row.consent?))
        }) else {
            return Ok(None);
        };
        let key = self.data_key(row)?;
        let damaged = |source| Problem::sealed(row, "session", source);
        let refresh = key.open(Field::RefreshToken, row.generation.0, &tokens.refresh);
        let refresh = RefreshToken::new(refresh.map_err(damaged)?.as_str());
        let now = self.parts.clock.now();
        let opened = |access: &Access| {
            let text = key.open(Field::AccessToken, row.minting.0, &access.sealed)?;
            Ok(CarriedAccess {
                token: AccessToken::new(text.as_str()),
                expires_at: now.wall.after(access.expires.remaining(&now)),
                life: Duration::from_millis(access.life_millis.unsigned_abs()),
            })
        };
        let access = tokens.access.as_ref().map(opened).transpose();
        Ok(Some(Carried {
            id: row.id.clone(),
            session: session.clone(),
            step: Step::of(row),
            app: row.app.clone(),
            client_id: row.client_id.clone(),
            consent,
            scope: row.scope.clone(),
            account: row.account.clone(),
            refresh,
            access: access.map_err(damaged)?,
        }))
    }

    /// Lets the token go of a session whose row was forgotten.
    pub(crate) fn let_session_go(&self, session: &SessionId) {
        let cell = Carried::grant_of(session).ok();
        if let Some(cell) = cell.and_then(|name| self.cells.get(&name)) {
            cell.live.store(None);
        }
    }
}
