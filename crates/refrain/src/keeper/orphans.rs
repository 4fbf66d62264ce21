//! What dead processes have left: intents, and perhaps answers that nobody has.
//!
//! They are taken up when a store is opened, because a provider that forgives a second presentation does so
//! for seconds. And they are looked for again each minute: where something stood in the way of that (the
//! breaker, a rate limit, a store that did not answer), and because a process of another machine, or one that
//! dies later, leaves them too.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    failpoint,
    keeper::{
        Error, Keeper,
        flight::{Flight, Goal},
        live::Cell,
        sync::spawn,
    },
    lifecycle::Cause,
    store::Liveness,
};

/// The pause before orphans are looked for again; one grant a minute asks whether a breaker may close.
const AGAIN: Duration = Duration::from_secs(60);

/// How a refresh is begun.
type Board = fn(&Arc<Keeper>, &Arc<Cell>, &Goal) -> Flight;

impl Keeper {
    /// Takes up, behind the caller's back, what dead processes have left undone.
    pub(crate) fn take_up_orphans(self: &Arc<Self>) {
        let keeper = Arc::clone(self);
        spawn(self.tasks.track(async move {
            // A command may be done by then: what was left is taken up all the same.
            keeper.look_for_orphans(Self::board_still).await;
            spawn(again(Arc::downgrade(&keeper)));
        }));
    }

    async fn look_for_orphans(self: &Arc<Self>, board: Board) {
        if let Err(error) = self.orphans(board).await {
            let code = error.code();
            tracing::warn!(code, "what dead processes left could not be looked for");
        }
    }

    async fn orphans(self: &Arc<Self>, board: Board) -> Result<(), Error> {
        failpoint::at!(self.parts.clock, BootIntentScan, broken => Err(broken.into()));
        let armed = self.parts.store.armed().await?;
        if armed.is_empty() {
            return Ok(());
        }
        let now = self.parts.store.now().await?;
        for row in armed {
            let row = row.value;
            let Some(intent) = &row.intent else { continue };
            if intent.has_lapsed(now)
                || self.parts.store.liveness(intent.owner).await? == Liveness::Dead
            {
                let cell = self.cell(&row.name);
                board(
                    self,
                    &cell,
                    &Goal::After(row.epoch, row.minting, Cause::Due),
                );
            }
        }
        Ok(())
    }
}

/// Looks again, for as long as there is somebody to look for it.
async fn again(keeper: Weak<Keeper>) {
    loop {
        let Some(nap) = keeper.upgrade().map(|it| it.parts.clock.sleep(AGAIN)) else {
            return;
        };
        nap.await;
        let Some(keeper) = keeper.upgrade() else {
            return;
        };
        if keeper.tasks.is_closing() {
            return;
        }
        keeper.look_for_orphans(Keeper::board).await;
    }
}
