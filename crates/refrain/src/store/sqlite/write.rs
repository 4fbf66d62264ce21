//! Writing: several grants in one transaction, each by compare-and-set.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use sqlx::{Sqlite, SqlitePool, Transaction, query::Query, sqlite::SqliteArguments};

use crate::{
    store::{
        StoreError,
        group::Batch,
        record::{Record, SIGNED_OUT, Write},
        sqlite::{Bound, SqliteStore, connections::Connections, open::store_error},
    },
    time::UnixMillis,
};

const INSERT: &str = "INSERT OR IGNORE INTO grants (id, version, name, app, epoch, generation, minting, \
     fence, status, reauthorize_by, armed, master_key, data_key, refresh_token, access_token, rest, \
     changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
     (SELECT coalesce(max(changed), 0) + 1 FROM grants))";

const REPLACE: &str = "UPDATE grants SET version = ?2, name = ?3, app = ?4, epoch = ?5, \
     generation = ?6, minting = ?7, fence = ?8, status = ?9, reauthorize_by = ?10, armed = ?11, \
     master_key = ?12, data_key = ?13, refresh_token = ?14, access_token = ?15, rest = ?16, \
     changed = CASE WHEN epoch = ?5 AND minting = ?7 THEN changed \
       ELSE (SELECT coalesce(max(changed), 0) + 1 FROM grants) END \
     WHERE id = ?1 AND version = ?17";

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    connections: Arc<Connections>,
}

impl Writer {
    pub(super) fn new(path: &Path, connections: &Arc<Connections>) -> Self {
        Self {
            path: path.to_owned(),
            connections: Arc::clone(connections),
        }
    }

    async fn all(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError> {
        let done = all(self.connections.writer().await?, writes).await;
        done.map_err(|error| store_error(&self.path, error))
    }
}

async fn all(pool: &SqlitePool, writes: &[Write]) -> Result<Vec<bool>, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut done = Vec::with_capacity(writes.len());
    for write in writes {
        done.push(one(&mut transaction, write).await?);
    }
    transaction.commit().await?;
    Ok(done)
}

#[async_trait]
impl Batch for Writer {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<bool>, StoreError> {
        self.all(writes).await
    }
}

async fn one(
    transaction: &mut Transaction<'static, Sqlite>,
    write: &Write,
) -> Result<bool, sqlx::Error> {
    let query = match write.seen {
        None => bind(sqlx::query(INSERT), &write.record),
        Some(seen) => bind(sqlx::query(REPLACE), &write.record).bind(seen),
    };
    if query.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let (id, version) = (write.record.id.as_str(), write.record.version);
    if let Some(forget) = write.forget {
        sqlx::query("DELETE FROM events WHERE grant_id = ? AND version <= ?")
            .bind(id)
            .bind(forget)
            .execute(&mut **transaction)
            .await?;
    }
    if write.record.status == SIGNED_OUT {
        sqlx::query("DELETE FROM sessions WHERE grant_name = ?")
            .bind(&write.record.name)
            .execute(&mut **transaction)
            .await?;
        sqlx::query("DELETE FROM notices WHERE grant_name = ?")
            .bind(&write.record.name)
            .execute(&mut **transaction)
            .await?;
    }
    for (place, event) in (0_i64..).zip(&write.events) {
        sqlx::query("INSERT INTO events (grant_id, version, place, event) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(version)
            .bind(place)
            .bind(event)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(true)
}

/// Binds the columns in the order that both statements number them.
fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    record: &'q Record,
) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(&record.id)
        .bind(record.version)
        .bind(&record.name)
        .bind(&record.app)
        .bind(record.epoch)
        .bind(record.generation)
        .bind(record.minting)
        .bind(record.fence)
        .bind(&record.status)
        .bind(record.reauthorize_by)
        .bind(record.armed)
        .bind(&record.master_key)
        .bind(&record.data_key)
        .bind(&record.refresh_token)
        .bind(&record.access_token)
        .bind(&record.rest)
}

impl SqliteStore {
    /// Takes out what has expired of a table, and changes something in it; answers whether there was
    /// something to change.
    pub(super) async fn after_expired(
        &self,
        expired: &'static str,
        now: UnixMillis,
        query: Bound<'_>,
    ) -> Result<bool, StoreError> {
        let error = |error| self.error(error);
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let mut transaction = begun.await.map_err(error)?;
        sqlx::query(expired)
            .bind(now.0)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        let done = query.execute(&mut *transaction).await.map_err(error)?;
        transaction.commit().await.map_err(error)?;
        Ok(done.rows_affected() > 0)
    }
}
