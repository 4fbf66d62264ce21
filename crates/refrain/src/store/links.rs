//! What a store keeps of connect links.

use async_trait::async_trait;

use crate::{
    connect::{LinkId, LinkRecord},
    store::{StoreError, Written},
    time::UnixMillis,
};

/// Keeps connect links, until their time is over.
#[async_trait]
pub trait Links: Send + Sync {
    /// Adds a link; a conflict where its id is taken. Those whose time was over when it was made are gone.
    async fn insert_link(&self, link: &LinkRecord) -> Result<Written, StoreError>;

    /// Reads a link by its id.
    async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError>;

    /// Uses a link, for ever; of several that try, one gets it, and none after its time. Expired ones are
    /// gone.
    async fn use_link(&self, id: &LinkId, at: UnixMillis) -> Result<bool, StoreError>;
}
