//! The gates of the Web API's limits, which all nodes obey.

use async_trait::async_trait;

use crate::{
    limit::{Bucket, Gate},
    store::{StoreError, Version, Versioned, Written},
};

/// Keeps the gates: a handful, one for an app or a developer account that has to wait. The versions of a
/// bucket only grow, also over its removal, so that nobody takes a new gate for the one he has seen.
#[async_trait]
pub trait Limits {
    /// Reads the gates there are.
    async fn limits(&self) -> Result<Vec<Versioned<Gate>>, StoreError>;

    /// Replaces the gate of a bucket, if it still is the version that was read; version 0 for a bucket
    /// that has none.
    async fn replace_limit(&self, seen: Version, gate: &Gate) -> Result<Written, StoreError>;

    /// Takes the gate of a bucket away, if it still is the version that was read.
    async fn remove_limit(&self, seen: Version, bucket: &Bucket) -> Result<Written, StoreError>;
}
