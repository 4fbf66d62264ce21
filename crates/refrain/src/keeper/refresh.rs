//! One refresh, in the order that keeps the promises.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::watch;

use crate::{
    failpoint,
    keeper::{
        Error, Keeper, Problem,
        feed::hint_or,
        flight::{Goal, Progress},
        live::{Cell, Live},
        present::{Presentation, Presented, Secrets},
        release::Outcome,
    },
    lifecycle::{self, Ask, Change, GrantRow, Hold, app::AppState, timing},
    store::{Liveness, StoreError, Versioned, Written},
    time::StoreInstant,
};

/// So many presentations within one refresh: salvaged and promoted tokens make it more than one.
const PRESENTED: u32 = 4;

impl Keeper {
    /// Reads, arms, presents and commits until the goal is met or something stands in the way.
    pub(super) async fn fly(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        goal: &Goal,
        report: &watch::Sender<Progress>,
    ) -> Result<Arc<Live>, Error> {
        let mut dead = None;
        let mut canary = false;
        let mut presented = 0;
        let mut hints = self.parts.store.hints();
        loop {
            if let Some(hints) = &mut hints {
                // From before the row is read: what is written after that is heard.
                hints.mark_unchanged();
            }
            let seen = self.look(cell).await?;
            // Adoption: what another process has done counts, and what it has ended is over.
            if let Some(live) = self.publish(cell, &seen.value)?
                && goal.met_by(&live, self.parts.clock.uptime())
            {
                return Ok(live);
            }
            if self.settle(cell, &seen).await? {
                continue;
            }
            let app = self.parts.store.app_state(&seen.value.app).await?.value;
            // Opened before anything is armed: a lost key must not leave an intent behind.
            let secrets = Secrets::open(&seen.value, self.data_key(&seen.value)?)?;
            // Before the store's clock is read: however long the write takes, the lease that is left is
            // never less than what is counted here.
            let counted_from = self.parts.clock.uptime();
            let ask = Ask {
                cause: goal.cause(),
                instance: self.instance,
                attempt: self.attempts.fetch_add(1, Ordering::Relaxed),
                now: &self.parts.clock.now(),
                store_now: self.parts.store.now().await?,
                dead,
                app: &app,
                canary,
            };
            match lifecycle::arm(&seen.value, &ask) {
                // A provider whose answers are never whole must not be asked for ever.
                Ok(_) if presented >= PRESENTED => return Err(self.fruitless().into()),
                // A late answer has superseded the present token: its own comes first.
                Ok(_) if self.promote_successor(&seen).await? => {}
                Ok((change, ticket)) => {
                    let row = &change.row;
                    let on = Presentation::new(row, ticket, secrets, report, counted_from);
                    match self.under_intent(cell, &seen, &change, &on).await? {
                        Presented::NotArmed => {}
                        Presented::Again => presented += 1,
                        Presented::Committed(row) => {
                            presented += 1;
                            failpoint::at!(self.parts.clock, PublishBefore, broken => Err(broken.into()));
                            let live = self.publish(cell, &row)?;
                            failpoint::at!(self.parts.clock, PublishAfter, broken => Err(broken.into()));
                            // Where the machine has slept over the answer, the token died on its way.
                            let lives = |live: &Arc<Live>| {
                                live.lives(self.parts.clock.uptime()) || self.lease_lasts(&on)
                            };
                            let new = |live: &Arc<Live>| live.minting > ticket.minting;
                            if let Some(live) = live.filter(|it| new(it) && lives(it)) {
                                return Ok(live);
                            }
                        }
                    }
                }
                Err(Hold::Held { by, .. }) => {
                    let alive = self.parts.store.liveness(by).await? != Liveness::Dead;
                    dead = (!alive).then_some(by);
                    if alive && !self.retime(&seen, ask.store_now).await? {
                        let poll = self.parts.clock.sleep(self.parts.store.poll());
                        hint_or(&mut hints, poll).await;
                    }
                }
                Err(hold @ Hold::BreakerOpen { .. }) => {
                    // The turn is not spent on a grant that could not use it.
                    let as_canary = Ask {
                        canary: true,
                        ..ask
                    };
                    if let Err(hold) = lifecycle::arm(&seen.value, &as_canary) {
                        return Err(Problem::held(&seen.value, hold).into());
                    }
                    if !self.claim_canary(&seen.value).await? {
                        return Err(Problem::held(&seen.value, hold).into());
                    }
                    canary = true;
                }
                Err(hold) => return Err(Problem::held(&seen.value, hold).into()),
            }
        }
    }

    /// Writes the intent, and presents under it. However that ends, the intent does not outlive it: a
    /// process that lives and has given up must not keep the others waiting for its lease.
    async fn under_intent(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        seen: &Versioned<GrantRow>,
        change: &Change,
        on: &Presentation<'_>,
    ) -> Result<Presented, Error> {
        self.announce().await?;
        let mut outcome = Outcome::Certain;
        let presented = match self.write_intent(seen, change).await {
            Ok(Written::Conflict) => return Ok(Presented::NotArmed),
            Ok(Written::Durably(_)) => self.present(on).await,
            // Perhaps written all the same.
            Err(error) => {
                if matches!(error, StoreError::Unavailable { .. }) {
                    outcome = Outcome::Unknown;
                }
                Err(error.into())
            }
        };
        if presented.is_err() {
            self.let_go(cell, on, outcome).await;
        }
        presented
    }

    async fn write_intent(
        &self,
        seen: &Versioned<GrantRow>,
        change: &Change,
    ) -> Result<Written, StoreError> {
        failpoint::at!(self.parts.clock, ArmBeforeTxn, broken => Err(broken.into()));
        let written = self.parts.store.replace(seen.version, change).await?;
        failpoint::at!(self.parts.clock, ArmAfterDurable, broken => Err(broken.into()));
        Ok(written)
    }

    /// Gives an intent that cannot be timed a deadline that can; answers whether there was something to do.
    async fn retime(
        &self,
        seen: &Versioned<GrantRow>,
        store_now: StoreInstant,
    ) -> Result<bool, Error> {
        let Some(change) = lifecycle::retime(&seen.value, store_now) else {
            return Ok(false);
        };
        // A conflict is as good: the row is read again in any case.
        self.parts.store.replace(seen.version, &change).await?;
        Ok(true)
    }

    fn fruitless(&self) -> Problem {
        let since = self.parts.clock.wall();
        let retry_at = since.after(timing::BACK_OFF.0);
        let why = "its answers hold no access token".to_owned();
        Problem::Unavailable {
            since,
            retry_at,
            http_status: None,
            why,
        }
    }

    /// While the breaker is open, one grant a minute asks for all.
    async fn claim_canary(&self, row: &GrantRow) -> Result<bool, Error> {
        let now = self.parts.clock.now();
        let claim = |state: &AppState| state.claim_canary(&row.id, &now);
        Ok(self.update_app(&row.app, claim).await?.is_some())
    }

    /// Makes this process known to the others, once, before its first intent.
    async fn announce(&self) -> Result<(), Error> {
        let announced = self
            .announced
            .get_or_try_init(|| self.parts.store.announce(self.instance));
        announced.await?;
        Ok(())
    }
}
