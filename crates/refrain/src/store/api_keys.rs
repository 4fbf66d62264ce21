//! What a store keeps of API keys.

use async_trait::async_trait;

use crate::{
    access::{ApiKeyId, KeyRecord},
    store::{StoreError, Written},
    time::UnixMillis,
};

/// Keeps refrain's own API keys. A record is never taken away, so that the list tells who could get in.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Adds a key; a conflict where its id is taken, or a key that is not revoked has its name.
    async fn insert_api_key(&self, key: &KeyRecord) -> Result<Written, StoreError>;

    /// Reads a key by its id.
    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// Reads all keys, the oldest first.
    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Reads some keys, the oldest first, beginning behind one; none where there is none of that id.
    async fn api_keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, StoreError>;

    /// Revokes a key, for ever; answers whether that was news. The first time stays.
    async fn revoke_api_key(&self, id: &ApiKeyId, at: UnixMillis) -> Result<bool, StoreError>;

    /// Notes that a key was used. An earlier time than the one that is there changes nothing, and none
    /// is promised to outlive a crash.
    async fn note_api_key_use(&self, id: &ApiKeyId, at: UnixMillis) -> Result<(), StoreError>;
}
