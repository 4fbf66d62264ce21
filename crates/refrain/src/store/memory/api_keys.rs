//! API keys in memory.

use async_trait::async_trait;

use crate::{
    access::{ApiKeyId, KeyRecord},
    store::{ApiKeys, StoreError, Version, Written, memory::MemoryStore},
    time::UnixMillis,
};

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn insert_api_key(&self, key: &KeyRecord) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        let taken = |other: &KeyRecord| {
            other.id == key.id || (other.name == key.name && other.revoked_at.is_none())
        };
        let free = !tables.api_keys.iter().any(taken);
        if free {
            tables.api_keys.push(key.clone());
            tables.api_keys.sort_by(|one, other| {
                (one.created_at, &one.id).cmp(&(other.created_at, &other.id))
            });
        }
        Ok(Written::of(free, Version(0)))
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, StoreError> {
        let tables = self.tables();
        Ok(tables.api_keys.iter().find(|key| key.id == *id).cloned())
    }

    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.tables().api_keys.clone())
    }

    async fn api_keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let tables = self.tables();
        let mut keys = tables.api_keys.iter();
        if let Some(after) = after {
            keys.find(|key| key.id == *after);
        }
        Ok(keys.take(most as usize).cloned().collect())
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, at: UnixMillis) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let mut keys = tables.api_keys.iter_mut();
        let live = keys.find(|key| key.id == *id && key.revoked_at.is_none());
        Ok(live.map(|key| key.revoked_at = Some(at)).is_some())
    }

    async fn note_api_key_use(&self, id: &ApiKeyId, at: UnixMillis) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(key) = tables.api_keys.iter_mut().find(|key| key.id == *id) {
            key.last_used_at = key.last_used_at.max(Some(at));
        }
        Ok(())
    }
}
