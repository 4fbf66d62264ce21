//! API keys in the file.

use async_trait::async_trait;

use crate::{
    access::{ApiKeyId, KeyRecord},
    store::{
        ApiKeys, StoreError, Version, Written, api_key_record as record,
        sqlite::{Bound, SqliteStore},
    },
    time::UnixMillis,
};

const INSERT: &str = "INSERT INTO api_keys (id, name, hash, permissions, grants, rewrite_links, \
     created_at, expires_at, last_used_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT DO NOTHING";

impl SqliteStore {
    async fn keys(&self, query: Bound<'_>) -> Result<Vec<KeyRecord>, StoreError> {
        let read = |pool| async move { query.fetch_all(&pool).await };
        let rows = self.connections.read(read).await?;
        rows.iter().map(record::read).collect()
    }

    /// Answers whether there was a key to change.
    async fn change_key(&self, query: Bound<'_>) -> Result<bool, StoreError> {
        let writer = self.connections.writer().await?;
        let done = query.execute(writer).await;
        Ok(done.map_err(|error| self.error(error))?.rows_affected() > 0)
    }
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn insert_api_key(&self, key: &KeyRecord) -> Result<Written, StoreError> {
        let instant = |at: Option<UnixMillis>| at.map(|at| at.0);
        let query = sqlx::query(INSERT)
            .bind(key.id.as_str())
            .bind(key.name.as_str())
            .bind(key.hash.as_bytes().as_slice())
            .bind(key.permissions.to_string())
            .bind(record::grants(key))
            .bind(key.rewrite_links)
            .bind(key.created_at.0)
            .bind(instant(key.expires_at))
            .bind(instant(key.last_used_at))
            .bind(instant(key.revoked_at));
        let done = self.change_key(query).await?;
        Ok(Written::of(done, Version(0)))
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM api_keys WHERE id = ?").bind(id.as_str());
        Ok(self.keys(query).await?.pop())
    }

    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.keys(sqlx::query(
            "SELECT * FROM api_keys ORDER BY created_at, id",
        ))
        .await
    }

    async fn api_keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let query = match after {
            None => sqlx::query("SELECT * FROM api_keys ORDER BY created_at, id LIMIT ?"),
            Some(after) => sqlx::query(
                "SELECT * FROM api_keys WHERE (created_at, id) > \
                     (SELECT created_at, id FROM api_keys WHERE id = ?) \
                     ORDER BY created_at, id LIMIT ?",
            )
            .bind(after.as_str()),
        };
        self.keys(query.bind(most)).await
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, at: UnixMillis) -> Result<bool, StoreError> {
        let statement = "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
        let query = sqlx::query(statement).bind(at.0).bind(id.as_str());
        self.change_key(query).await
    }

    async fn note_api_key_use(&self, id: &ApiKeyId, at: UnixMillis) -> Result<(), StoreError> {
        let statement = "UPDATE api_keys SET last_used_at = ?1 \
             WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at < ?1)";
        let query = sqlx::query(statement).bind(at.0).bind(id.as_str());
        self.change_key(query).await?;
        Ok(())
    }
}
