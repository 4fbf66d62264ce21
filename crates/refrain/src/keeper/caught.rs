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
    lifecycle::{self, Resolution, Ticket},
    store::Written,
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

    /// Gives back an intent that this process holds and nobody in it presents under.
    async fn take_back(&self, grant: &GrantName) -> Result<(), Error> {
        loop {
            let seen = self.read(grant).await?;
            let row = &seen.value;
            let own = Ticket::of(row).filter(|it| it.owner == self.instance);
            let Some(ticket) = own else { return Ok(()) };
            let resolution = Resolution::Unknown {
                http_status: None,
                why: "the refresh broke off".to_owned(),
                missing: true,
                // The provider has done nothing wrong, and one that forgives does so for seconds.
                pause: std::time::Duration::ZERO,
            };
            let now = self.parts.clock.now();
            let Some(change) = lifecycle::resolve(row, &ticket, &resolution, &now) else {
                return Ok(());
            };
            if self.parts.store.replace(seen.version, &change).await? != Written::Conflict {
                return Ok(());
            }
        }
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
