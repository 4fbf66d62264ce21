//! What a broken step says: the store's error, or the transport's (`present`).

use std::sync::Arc;

use crate::{failpoint::Broken, keeper::Problem, seal::SealError, store::StoreError};

impl From<Broken> for StoreError {
    fn from(broken: Broken) -> Self {
        Self::Unavailable {
            place: "of the test".to_owned(),
            source: Arc::new(broken),
        }
    }
}

impl From<Broken> for SealError {
    fn from(Broken(point): Broken) -> Self {
        Self::Damaged { why: point.name() }
    }
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        Self::Store(broken.into())
    }
}
