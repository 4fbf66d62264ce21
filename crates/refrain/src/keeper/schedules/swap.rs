//! `arc_swap`, as far as the keeper uses it, with a lock that shuttle sees.

use std::sync::{Arc, PoisonError};

use shuttle::sync::Mutex;

/// A pointer that is replaced as a whole.
#[derive(Debug)]
pub(in crate::keeper) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

impl<T> ArcSwapOption<T> {
    pub(in crate::keeper) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(in crate::keeper) fn load(&self) -> Option<Arc<T>> {
        self.load_full()
    }

    pub(in crate::keeper) fn load_full(&self) -> Option<Arc<T>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    pub(in crate::keeper) fn store(&self, next: Option<Arc<T>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}
