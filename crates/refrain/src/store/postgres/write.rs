//! Writing: several grants in one statement, each by compare-and-set.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use sqlx::{Postgres, postgres::PgArguments, query::QueryScalar};

use crate::store::{
    StoreError,
    group::Batch,
    postgres::session::{Sessions, tell},
    record::{Record, Write},
};

/// The columns of the rows, the story's next events, and up to where the stories go.
const INPUT: &str = "WITH input AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], \
     $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], \
     $11::boolean[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[], $16::text[], \
     $17::bigint[]) AS input (id, version, name, app, epoch, generation, minting, fence, status, \
     reauthorize_by, armed, master_key, data_key, refresh_token, access_token, rest, seen)), ";

const INSERT: &str = "done AS (INSERT INTO refrain.grants SELECT id, version, name, app, epoch, \
     generation, minting, fence, status, reauthorize_by, armed, master_key, data_key, refresh_token, \
     access_token, rest, pg_current_xact_id()::text::bigint FROM input \
     ON CONFLICT DO NOTHING RETURNING id), ";

/// A row that another node is writing right now is passed over: that is a conflict like any other, and
/// two batches never wait for one another.
const REPLACE: &str = "held AS (SELECT g.id FROM refrain.grants AS g JOIN input USING (id) \
     WHERE g.version = input.seen FOR UPDATE OF g SKIP LOCKED), \
     done AS (UPDATE refrain.grants AS g SET version = i.version, name = i.name, app = i.app, \
     epoch = i.epoch, generation = i.generation, minting = i.minting, fence = i.fence, \
     status = i.status, reauthorize_by = i.reauthorize_by, armed = i.armed, \
     master_key = i.master_key, data_key = i.data_key, refresh_token = i.refresh_token, \
     access_token = i.access_token, rest = i.rest, \
     changed = CASE WHEN g.epoch = i.epoch AND g.minting = i.minting THEN g.changed \
       ELSE pg_current_xact_id()::text::bigint END \
     FROM input AS i JOIN held USING (id) WHERE g.id = i.id AND g.version = i.seen RETURNING g.id), ";

const STORY: &str = "gone AS (DELETE FROM refrain.events AS e \
       USING unnest($18::text[], $19::bigint[]) AS past (id, upto) JOIN done USING (id) \
       WHERE e.grant_id = past.id AND e.version <= past.upto), \
     ended AS (DELETE FROM refrain.sessions AS s USING input JOIN done USING (id) \
       WHERE s.grant_name = input.name AND input.status = 'signed_out'), \
     untold AS (DELETE FROM refrain.notices AS n USING input JOIN done USING (id) \
       WHERE n.grant_name = input.name AND input.status = 'signed_out'), \
     told AS (INSERT INTO refrain.events SELECT event.* \
       FROM unnest($20::text[], $21::bigint[], $22::bigint[], $23::text[]) \
         AS event (id, version, place, event) JOIN done USING (id)) \
     SELECT id, pg_notify('refrain', '') FROM done";

/// The writing end of the sessions.
#[derive(Debug)]
pub(super) struct Writer {
    sessions: Arc<Sessions>,
    insert: Arc<str>,
    replace: Arc<str>,
}

impl Writer {
    pub(super) fn new(sessions: &Arc<Sessions>) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            insert: format!("{INPUT}{INSERT}{STORY}").into(),
            replace: format!("{INPUT}{REPLACE}{STORY}").into(),
        }
    }

    /// Carries out writes of one kind to different rows; answers which rows were written.
    async fn statement(&self, writes: &[&Write]) -> Result<HashSet<String>, StoreError> {
        let Some(first) = writes.first() else {
            return Ok(HashSet::new());
        };
        let statement = if first.seen.is_none() {
            &self.insert
        } else {
            &self.replace
        };
        let (statement, columns) = (Arc::clone(statement), Arc::new(Columns::of(writes)));
        let prepared = !self.sessions.pooled();
        let work = tell!(self, |connection| {
            let query = sqlx::query_scalar(sqlx::AssertSqlSafe(Arc::clone(&statement)));
            let query = query.persistent(prepared);
            let columns = Arc::clone(&columns);
            async move { columns.bind(query).fetch_all(connection).await }
        });
        let done: Vec<String> = work.await?;
        Ok(done.into_iter().collect())
    }
}

