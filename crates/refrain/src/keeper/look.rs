//! Looking at a row: one question to the store, however many callers want to know.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use tokio::sync::watch;

use crate::{
    id::{Epoch, GrantName},
    keeper::{
        Error, Keeper, Problem, feed,
        live::{Cell, Live},
        sync::{Mutex, spawn},
    },
    lifecycle::GrantRow,
    store::Versioned,
    time::Uptime,
};

/// What a look has brought, once it has.
type Seen = Option<Result<Option<Arc<Live>>, Error>>;

/// The looks that are under way.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<GrantName, Look>>);

#[derive(Debug)]
struct Look {
    begun: Uptime,
    /// The newest login or logout that was known when it began.
    newest: Epoch,
    seen: watch::Receiver<Seen>,
}

impl Keeper {
    /// Reads the row and publishes its access token, together with everybody else who wants that now.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the look.
    pub(super) async fn look_together(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
    ) -> Result<Option<Arc<Live>>, Error> {
        let mut seen = self.join_look(cell);
        let told = seen
            .wait_for(Option::is_some)
            .await
            .map(|seen| seen.clone());
        match told {
            // Ended by a logout or a login before this caller has got round to it.
            Ok(Some(Ok(Some(live)))) if cell.is_over(live.epoch) => self.reload(cell).await,
            Ok(Some(result)) => result,
            // It has ended without a word: see for oneself.
            Ok(None) | Err(_) => self.reload(cell).await,
        }
    }

    fn join_look(self: &Arc<Self>, cell: &Arc<Cell>) -> watch::Receiver<Seen> {
        let (begun, newest) = (self.parts.clock.uptime(), cell.newest());
        // What one that hangs has read may have changed long ago: it is for those who came in time. And
        // whoever comes after a login or a logout here wants an answer from after it.
        let joins = |look: &&Look| {
            look.seen.has_changed().is_ok()
                && look.newest == newest
                && begun.since(look.begun) < feed::SILENCE
        };
        let mut looks = self.looks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get(&cell.name).filter(joins) {
            return look.seen.clone();
        }
        let (tell, seen) = watch::channel(None);
        let own = seen.clone();
        let look = Look {
            begun,
            newest,
            seen: seen.clone(),
        };
        looks.insert(cell.name.clone(), look);
        drop(looks);
        let (keeper, cell) = (Arc::clone(self), Arc::clone(cell));
        spawn(async move {
            let result = keeper.reload(&cell).await;
            let mut looks = keeper
                .looks
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Gone before the result is told: whoever comes now looks afresh, or joins one that does.
            if looks
                .get(&cell.name)
                .is_some_and(|look| look.seen.same_channel(&own))
            {
                looks.remove(&cell.name);
            }
            drop(looks);
            tell.send_replace(Some(result));
        });
        seen
    }

    /// Reads the row and publishes its access token, whoever minted it; `None` where it has none.
    pub(super) async fn reload(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
    ) -> Result<Option<Arc<Live>>, Error> {
        match self.look(cell).await {
            Ok(seen) => self.publish(cell, &seen.value),
            Err(error) => {
                // The grant is gone: so is its token. Of a store that fails nothing is known.
                if matches!(error.problem(), Problem::UnknownGrant { .. }) {
                    cell.live.store(None);
                }
                Err(error)
            }
        }
    }

    /// Reads the row of a cell.
    pub(super) async fn look(&self, cell: &Cell) -> Result<Versioned<GrantRow>, Error> {
        // In this order: a change that comes after the reading is told only by a feed that had begun.
        let round = self.feed.round();
        let seen = self.read(&cell.name).await?;
        // What this row has ended goes before the feed vouches for what is here.
        cell.begin_epoch(seen.value.epoch);
        cell.covered.fetch_max(round, Ordering::Release);
        Ok(seen)
    }
}
