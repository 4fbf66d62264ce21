//! Sessions in PostgreSQL.

use async_trait::async_trait;

use crate::{
    id::GrantName,
    session::{Incarnation, SessionId, SessionRecord},
    store::{
        Sessions, StoreError, Version, Written,
        postgres::{
            PostgresStore,
            session::{ask, tell},
        },
        session_record,
    },
    time::UnixMillis,
};

/// Whoever begins a session writes the grant: a logout that has read it before reads again, and sees the
/// session. One that was faster has left nothing to write.
const INSERT: &str = "WITH gone AS \
     (DELETE FROM refrain.sessions WHERE least(lapses_at, ends_at) <= $5), \
     reached AS (UPDATE refrain.grants SET version = version + 1 \
       WHERE name = $4 AND status <> 'signed_out' RETURNING id) \
     INSERT INTO refrain.sessions \
     (id, hash, whose, grant_name, made_at, seen_at, lapses_at, ends_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
       WHERE $4::text IS NULL OR EXISTS (SELECT 1 FROM reached) ON CONFLICT DO NOTHING";

const NOTE: &str = "UPDATE refrain.sessions SET seen_at = greatest(seen_at, $2), \
     lapses_at = greatest(lapses_at, $3) WHERE id = $1";

/// The characters of names are all below the tilde.
const UNREACHED: &str = "SELECT name FROM refrain.grants AS g WHERE name > $1 AND name < $2 \
     AND status <> 'signed_out' AND NOT EXISTS (SELECT 1 FROM refrain.sessions \
       WHERE grant_name = g.name AND lapses_at > $3 AND ends_at > $3) \
     ORDER BY name LIMIT 200";

const COUNT: &str = "SELECT count(*) FROM refrain.sessions \
     WHERE grant_name = $1 AND id IS DISTINCT FROM $2 AND lapses_at > $3 AND ends_at > $3";

/// What browsers carry under another number is over; whoever reads it before this is done reads it again
/// within seconds.
const END_ALL: &str = "WITH ended AS (DELETE FROM refrain.sessions) \
     UPDATE refrain.store SET incarnation = $1";

const ADMINS: &str = "SELECT * FROM refrain.sessions WHERE grant_name IS NULL AND whose = 'admin' \
     AND lapses_at > $1 AND ends_at > $1 ORDER BY made_at DESC LIMIT $2";

const END_ADMINS: &str = "DELETE FROM refrain.sessions \
     WHERE grant_name IS NULL AND whose IN ('admin', 'sign_in')";

#[async_trait]
impl Sessions for PostgresStore {
    async fn insert_session(&self, session: &SessionRecord) -> Result<Written, StoreError> {
        let (query, session) = (self.sessions.statement(INSERT), session.clone());
        let done = tell!(self, |c| {
            let (word, grant) = session_record::whose(&session.whose);
            query
                .rows()
                .bind(session.id.as_str().to_owned())
                .bind(session.hash.as_bytes().to_vec())
                .bind(word)
                .bind(grant)
                .bind(session.made_at.0)
                .bind(session.seen_at.0)
                .bind(session.lapses_at.0)
                .bind(session.ends_at.0)
                .execute(c)
        });
        Ok(Written::of(done.await?.rows_affected() > 0, Version(0)))
    }

    async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let statement = "SELECT * FROM refrain.sessions WHERE id = $1";
        let query = self.sessions.statement(statement);
        let id = id.as_str().to_owned();
        let row = ask!(self, |c| query.rows().bind(&id).fetch_optional(c));
        row.await?.as_ref().map(session_record::read).transpose()
    }

    async fn note_session(
        &self,
        id: &SessionId,
        seen_at: UnixMillis,
        lapses_at: UnixMillis,
    ) -> Result<(), StoreError> {
        let query = self.sessions.statement(NOTE);
        let id = id.as_str().to_owned();
        let done = tell!(self, |c| {
            let query = query.rows().bind(&id).bind(seen_at.0);
            query.bind(lapses_at.0).execute(c)
        });
        done.await?;
        Ok(())
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        let statement = "DELETE FROM refrain.sessions WHERE id = $1";
        let (query, id) = (self.sessions.statement(statement), id.as_str().to_owned());
        let done = tell!(self, |c| query.rows().bind(&id).execute(c));
        Ok(done.await?.rows_affected() > 0)
    }

    async fn admin_sessions(
        &self,
        now: UnixMillis,
        most: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let (query, most) = (self.sessions.statement(ADMINS), i64::from(most));
        let rows = ask!(self, |c| query.rows().bind(now.0).bind(most).fetch_all(c));
        rows.await?.iter().map(session_record::read).collect()
    }

    async fn end_admin_sessions(&self) -> Result<u64, StoreError> {
        let query = self.sessions.statement(END_ADMINS);
        let done = tell!(self, |c| query.rows().execute(c));
        Ok(done.await?.rows_affected())
    }

    async fn incarnation(&self) -> Result<Incarnation, StoreError> {
        let statement = "SELECT incarnation FROM refrain.store";
        let query = self.sessions.statement(statement);
        let row = ask!(self, |c| query.rows().fetch_optional(c)).await?;
        let number = row.map(|row| sqlx::Row::try_get(&row, 0)).transpose();
        let number = number.map_err(|error| self.error(error))?;
        Ok(number.map(Incarnation).unwrap_or_default())
    }

    async fn end_all_sessions(&self, next: Incarnation) -> Result<(), StoreError> {
        let query = self.sessions.statement(END_ALL);
        let done = tell!(self, |c| query.rows().bind(next.0).execute(c));
        done.await.map(drop)
    }

    async fn unreached(
        &self,
        prefix: &'static str,
        after: Option<&GrantName>,
        now: UnixMillis,
    ) -> Result<Vec<GrantName>, StoreError> {
        let query = self.sessions.statement(UNREACHED);
        let after = after.map_or(prefix, GrantName::as_str).to_owned();
        let end = format!("{prefix}~");
        let rows = ask!(self, |c| {
            let query = query.rows().bind(&after).bind(&end);
            query.bind(now.0).fetch_all(c)
        });
        let rows = rows.await?;
        let names = rows.iter().map(|row| sqlx::Row::try_get(row, 0));
        let names: Result<Vec<String>, sqlx::Error> = names.collect();
        let names = names.map_err(|error| self.error(error))?;
        names.into_iter().map(session_record::name).collect()
    }

    async fn sessions_of(
        &self,
        grant: &GrantName,
        but: Option<&SessionId>,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let query = self.sessions.statement(COUNT);
        let grant = grant.as_str().to_owned();
        let but = but.map(|it| it.as_str().to_owned());
        let row = ask!(self, |c| {
            let query = query.rows().bind(&grant).bind(&but);
            query.bind(now.0).fetch_one(c)
        });
        let count: i64 = sqlx::Row::try_get(&row.await?, 0).map_err(|error| self.error(error))?;
        Ok(count.unsigned_abs())
    }
}
