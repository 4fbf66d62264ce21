//! API keys in the database.

use async_trait::async_trait;

use crate::{
    access::{ApiKeyId, KeyRecord},
    store::{
        ApiKeys, StoreError, Version, Written, api_key_record as record,
        postgres::{
            PostgresStore,
            session::{ask, tell},
        },
    },
    time::UnixMillis,
};

const INSERT: &str = "INSERT INTO refrain.api_keys (id, name, hash, permissions, grants, \
     rewrite_links, created_at, expires_at, last_used_at, revoked_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn insert_api_key(&self, key: &KeyRecord) -> Result<Written, StoreError> {
        let query = self.sessions.statement(INSERT);
        let (key, instant) = (key.clone(), |at: Option<UnixMillis>| at.map(|at| at.0));
        let done = tell!(self, |c| {
            query
                .rows()
                .bind(key.id.as_str().to_owned())
                .bind(key.name.as_str().to_owned())
                .bind(key.hash.as_bytes().to_vec())
                .bind(key.permissions.to_string())
                .bind(record::grants(&key))
                .bind(key.rewrite_links)
                .bind(key.created_at.0)
                .bind(instant(key.expires_at))
                .bind(instant(key.last_used_at))
                .bind(instant(key.revoked_at))
                .execute(c)
        });
        Ok(Written::of(done.await?.rows_affected() > 0, Version(0)))
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<KeyRecord>, StoreError> {
        let statement = "SELECT * FROM refrain.api_keys WHERE id = $1";
        let query = self.sessions.statement(statement);
        let id = id.as_str().to_owned();
        let row = ask!(self, |c| query.rows().bind(&id).fetch_optional(c));
        row.await?.as_ref().map(record::read).transpose()
    }

    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let statement = "SELECT * FROM refrain.api_keys ORDER BY created_at, id";
        let query = self.sessions.statement(statement);
        let rows = ask!(self, |c| query.rows().fetch_all(c)).await?;
        rows.iter().map(record::read).collect()
    }

    async fn api_keys_after(
        &self,
        after: Option<&ApiKeyId>,
        most: u32,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let query = self.sessions.statement(
            "SELECT * FROM refrain.api_keys WHERE $1::text IS NULL OR (created_at, id) > \
             (SELECT created_at, id FROM refrain.api_keys WHERE id = $1) \
             ORDER BY created_at, id LIMIT $2",
        );
        let (after, most) = (after.map(|id| id.as_str().to_owned()), i64::from(most));
        let rows = ask!(self, |c| {
            query.rows().bind(&after).bind(most).fetch_all(c)
        });
        rows.await?.iter().map(record::read).collect()
    }

    async fn revoke_api_key(&self, id: &ApiKeyId, at: UnixMillis) -> Result<bool, StoreError> {
        let query = self.sessions.statement(
            "UPDATE refrain.api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        );
        let id = id.as_str().to_owned();
        let done = tell!(self, |c| query.rows().bind(at.0).bind(&id).execute(c));
        Ok(done.await?.rows_affected() > 0)
    }

    async fn note_api_key_use(&self, id: &ApiKeyId, at: UnixMillis) -> Result<(), StoreError> {
        let query = self.sessions.statement(
            "UPDATE refrain.api_keys SET last_used_at = $1 \
             WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)",
        );
        let id = id.as_str().to_owned();
        tell!(self, |c| query.rows().bind(at.0).bind(&id).execute(c)).await?;
        Ok(())
    }
}
