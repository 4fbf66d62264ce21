//! A refusal: counted for the app, and judged on the row as it is now.

use crate::{
    id::AppName,
    keeper::{
        Error, Keeper, Problem,
        contended::Contended,
        present::{Presentation, Presented},
    },
    lifecycle::{
        self, Change, Evidence, Exchange, GrantRow, Refusal, Status, app::AppState, row::Candidate,
    },
    seal::{Field, SealError},
    store::{Versioned, Written},
    time::Moment,
};

impl Keeper {
    /// `invalid_grant`: counts towards the breaker if it is early, and is judged on the durable row.
    pub(super) async fn refused(
        &self,
        on: &Presentation<'_>,
        evidence: &Evidence,
    ) -> Result<Presented, Error> {
        let ticket = &on.ticket;
        let (mut breaker_open, mut contended) = (None, Contended::default());
        loop {
            let seen = self.read(&on.row.name).await?;
            self.give_way(&mut contended, seen.version).await;
            let now = self.parts.clock.now();
            let open = match breaker_open {
                Some(open) => open,
                None => self.note_refusal(&seen.value, &now).await?,
            };
            breaker_open = Some(open);
            let change = match lifecycle::refuse(&seen.value, ticket, evidence, open, &now) {
                Refusal::Moved => return Ok(Presented::Again),
                Refusal::Judged(change) => *change,
                Refusal::Promotable(candidate) => {
                    match self.promotion(&seen.value, &candidate, &now)? {
                        Some(change) => change,
                        None => continue,
                    }
                }
            };
            if self.parts.store.replace(seen.version, &change).await? == Written::Conflict {
                contended.on(seen.version);
                continue;
            }
            let status = change.row.status.word();
            tracing::warn!(grant = %on.row.name, status, "the provider refused the refresh token");
            return match &change.row.status {
                // A promoted candidate is tried at once.
                Status::Active | Status::SignedOut { .. } => Ok(Presented::Again),
                Status::Suspect(suspicion) => {
                    let (since, retry_at) = (suspicion.since, suspicion.next_probe.wall);
                    Err(Problem::Suspect {
                        grant: change.row.name,
                        since,
                        retry_at,
                    }
                    .into())
                }
                Status::Reauthorize { reason, since } => {
                    Err(Problem::reauthorize(&change.row, *reason, *since).into())
                }
            };
        }
    }

    /// Where a late answer has superseded the present token, makes its token the present one.
    pub(super) async fn promote_successor(
        &self,
        seen: &Versioned<GrantRow>,
    ) -> Result<bool, Error> {
        let Some(candidate) = lifecycle::successor(&seen.value) else {
            return Ok(false);
        };
        let now = self.parts.clock.now();
        if let Some(change) = self.promotion(&seen.value, candidate, &now)? {
            // A conflict is as good: the row is read again in any case.
            self.parts.store.replace(seen.version, &change).await?;
        }
        Ok(true)
    }

    /// A candidate's token and the current one change places, each sealed to its new one.
    fn promotion(
        &self,
        row: &GrantRow,
        candidate: &Candidate,
        now: &Moment,
    ) -> Result<Option<Change>, Error> {
        let key = self.data_key(row)?;
        let random = self.parts.random.as_ref();
        let Some(tokens) = &row.tokens else {
            return Ok(None);
        };
        let exchange = || -> Result<Exchange, SealError> {
            let late = key.open(Field::Candidate, candidate.fence.0, &candidate.sealed)?;
            let current = key.open(Field::RefreshToken, row.generation.0, &tokens.refresh)?;
            let next = row.generation.next().0;
            Ok(Exchange {
                promoted: key.seal(Field::RefreshToken, next, &late, random)?,
                demoted: key.seal(Field::Candidate, row.fence.0, &current, random)?,
            })
        };
        let exchange = exchange().map_err(|source| Problem::sealed(row, "late answer", source))?;
        Ok(lifecycle::promote(row, candidate, &exchange, now))
    }

    async fn note_refusal(&self, row: &GrantRow, now: &Moment) -> Result<bool, Error> {
        if lifecycle::expected(row, now) {
            return Ok(false);
        }
        let is_told = row.status.is_unproven() || lifecycle::may_be_over(row, now);
        if is_told || self.is_explained(row) {
            // Explained by the backup, by what another program did, by the day that nobody knows, or by a cookie
            // that is older than what it was exchanged for: no sign of trouble at the provider.
            let state = self.parts.store.app_state(&row.app).await?.value;
            return Ok(state.open_breaker(now).is_some());
        }
        let grants = self.grants_of(&row.app).await;
        let change = |state: &AppState| Some(state.refused(&row.id, grants, now));
        let state = self.update_app(&row.app, change).await?;
        Ok(state.is_some_and(|state| state.open_breaker(now).is_some()))
    }

    /// Whether a token was refused that its browser has shown after it was used up.
    fn is_explained(&self, row: &GrantRow) -> bool {
        let rotates = row.generation.0 > 0;
        let unanswered = row.unanswered.as_ref();
        let missing = unanswered.is_some_and(|it| it.missing && it.generation == row.generation);
        !self.looks_ahead && rotates && missing
    }

    /// A success is the end of an incident. The token is committed already; a store that fails now
    /// costs no more than a breaker that stays open for another minute.
    pub(super) async fn close_breaker(&self, app: &AppName) {
        let now = self.parts.clock.now();
        let close = |state: &AppState| state.breaker.is_some().then(|| state.granted(&now));
        if let Err(error) = self.update_app(app, close).await {
            tracing::warn!(app = %app, code = error.code(), "the breaker could not be closed");
        }
    }
}
