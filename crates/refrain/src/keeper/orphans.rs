//! What dead processes have left: intents, and perhaps answers that nobody has.
//!
//! They are taken up when a store is opened, because a provider that forgives a second presentation does so
//! for seconds. Where something stands in the way of that (the breaker, a rate limit, a store that does not
//! answer), they are looked for again each minute, until there are none.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    failpoint,
    keeper::{Error, Keeper, flight::Goal, sync::spawn},
    lifecycle::Cause,
    store::Liveness,
};

/// The pause before orphans are looked for again; one grant a minute asks whether a breaker may close.
const AGAIN: Duration = Duration::from_secs(60);

impl Keeper {
    /// Takes up, behind the caller's back, what dead processes have left undone.
    pub(crate) fn take_up_orphans(self: &Arc<Self>) {
        let keeper = Arc::clone(self);
        spawn(self.tasks.track_future(async move {
            if keeper.finds_orphans().await {
                spawn(again(Arc::downgrade(&keeper)));
            }
        }));
    }

    /// Takes up what there is; answers whether there may be more to do.
    async fn finds_orphans(self: &Arc<Self>) -> bool {
        self.orphans().await.unwrap_or_else(|error| {
            let code = error.code();
            tracing::warn!(code, "what dead processes left could not be looked for");
            true
        })
    }

    async fn orphans(self: &Arc<Self>) -> Result<bool, Error> {
        failpoint::at!(self.parts.clock, BootIntentScan, broken => Err(broken.into()));
        let mut found = false;
        for row in self.parts.store.armed().await? {
            let row = row.value;
            let Some(intent) = &row.intent else { continue };
            if self.parts.store.liveness(intent.owner).await? == Liveness::Dead {
                let cell = self.cell(&row.name);
                self.board(&cell, &Goal::After(row.epoch, row.minting, Cause::Due));
                found = true;
            }
        }
        Ok(found)
    }
}

/// Looks again, for as long as there is something to find and somebody to find it for.
async fn again(keeper: Weak<Keeper>) {
    loop {
        let Some(nap) = keeper.upgrade().map(|it| it.parts.clock.sleep(AGAIN)) else {
            return;
        };
        nap.await;
        let Some(keeper) = keeper.upgrade() else {
            return;
        };
        if !keeper.finds_orphans().await {
            return;
        }
    }
}
