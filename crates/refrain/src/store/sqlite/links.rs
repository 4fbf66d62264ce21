//! Connect links in SQLite.

use async_trait::async_trait;

use crate::{
    connect::{LinkId, LinkRecord},
    store::{Links, StoreError, Version, Written, link_record, record::json, sqlite::SqliteStore},
    time::UnixMillis,
};

const EXPIRED: &str = "DELETE FROM links WHERE expires_at <= ?";

const INSERT: &str = "INSERT INTO links (id, hash, made_at, expires_at, used_at, terms) \
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

#[async_trait]
impl Links for SqliteStore {
    async fn insert_link(&self, link: &LinkRecord) -> Result<Written, StoreError> {
        let query = sqlx::query(INSERT)
            .bind(link.id.as_str())
            .bind(link.hash.as_bytes().as_slice())
            .bind(link.made_at.0)
            .bind(link.expires_at.0)
            .bind(link.used_at.map(|at| at.0))
            .bind(json(&link.terms));
        let done = self.after_expired(EXPIRED, link.made_at, query).await?;
        Ok(Written::of(done, Version(0)))
    }

    async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM links WHERE id = ?").bind(id.as_str());
        let read = |pool| async move { query.fetch_optional(&pool).await };
        let row = self.connections.read(read).await?;
        row.as_ref().map(link_record::read).transpose()
    }

    async fn use_link(&self, id: &LinkId, at: UnixMillis) -> Result<bool, StoreError> {
        let statement = "UPDATE links SET used_at = ? WHERE id = ? AND used_at IS NULL";
        let query = sqlx::query(statement).bind(at.0).bind(id.as_str());
        self.after_expired(EXPIRED, at, query).await
    }
}
