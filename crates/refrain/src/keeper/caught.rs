//! Panics, caught where a task has something to put in order: a mistake in one refresh must not take the
//! next one with it.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Weak, atomic::Ordering},
    task::Poll,
};

use crate::{
    id::GrantName,
    keeper::{Error, Keeper, Problem, sync::AtomicBool},
};

/// The work has panicked. What was said is on standard error, by the panic itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panicked;

/// Does some work, to its end or to its panic.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // What the work shares with others is behind atomics and locks that are used poisoned or not.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

impl Keeper {
    /// After a refresh has panicked: its intent is given back, so that nobody waits for its lease, with a
    /// note that an answer may be missing.
    pub(super) async fn broke_off(&self, grant: &GrantName) -> Error {
        tracing::error!(%grant, "a refresh broke off, by a mistake in refrain");
        match caught(self.take_back(grant)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let code = error.code();
                tracing::warn!(%grant, code, "its intent could not be given back");
            }
            Err(Panicked) => tracing::warn!(%grant, "its intent could not be given back"),
        }
        let (grant, what) = (grant.clone(), "refresh");
        Problem::BrokeOff { grant, what }.into()
    }
}

/// Says that a task in the background runs, for as long as it does: one that has panicked, or whose
/// runtime has ended, is started again by whoever needs it next.
#[derive(Debug)]
pub(super) struct Running {
    keeper: Weak<Keeper>,
    flag: fn(&Keeper) -> &AtomicBool,
}

impl Running {
    /// `None` where it runs already.
    pub(super) fn begin(keeper: &Arc<Keeper>, flag: fn(&Keeper) -> &AtomicBool) -> Option<Self> {
        let begun = !flag(keeper).swap(true, Ordering::AcqRel);
        let keeper = Arc::downgrade(keeper);
        begun.then(|| Self { keeper, flag })
    }

    /// The keeper that it runs for, while there is one.
    pub(super) fn keeper(&self) -> Option<Arc<Keeper>> {
        self.keeper.upgrade()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.upgrade() {
            (self.flag)(&keeper).store(false, Ordering::Release);
        }
    }
}
