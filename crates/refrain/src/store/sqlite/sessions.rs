//! Sessions in SQLite.

use async_trait::async_trait;

use crate::{
    id::GrantName,
    session::{Incarnation, SessionId, SessionRecord},
    store::{
        Sessions, StoreError, Version, Written, session_record,
        sqlite::{Bound, SqliteStore},
    },
    time::UnixMillis,
};

const EXPIRED: &str = "DELETE FROM sessions WHERE min(lapses_at, ends_at) <= ?";

const INSERT: &str = "INSERT INTO sessions \
     (id, hash, whose, grant_name, made_at, seen_at, lapses_at, ends_at) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE ?4 IS NULL \
       OR EXISTS (SELECT 1 FROM grants WHERE name = ?4 AND status <> 'signed_out') \
     ON CONFLICT DO NOTHING";

const NOTE: &str = "UPDATE sessions SET seen_at = max(seen_at, ?), \
     lapses_at = max(lapses_at, ?) WHERE id = ?";

/// The characters of names are all below the tilde.
const UNREACHED: &str = "SELECT name FROM grants AS g WHERE name > ?1 AND name < ?2 \
     AND status <> 'signed_out' AND NOT EXISTS (SELECT 1 FROM sessions \
       WHERE grant_name = g.name AND lapses_at > ?3 AND ends_at > ?3) \
     ORDER BY name LIMIT 200";

const COUNT: &str = "SELECT count(*) FROM sessions WHERE grant_name = ?1 AND id IS NOT ?2 \
     AND lapses_at > ?3 AND ends_at > ?3";

const ADMINS: &str = "SELECT * FROM sessions WHERE grant_name IS NULL AND whose = 'admin' \
     AND lapses_at > ?1 AND ends_at > ?1 ORDER BY made_at DESC LIMIT ?2";

#[async_trait]
impl Sessions for SqliteStore {
    async fn insert_session(&self, session: &SessionRecord) -> Result<Written, StoreError> {
        let (word, grant) = session_record::whose(&session.whose);
        let query = sqlx::query(INSERT)
            .bind(session.id.as_str())
            .bind(session.hash.as_bytes().as_slice())
            .bind(word)
            .bind(grant)
            .bind(session.made_at.0)
            .bind(session.seen_at.0)
            .bind(session.lapses_at.0)
            .bind(session.ends_at.0);
        let done = self.after_expired(EXPIRED, session.made_at, query).await?;
        Ok(Written::of(done, Version(0)))
    }

    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let query = sqlx::query("SELECT * FROM sessions WHERE id = ?").bind(id.as_str());
        let read = |pool| async move { query.fetch_optional(&pool).await };
        let row = self.connections.read(read).await?;
        row.as_ref().map(session_record::read).transpose()
    }

    async fn note_session(
        &self,
        id: &SessionId,
        seen_at: UnixMillis,
        lapses_at: UnixMillis,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(NOTE).bind(seen_at.0).bind(lapses_at.0);
        self.change_sessions(query.bind(id.as_str())).await?;
        Ok(())
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id.as_str());
        Ok(self.change_sessions(query).await? > 0)
    }

    async fn admin_sessions(
        &self,
        now: UnixMillis,
        most: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let query = sqlx::query(ADMINS).bind(now.0).bind(most);
        let rows = self.fetch(query).await?;
        rows.iter().map(session_record::read).collect()
    }

    async fn end_admin_sessions(&self) -> Result<u64, StoreError> {
        let statement =
            "DELETE FROM sessions WHERE grant_name IS NULL AND whose IN ('admin', 'sign_in')";
        self.change_sessions(sqlx::query(statement)).await
    }

    async fn incarnation(&self) -> Result<Incarnation, StoreError> {
        let query = sqlx::query_scalar("SELECT incarnation FROM store");
        let read = |pool| async move { query.fetch_optional(&pool).await };
        let number: Option<i64> = self.connections.read(read).await?;
        Ok(number.map(Incarnation).unwrap_or_default())
    }

    async fn end_all_sessions(&self, next: Incarnation) -> Result<(), StoreError> {
        let error = |error| self.error(error);
        let writer = self.connections.writer().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
        let ended = sqlx::query("DELETE FROM sessions");
        ended.execute(&mut *transaction).await.map_err(error)?;
        let begun = sqlx::query("UPDATE store SET incarnation = ?").bind(next.0);
        begun.execute(&mut *transaction).await.map_err(error)?;
        transaction.commit().await.map_err(error)
    }

    async fn unreached(
        &self,
        prefix: &'static str,
        after: Option<&GrantName>,
        now: UnixMillis,
    ) -> Result<Vec<GrantName>, StoreError> {
        let query = sqlx::query_scalar(UNREACHED)
            .bind(after.map_or(prefix, GrantName::as_str).to_owned())
            .bind(format!("{prefix}~"))
            .bind(now.0);
        let read = |pool| async move { query.fetch_all(&pool).await };
        let names: Vec<String> = self.connections.read(read).await?;
        names.into_iter().map(session_record::name).collect()
    }

    async fn sessions_of(
        &self,
        grant: &GrantName,
        but: Option<&SessionId>,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let query = sqlx::query_scalar(COUNT).bind(grant.as_str());
        let query = query.bind(but.map(SessionId::as_str)).bind(now.0);
        let read = |pool| async move { query.fetch_one(&pool).await };
        let count: i64 = self.connections.read(read).await?;
        Ok(count.unsigned_abs())
    }
}

impl SqliteStore {
    /// Answers how many sessions were changed.
    async fn change_sessions(&self, query: Bound<'_>) -> Result<u64, StoreError> {
        let writer = self.connections.writer().await?;
        let done = query.execute(writer).await;
        Ok(done.map_err(|error| self.error(error))?.rows_affected())
    }
}
