//! Committing an answer: sealed at once, written by compare-and-set, tried until the store takes it.
//!
//! From the moment the answer is here until it is durable it exists in this process alone, and under a
//! strictly rotating provider it cannot be had again. So there is nothing between the two but sealing
//! and the write, a write that fails is repeated for as long as the process lives, and one whose
//! outcome is unknown is read back. Nobody gets the token meanwhile.

use std::{sync::Arc, time::Duration};

use crate::{
    failpoint,
    keeper::{
        Error, Keeper, Problem,
        contended::Contended,
        flight::Progress,
        present::{Presentation, Presented},
    },
    lifecycle::{self, Before, Change, Commit, GrantRow, Minted, Replaced, row::Access},
    oauth::{
        answer::{Granted, Rotation},
        token::revocation_request,
    },
    seal::{DataKey, Field, SealError},
    secret::{AccessToken, RefreshToken},
    store::{StoreError, Written},
    time::{Deadline, Moment},
};

/// First and longest pause between writes of the same answer.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Keeper {
    pub(super) async fn commit_granted(
        &self,
        on: &Presentation<'_>,
        granted: Granted,
        request_id: Option<String>,
        before: Before,
        sent: Moment,
    ) -> Result<Presented, Error> {
        let Granted {
            access_token,
            expires_in,
            scope,
            refresh_token,
        } = granted;
        let returned = match Rotation::of(&on.token, refresh_token) {
            Rotation::Replaced(token) => Some(token),
            Rotation::Kept => None,
        };
        let minting = on.ticket.minting.next().0;
        let life = (expires_in, sent);
        let minted = || -> Result<Minted, SealError> {
            Ok(Minted {
                access: Some(self.seal_access(&on.key, minting, &access_token, life)?),
                replaced: returned
                    .as_ref()
                    .map(|it| self.seal_replaced(on, it))
                    .transpose()?,
                before,
                scope: scope.clone(),
                request_id: request_id.clone(),
            })
        };
        let minted = self.sealed(on, minted).await;
        self.write(on, &minted, returned.as_ref()).await
    }

    pub(super) async fn commit_salvaged(
        &self,
        on: &Presentation<'_>,
        salvaged: RefreshToken,
        before: Before,
    ) -> Result<Presented, Error> {
        let token = match Rotation::of(&on.token, Some(salvaged)) {
            Rotation::Replaced(token) => Some(token),
            Rotation::Kept => None,
        };
        let minted = || -> Result<Minted, SealError> {
            Ok(Minted {
                access: None,
                replaced: token
                    .as_ref()
                    .map(|token| self.seal_replaced(on, token))
                    .transpose()?,
                before,
                scope: None,
                request_id: None,
            })
        };
        let minted = self.sealed(on, minted).await;
        self.write(on, &minted, token.as_ref()).await
    }

    /// Seals until it is sealed: without randomness the answer waits like one that the store does not
    /// take.
    async fn sealed(
        &self,
        on: &Presentation<'_>,
        minted: impl Fn() -> Result<Minted, SealError> + Sync,
    ) -> Minted {
        let mut pause = PAUSE.0;
        loop {
            let error = match self.seal_once(&minted).await {
                Ok(minted) => return minted,
                Err(source) => Error::from(Problem::sealed(on.row, "answer", source)),
            };
            self.wait_to_save(on, error, &mut pause).await;
        }
    }

    #[cfg_attr(
        not(feature = "failpoints"),
        expect(clippy::unused_async, reason = "a failpoint may take its time")
    )]
    async fn seal_once(
        &self,
        minted: &(impl Fn() -> Result<Minted, SealError> + Sync),
    ) -> Result<Minted, SealError> {
        failpoint::at!(self.parts.clock, ParseClassified, broken => Err(broken.into()));
        minted()
    }

    /// Tells the callers what the answer waits for, and waits.
    async fn wait_to_save(&self, on: &Presentation<'_>, error: Error, pause: &mut Duration) {
        let code = error.code();
        tracing::error!(grant = %on.row.name, code, "a new token is in memory alone: it cannot be saved");
        on.report.send_replace(Progress::Saving(error));
        self.parts.clock.sleep(*pause).await;
        *pause = pause.saturating_mul(2).min(PAUSE.1);
    }

    /// An access token sealed to its minting. Its life counts from before it was asked for: between the
    /// provider's answer and its arrival here the machine may have slept for a night.
    pub(super) fn seal_access(
        &self,
        key: &DataKey,
        minting: u64,
        token: &AccessToken,
        (life, sent): (Duration, Moment),
    ) -> Result<Access, SealError> {
        let random = self.parts.random.as_ref();
        Ok(Access {
            sealed: key.seal(Field::AccessToken, minting, token.expose(), random)?,
            expires: Deadline::after(&sent, life),
            life_millis: i64::try_from(life.as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// Sealed for every place where it may end up: which one it is shows when it is written.
    fn seal_replaced(
        &self,
        on: &Presentation<'_>,
        token: &RefreshToken,
    ) -> Result<Replaced, SealError> {
        let (key, random) = (&on.key, self.parts.random.as_ref());
        let (next, fence) = (on.ticket.generation.next().0, on.ticket.fence.0);
        Ok(Replaced {
            current: key.seal(Field::RefreshToken, next, token.expose(), random)?,
            candidate: key.seal(Field::Candidate, fence, token.expose(), random)?,
            presented: key.seal(Field::Candidate, fence, on.token.expose(), random)?,
        })
    }

    /// Writes until it is written, superseded or void.
    async fn write(
        &self,
        on: &Presentation<'_>,
        minted: &Minted,
        token: Option<&RefreshToken>,
    ) -> Result<Presented, Error> {
        let (mut pause, mut contended) = (PAUSE.0, Contended::default());
        loop {
            match self.write_once(on, minted, &mut contended).await {
                Ok(Wrote::Current(row)) => {
                    failpoint::at!(self.parts.clock, CommitAcked, broken => Err(broken.into()));
                    return Ok(Presented::Committed(row));
                }
                Ok(Wrote::Late) => return Ok(Presented::Again),
                Ok(Wrote::Void) => {
                    self.revoke_quietly(on.row, token).await;
                    return Ok(Presented::Again);
                }
                Ok(Wrote::Conflict) => {}
                Err(error) => {
                    let error = Problem::NotSaved(Arc::new(error));
                    self.wait_to_save(on, error.into(), &mut pause).await;
                }
            }
        }
    }

    async fn write_once(
        &self,
        on: &Presentation<'_>,
        minted: &Minted,
        contended: &mut Contended,
    ) -> Result<Wrote, StoreError> {
        failpoint::at!(self.parts.clock, CommitSealed, broken => Err(broken.into()));
        let Some(seen) = self.parts.store.grant(&on.row.name).await? else {
            return Ok(Wrote::Void);
        };
        self.give_way(contended, seen.version).await;
        // Read back: the write whose outcome was unknown has happened after all. A sealed value never
        // occurs twice, so it is ours even where somebody has armed since.
        if seen.value.epoch == on.ticket.epoch && minted.is_in(&seen.value) {
            return Ok(Wrote::Current(Box::new(seen.value)));
        }
        let now = self.parts.clock.now();
        let (change, wrote): (Change, fn(Box<GrantRow>) -> Wrote) =
            match lifecycle::commit(&seen.value, &on.ticket, minted, &now) {
                Commit::Current(change) => (change, Wrote::Current),
                Commit::Late(Some(change)) => (change, |_| Wrote::Late),
                Commit::Late(None) => return Ok(Wrote::Late),
                Commit::Closed => return Ok(Wrote::Void),
            };
        failpoint::at!(self.parts.clock, CommitBeforeTxn, broken => Err(broken.into()));
        match self.parts.store.replace(seen.version, &change).await? {
            Written::Durably(_) => {
                failpoint::at!(self.parts.clock, CommitUnknown, broken => Err(broken.into()));
                Ok(wrote(Box::new(change.row)))
            }
            Written::Conflict => {
                contended.on(seen.version);
                Ok(Wrote::Conflict)
            }
        }
    }

    /// The answer belongs to a login that has ended: where the provider can revoke, it is asked to.
    async fn revoke_quietly(&self, row: &GrantRow, token: Option<&RefreshToken>) {
        let (Some(token), Some(endpoint), Ok(app)) =
            (token, &self.parts.provider.revocation, self.app_of(row))
        else {
            return;
        };
        let Ok(connection) = self.parts.transport.connect(&endpoint.origin).await else {
            return;
        };
        let request = revocation_request(&app.client, token, &endpoint.path);
        if connection.send(request).await.is_err() {
            tracing::info!(grant = %row.name, "a token of an ended login could not be revoked");
        }
    }
}

/// Where an answer ended up.
enum Wrote {
    Current(Box<GrantRow>),
    Late,
    Void,
    Conflict,
}
