//! Giving an intent back: a process that lives and has given up keeps nobody waiting for its lease.
//!
//! Where the store does not answer, it is not known whether the intent was written, or given back: a write
//! that was given up may still be made seconds later. So the row is looked at again, until it says so or
//! the lease is over.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    keeper::{Error, Keeper, live::Cell, present::Presentation, sync::spawn},
    lifecycle::{self, GrantRow, Resolution, Ticket, timing},
    store::{Versioned, Written},
    time::Uptime,
};

/// First and longest pause before a row is looked at again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// An intent, and what giving it back means.
struct Left {
    cell: Arc<Cell>,
    ticket: Ticket,
    resolution: Resolution,
    /// When its lease is over, by this machine's own uptime.
    until: Uptime,
}

impl Keeper {
    /// Gives the intent back where something else went wrong, at once or as soon as the store lets us.
    pub(super) async fn let_go(self: &Arc<Self>, cell: &Arc<Cell>, on: &Presentation<'_>) {
        let left = Left {
            cell: Arc::clone(cell),
            ticket: on.ticket,
            resolution: on.not_looked_at(),
            until: on.counted_from.after(timing::LEASE),
        };
        let settled = self.settle(&left, Taken::ByUs).await;
        if let Err(error) = &settled {
            let code = error.code();
            tracing::warn!(grant = %cell.name, code, "an intent could not be given back yet");
        }
        if !settled.unwrap_or(false) {
            spawn(look_again(Arc::downgrade(self), left));
        }
    }

    /// Gives the intent back, if it still is ours; answers the row as it is now.
    pub(super) async fn give_back(
        &self,
        on: &Presentation<'_>,
        resolution: Resolution,
    ) -> Result<Option<GrantRow>, Error> {
        loop {
            let seen = self.read(&on.row.name).await?;
            match self.resolve(&seen, &on.ticket, &resolution).await? {
                Resolved::NotOurs => return Ok(None),
                Resolved::Conflict => {}
                Resolved::Written(row) => return Ok(Some(*row)),
            }
        }
    }

    async fn resolve(
        &self,
        seen: &Versioned<GrantRow>,
        ticket: &Ticket,
        resolution: &Resolution,
    ) -> Result<Resolved, Error> {
        let now = self.parts.clock.now();
        let Some(change) = lifecycle::resolve(&seen.value, ticket, resolution, &now) else {
            return Ok(Resolved::NotOurs);
        };
        let written = self.parts.store.replace(seen.version, &change).await?;
        Ok(match written {
            Written::Conflict => Resolved::Conflict,
            Written::Durably(_) => Resolved::Written(Box::new(change.row)),
        })
    }

    /// Gives an intent back if the row has it; answers whether it is settled, so or by others.
    async fn settle(&self, left: &Left, taken: Taken) -> Result<bool, Error> {
        let seen = self.read(&left.cell.name).await?;
        // After the reading: a refresh of ours that has begun since changes the row before it presents, and
        // one that was at it gives back whatever intent of ours it finds.
        if taken == Taken::ByOthers && left.cell.slot.is_taken() {
            return Ok(false);
        }
        let (row, ticket) = (&seen.value, &left.ticket);
        if !ticket.holds(row) {
            return Ok((row.epoch, row.fence) >= (ticket.epoch, ticket.fence));
        }
        let resolved = self.resolve(&seen, ticket, &left.resolution).await?;
        Ok(matches!(resolved, Resolved::Written(_)))
    }
}

/// Whose refresh a grant's slot is taken by, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// By the one that gives up.
    ByUs,
    /// By a later one, if at all.
    ByOthers,
}

/// What came of giving an intent back.
enum Resolved {
    /// The row does not hold it.
    NotOurs,
    /// The row has changed since it was read.
    Conflict,
    /// It is given back.
    Written(Box<GrantRow>),
}

async fn look_again(keeper: Weak<Keeper>, left: Left) {
    let mut pause = PAUSE.0;
    loop {
        let Some(nap) = keeper.upgrade().map(|it| it.parts.clock.sleep(pause)) else {
            return;
        };
        nap.await;
        pause = pause.saturating_mul(2).min(PAUSE.1);
        let Some(keeper) = keeper.upgrade() else {
            return;
        };
        let settled = keeper.settle(&left, Taken::ByOthers).await.unwrap_or(false);
        if settled || keeper.parts.clock.uptime() >= left.until {
            return;
        }
    }
}
