//! What has to come to its end before the process does: refreshes, which may have presented a token, and
//! logins and logouts.

use std::sync::PoisonError;

use tokio_util::task::{TaskTracker, task_tracker::TrackedFuture};

use crate::keeper::sync::Mutex;

/// The tasks of a keeper that are waited for.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    closing: Mutex<bool>,
}

impl Tasks {
    /// A future that is waited for.
    pub(super) fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.tracker.track_future(future)
    }

    /// The same for what nobody has asked for yet: `None` once the keeper is closing, or there would be no
    /// end of it.
    pub(super) fn track_new<F: Future>(&self, future: F) -> Option<TrackedFuture<F>> {
        // Under the lock, so that closing comes before this or waits for it.
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        (!*closing).then(|| self.tracker.track_future(future))
    }

    /// Lets nothing new begin from now on.
    pub(super) fn close(&self) {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Whether nothing new begins any more.
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything that has begun has ended.
    pub(super) async fn ended(&self) {
        // It waits for that alone, and refuses nothing by it.
        self.tracker.close();
        self.tracker.wait().await;
    }
}
