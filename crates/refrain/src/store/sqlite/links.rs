//! Connect links in SQLite.

use async_trait::async_trait;

use crate::{
    connect::{LinkId, LinkRecord},
    store::{
        Links, StoreError, Version, Written, link_record,
        record::json,
        sqlite::{Bound, SqliteStore},
    },
    time::UnixMillis,
};

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
        let done = self.after_expired(link.made_at, query).await?;
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
        self.after_expired(at, query).await
    }
}

impl SqliteStore {
    /// Takes out what has expired, and changes a link; answers whether there was one to change.
    async fn after_expired(&self, now: UnixMillis, query: Bound<'_>) -> Result<bool, StoreError> {
        let error = |error| self.error(error);
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let mut transaction = begun.await.map_err(error)?;
        sqlx::query("DELETE FROM links WHERE expires_at <= ?")
            .bind(now.0)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        let done = query.execute(&mut *transaction).await.map_err(error)?;
        transaction.commit().await.map_err(error)?;
        Ok(done.rows_affected() > 0)
    }
}
