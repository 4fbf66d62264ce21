//! Giving an intent back: a process that lives and has given up keeps nobody waiting for its lease.
//!
//! Where the store does not answer, it is not known whether the intent was written, or given back: a write
//! that was given up may still be made seconds later. So what it means is kept with the grant's cell, and
//! the row is looked at again until it says what became of it, or the lease is over. A refresh that meets
//! such an intent before that gives it back itself.

use std::{
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use crate::{
    id::GrantName,
    keeper::{
        Error, Keeper,
        live::Cell,
        present::Presentation,
        sync::{Mutex, spawn},
    },
    lifecycle::{self, GrantRow, Resolution, Ticket, timing},
    store::{Versioned, Written},
    time::Uptime,
};

/// First and longest pause before a row is looked at again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// An intent, and what giving it back means.
#[derive(Debug, Clone)]
struct Left {
    ticket: Ticket,
    resolution: Resolution,
    /// When its lease is over, by this machine's own uptime.
    until: Uptime,
}

impl Left {
    /// Whether a row shows that there is nothing to do: it holds another intent, or has gone on.
    fn is_settled_in(&self, row: &GrantRow) -> bool {
        !self.ticket.holds(row) && (row.epoch, row.fence) >= (self.ticket.epoch, self.ticket.fence)
    }
}

/// Intents of one grant and this process that may be in the store.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Mutex<Vec<Left>>);

impl Unsettled {
    /// Answers whether it is the only one, which somebody has to look after from now on.
    fn add(&self, left: Left) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(left);
        all.len() == 1
    }

    /// The one that a row holds.
    fn held_by(&self, row: &GrantRow) -> Option<Left> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|it| it.ticket.holds(row)).cloned()
    }

    /// Forgets those that a row settles and those whose time is over; answers whether there are others.
    fn is_left(&self, row: Option<&GrantRow>, now: Uptime) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = |it: &Left| row.is_some_and(|row| it.is_settled_in(row));
        all.retain(|it| now < it.until && !settled(it));
        !all.is_empty()
    }
}

/// What is known of the write of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was made, or refused: the row says which.
    Certain,
    /// The store has not answered: it may yet be made.
    Unknown,
}

impl Keeper {
    /// Gives the intent back where something else went wrong, at once or as soon as the store lets us.
    pub(super) async fn let_go(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        on: &Presentation<'_>,
        outcome: Outcome,
    ) {
        let resolution = on.not_looked_at();
        let error = match self.give_back(on, resolution.clone()).await {
            Ok(Some(_)) => return,
            Ok(None) if outcome == Outcome::Certain => return,
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let code = error.code();
            tracing::warn!(grant = %cell.name, code, "an intent could not be given back yet");
        }
        let left = Left {
            ticket: on.ticket,
            resolution,
            until: on.counted_from.after(timing::LEASE),
        };
        if cell.unsettled.add(left) {
            spawn(look_again(Arc::downgrade(self), Arc::clone(cell)));
        }
    }

    /// Gives the intent back, if it still is ours; answers the row as it is now.
    pub(super) async fn give_back(
        &self,
        on: &Presentation<'_>,
        resolution: Resolution,
    ) -> Result<Option<GrantRow>, Error> {
        let ours = |_: &GrantRow| Some(on.ticket);
        self.give_back_if(&on.row.name, ours, &resolution).await
    }

    /// Gives back an intent that this process holds and nobody in it presents under, after a refresh has
    /// broken off.
    pub(super) async fn take_back(&self, grant: &GrantName) -> Result<(), Error> {
        let resolution = Resolution::Unknown {
            http_status: None,
            why: "the refresh broke off".to_owned(),
            missing: true,
            // The provider has done nothing wrong, and one that forgives does so for seconds.
            pause: Duration::ZERO,
        };
        let own = |row: &GrantRow| Ticket::of(row).filter(|it| it.owner == self.instance);
        self.give_back_if(grant, own, &resolution).await.map(drop)
    }

    /// Gives back the intent that a row is found to hold; answers the row as it is then.
    async fn give_back_if(
        &self,
        grant: &GrantName,
        held: impl Fn(&GrantRow) -> Option<Ticket>,
        resolution: &Resolution,
    ) -> Result<Option<GrantRow>, Error> {
        loop {
            let seen = self.read(grant).await?;
            let Some(ticket) = held(&seen.value) else {
                return Ok(None);
            };
            match self.resolve(&seen, &ticket, resolution).await? {
                Resolved::NotOurs => return Ok(None),
                Resolved::Conflict => {}
                Resolved::Written(row) => return Ok(Some(*row)),
            }
        }
    }

    /// Gives back an intent of ours in a row, where what it means is known; answers whether there was one,
    /// and the row has to be read again.
    pub(super) async fn settle(
        &self,
        cell: &Cell,
        seen: &Versioned<GrantRow>,
    ) -> Result<bool, Error> {
        let Some(left) = cell.unsettled.held_by(&seen.value) else {
            return Ok(false);
        };
        self.resolve(seen, &left.ticket, &left.resolution).await?;
        Ok(true)
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

    /// Answers whether there is more to look after.
    async fn look_after(&self, cell: &Cell) -> bool {
        let looked = async {
            let mut seen = self.read(&cell.name).await?;
            while self.settle(cell, &seen).await? {
                seen = self.read(&cell.name).await?;
            }
            Ok::<_, Error>(seen.value)
        };
        let row = looked.await.ok();
        cell.unsettled
            .is_left(row.as_ref(), self.parts.clock.uptime())
    }
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

async fn look_again(keeper: Weak<Keeper>, cell: Arc<Cell>) {
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
        if !keeper.look_after(&cell).await {
            return;
        }
    }
}
