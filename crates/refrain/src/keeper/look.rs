//! Looking at a row: one question to the store, however many callers want to know.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use tokio::sync::watch;

use crate::{
    id::GrantName,
    keeper::{
        Error, Keeper, Problem,
        live::{Cell, Live},
        sync::{Mutex, spawn},
    },
    lifecycle::GrantRow,
    store::Versioned,
};

/// What a look has brought, once it has.
type Seen = Option<Result<Option<Arc<Live>>, Error>>;

/// The looks that are under way.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<GrantName, watch::Receiver<Seen>>>);

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
        let mut looks = self.looks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = looks.get(&cell.name).filter(|it| it.has_changed().is_ok()) {
            return seen.clone();
        }
        let (tell, seen) = watch::channel(None);
        looks.insert(cell.name.clone(), seen.clone());
        drop(looks);
        let (keeper, cell) = (Arc::clone(self), Arc::clone(cell));
        spawn(async move {
            let result = keeper.reload(&cell).await;
            let mut looks = keeper
                .looks
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Gone before the result is told: whoever comes now looks afresh.
            looks.remove(&cell.name);
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
        let begun = self.feed.has_begun();
        let seen = self.read(&cell.name).await?;
        if begun {
            cell.covered.store(true, Ordering::Relaxed);
        }
        Ok(seen)
    }
}
