//! Connect links in memory.

use async_trait::async_trait;

use crate::{
    connect::{LinkId, LinkRecord},
    store::{Links, StoreError, Version, Written, memory::MemoryStore},
    time::UnixMillis,
};

#[async_trait]
impl Links for MemoryStore {
    async fn insert_link(&self, link: &LinkRecord) -> Result<Written, StoreError> {
        let mut tables = self.tables();
        tables.links.retain(|_, it| link.made_at < it.expires_at);
        let free = !tables.links.contains_key(&link.id);
        if free {
            tables.links.insert(link.id.clone(), link.clone());
        }
        Ok(Written::of(free, Version(0)))
    }

    async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        Ok(self.tables().links.get(id).cloned())
    }

    async fn use_link(&self, id: &LinkId, at: UnixMillis) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        tables.links.retain(|_, it| at < it.expires_at);
        let unused = tables.links.get_mut(id).filter(|it| it.used_at.is_none());
        Ok(unused.map(|it| it.used_at = Some(at)).is_some())
    }
}