#[async_trait]
impl Batch for Writer {
    fn place(&self) -> String {
        self.sessions.place().to_owned()
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError> {
        // One statement writes a row once: of two writes to one row the second cannot be for the version
        // that the first will make, so it has lost.
        let mut rows = HashSet::new();
        let first = |write: &&Write| rows.insert(write.record.id.clone());
        let mut firsts: Vec<&Write> = writes.iter().filter(first).collect();
        // A name that two nodes insert at once makes one of them wait: in one order, so that it is not
        // each of them for the other.
        firsts.sort_by(|one, other| one.record.name.cmp(&other.record.name));
        let mut done = self.statement(&firsts).await?;
        // Taken out: the first of several writes to a row is the one that was carried out.
        let told = writes.iter().map(|write| done.remove(&write.record.id));
        Ok(told.collect())
    }
}

/// The rows of a batch, column by column.
#[derive(Default)]
struct Columns {
    id: Vec<String>,
    version: Vec<i64>,
    name: Vec<String>,
    app: Vec<String>,
    epoch: Vec<i64>,
    generation: Vec<i64>,
    minting: Vec<i64>,
    fence: Vec<i64>,
    status: Vec<String>,
    reauthorize_by: Vec<Option<i64>>,
    armed: Vec<bool>,
    master_key: Vec<Option<String>>,
    data_key: Vec<Option<Vec<u8>>>,
    refresh_token: Vec<Option<Vec<u8>>>,
    access_token: Vec<Option<Vec<u8>>>,
    rest: Vec<String>,
    seen: Vec<Option<i64>>,
    past: (Vec<String>, Vec<i64>),
    events: (Vec<String>, Vec<i64>, Vec<i64>, Vec<String>),
}

impl Columns {
    fn of(writes: &[&Write]) -> Self {
        let mut columns = Self::default();
        for write in writes {
            columns.add_row(&write.record, write.seen);
            columns.add_story(write);
        }
        columns
    }

    fn add_row(&mut self, record: &Record, seen: Option<i64>) {
        self.id.push(record.id.clone());
        self.version.push(record.version);
        self.name.push(record.name.clone());
        self.app.push(record.app.clone());
        self.epoch.push(record.epoch);
        self.generation.push(record.generation);
        self.minting.push(record.minting);
        self.fence.push(record.fence);
        self.status.push(record.status.clone());
        self.reauthorize_by.push(record.reauthorize_by);
        self.armed.push(record.armed);
        self.master_key.push(record.master_key.clone());
        self.data_key.push(record.data_key.clone());
        self.refresh_token.push(record.refresh_token.clone());
        self.access_token.push(record.access_token.clone());
        self.rest.push(record.rest.clone());
        self.seen.push(seen);
    }

    fn add_story(&mut self, write: &Write) {
        let id = &write.record.id;
        if let Some(forget) = write.forget {
            self.past.0.push(id.clone());
            self.past.1.push(forget);
        }
        for (place, event) in (0_i64..).zip(&write.events) {
            self.events.0.push(id.clone());
            self.events.1.push(write.record.version);
            self.events.2.push(place);
            self.events.3.push(event.clone());
        }
    }

    /// Binds in the order in which the statements number them.
    fn bind<'q>(
        &'q self,
        query: QueryScalar<'q, Postgres, String, PgArguments>,
    ) -> QueryScalar<'q, Postgres, String, PgArguments> {
        query
            .bind(&self.id)
            .bind(&self.version)
            .bind(&self.name)
            .bind(&self.app)
            .bind(&self.epoch)
            .bind(&self.generation)
            .bind(&self.minting)
            .bind(&self.fence)
            .bind(&self.status)
            .bind(&self.reauthorize_by)
            .bind(&self.armed)
            .bind(&self.master_key)
            .bind(&self.data_key)
            .bind(&self.refresh_token)
            .bind(&self.access_token)
            .bind(&self.rest)
            .bind(&self.seen)
            .bind(&self.past.0)
            .bind(&self.past.1)
            .bind(&self.events.0)
            .bind(&self.events.1)
            .bind(&self.events.2)
            .bind(&self.events.3)
    }
}
