//! Connect links in PostgreSQL.

use async_trait::async_trait;

use crate::{
    connect::{LinkId, LinkRecord},
    store::{
        Links, StoreError, Version, Written, link_record,
        postgres::{
            PostgresStore,
            session::{ask, tell},
        },
        record::json,
    },
    time::UnixMillis,
};

const INSERT: &str = "WITH gone AS (DELETE FROM refrain.links WHERE expires_at <= $3) \
     INSERT INTO refrain.links (id, hash, made_at, expires_at, used_at, terms) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

/// Two nodes that use the same link at the same time: one waits for the other, and finds it used.
const USE: &str = "WITH gone AS (DELETE FROM refrain.links WHERE expires_at <= $2) \
     UPDATE refrain.links SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2";

#[async_trait]
impl Links for PostgresStore {
    async fn insert_link(&self, link: &LinkRecord) -> Result<Written, StoreError> {
        let (query, link) = (self.sessions.statement(INSERT), link.clone());
        let done = tell!(self, |c| {
            query
                .rows()
                .bind(link.id.as_str().to_owned())
                .bind(link.hash.as_bytes().to_vec())
                .bind(link.made_at.0)
                .bind(link.expires_at.0)
                .bind(link.used_at.map(|at| at.0))
                .bind(json(&link.terms))
                .execute(c)
        });
        Ok(Written::of(done.await?.rows_affected() > 0, Version(0)))
    }

    async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        let statement = "SELECT * FROM refrain.links WHERE id = $1";
        let query = self.sessions.statement(statement);
        let id = id.as_str().to_owned();
        let row = ask!(self, |c| query.rows().bind(&id).fetch_optional(c));
        row.await?.as_ref().map(link_record::read).transpose()
    }

    async fn use_link(&self, id: &LinkId, at: UnixMillis) -> Result<bool, StoreError> {
        let query = self.sessions.statement(USE);
        let id = id.as_str().to_owned();
        let done = tell!(self, |c| query.rows().bind(&id).bind(at.0).execute(c));
        Ok(done.await?.rows_affected() > 0)
    }
}
