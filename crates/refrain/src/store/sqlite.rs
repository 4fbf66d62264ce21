//! The store in one SQLite file, shared by any number of processes of one machine.
//!
//! WAL with `synchronous=FULL`: what was acknowledged survives a power cut. Every write transaction
//! begins IMMEDIATE, because one that upgrades later can fail half-way. One connection writes and a few
//! read, so that a reader never waits for a refresh.

mod api_keys;
mod connections;
mod copy;
mod files;
mod full;
mod gate;
mod limits;
mod links;
mod notices;
mod open;
mod sessions;
mod write;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    Row as _, Sqlite, SqlitePool,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, app::AppState},
    seal::{DeploymentId, KeyCheck, KeyId},
    secret::Sealed,
    store::{
        Changes, Identity, Liveness, Mark, Store, StoreError, Unreadable, Version, Versioned,
        Written,
        attempt::{self, Attempt},
        cause, feed,
        group::Group,
        instances::Instances,
        record::{self, Record, Write, integer, json, read_json},
        sqlite::connections::Connections,
        unreadable,
    },
    time::{Clock, StoreInstant, UnixMillis},
};

pub(crate) use self::{copy::inspect, files::check_place, gate::Closed};

/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(2);
/// How long a write may take, with its time behind others.
const GROUP: Duration = Duration::from_millis(2200);
/// How long opening is tried.
const OPENING: Duration = Duration::from_secs(5);
/// The pause before opening is tried again.
const AGAIN: Duration = Duration::from_millis(30);

/// Grants' rows by their columns' names: what a damaged file calls its columns is never asked.
macro_rules! grants {
    ($which:literal) => {
        concat!(
            "SELECT id, version, name, app, epoch, generation, minting, fence, status, \
             reauthorize_by, armed, master_key, data_key, refresh_token, access_token, rest \
             FROM grants ",
            $which
        )
    };
}

/// See the [module](self).
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    connections: Arc<Connections>,
    group: Group,
    instances: Instances,
    /// `None` for a file that nobody else knows of.
    gate: Option<gate::Gate>,
}

impl SqliteStore {
    /// Opens the file, and makes an empty one where there is none.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        check_place(path)?;
        files::create_private(path).map_err(|error| files::io_error(path, error))?;
        // One name for one file: a link or a relative path must not hide this process from the others.
        let path = &path
            .canonicalize()
            .map_err(|error| files::io_error(path, error))?;
        let gate = gate::Gate::enter(path, clock.as_ref()).await;
        let gate = gate.map_err(|error| files::io_error(path, error))?;
        let connections = Arc::new(Connections::open(path, Arc::clone(&clock)).await?);
        let engine = write::Writer::new(path, &connections);
        Ok(Self {
            path: path.to_owned(),
            instances: Instances::new(files::instances(path), clock.boot(), true),
            clock,
            group: Group::start(Arc::new(engine), GROUP),
            connections,
            gate: Some(gate),
        })
    }

    /// The version of the SQLite library and of the durability settings in force; for `doctor`.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        let row = sqlx::query(
            "SELECT sqlite_version() AS version, j.journal_mode AS journal, s.synchronous AS sync
             FROM pragma_journal_mode AS j, pragma_synchronous AS s",
        )
        .fetch_one(self.connections.writer().await?)
        .await
        .map_err(|error| self.error(error))?;
        Ok(Settings {
            version: row.try_get("version").map_err(|error| self.error(error))?,
            journal: row.try_get("journal").map_err(|error| self.error(error))?,
            synchronous: row.try_get("sync").map_err(|error| self.error(error))?,
        })
    }

    async fn rows(&self, query: Bound<'_>) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| Record::fetch(row).and_then(Record::read))
            .collect()
    }

    async fn fetch(&self, query: Bound<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        let read = |pool| async move { query.fetch_all(&pool).await };
        self.connections.read(read).await
    }

    /// The file's layout; 0 for an empty one.
    async fn layout(&self) -> Result<i64, StoreError> {
        let read = |pool: SqlitePool| async move { open::user_version(&pool).await };
        self.connections.read(read).await
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        open::store_error(&self.path, error)
    }

    fn column<'r, T>(&self, row: &'r SqliteRow, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        row.try_get(column).map_err(|error| self.error(error))
    }
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

fn page(after: Option<&GrantName>, most: u32) -> Bound<'_> {
    sqlx::query(grants!("WHERE name > ? ORDER BY name LIMIT ?"))
        .bind(after.map_or("", GrantName::as_str))
        .bind(most)
}

/// What SQLite says of itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The library's version.
    pub version: String,
    /// The journal mode: `wal`.
    pub journal: String,
    /// The level of `synchronous`: 2 is FULL.
    pub synchronous: i64,
}

#[async_trait]
impl Store for SqliteStore {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn now(&self) -> Result<StoreInstant, StoreError> {
        let now = self.clock.now();
        Ok(StoreInstant {
            era: now.boot.0,
            millis: now.uptime.0,
        })
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        if self.layout().await? == open::known() {
            return Ok(());
        }
        open::migrate(&self.path, self.connections.writer().await?).await
    }

    async fn is_outdated(&self) -> Result<bool, StoreError> {
        StoreError::outdated(self.place(), self.layout().await?, open::known())
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        if self.layout().await? == 0 {
            return Ok(None);
        }
        let query = sqlx::query("SELECT deployment, key_check FROM store WHERE id = 1");
        let read = |pool| async move { query.fetch_optional(&pool).await };
        let row = self.connections.read(read).await?;
        let Some(row) = row else { return Ok(None) };
        let deployment: &[u8] = self.column(&row, "deployment")?;
        let bytes = deployment.try_into().map_err(|source| StoreError::Value {
            table: "store",
            column: "deployment",
            row: "1".to_owned(),
            source: Arc::new(source),
        })?;
        let key_check: Vec<u8> = self.column(&row, "key_check")?;
        Ok(Some(Identity {
            deployment: DeploymentId(u128::from_be_bytes(bytes)),
            key_check: KeyCheck(Sealed::from_bytes(key_check)),
        }))
    }

    async fn found(&self, identity: Identity) -> Result<Identity, StoreError> {
        sqlx::query("INSERT OR IGNORE INTO store (id, deployment, key_check) VALUES (1, ?, ?)")
            .bind(identity.deployment.0.to_be_bytes().to_vec())
            .bind(identity.key_check.0.as_bytes())
            .execute(self.connections.writer().await?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(self.identity().await?.unwrap_or(identity))
    }

    async fn replace_key_check(
        &self,
        seen: &KeyCheck,
        next: &KeyCheck,
    ) -> Result<Written, StoreError> {
        let done = sqlx::query("UPDATE store SET key_check = ? WHERE id = 1 AND key_check = ?")
            .bind(next.0.as_bytes())
            .bind(seen.0.as_bytes())
            .execute(self.connections.writer().await?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(Written::of(done.rows_affected() > 0, Version(0)))
    }

    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError> {
        // By way of the row's number: from an index that it searches SQLite takes the name too, so that
        // one that leads to another user's row would go unnoticed.
        let which = grants!("WHERE rowid = (SELECT rowid FROM grants WHERE name = ?)");
        let query = sqlx::query(which).bind(name.as_str());
        let found = self.rows(query).await?.pop();
        found.map(|row| record::of_name(row, name)).transpose()
    }

    async fn grants(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        self.rows(page(after, most)).await
    }

    async fn list(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Versioned<GrantRow>, Unreadable>>, StoreError> {
        let rows = self.fetch(page(after, most)).await?;
        rows.iter().map(unreadable::or_row).collect()
    }

    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let query = sqlx::query(grants!("WHERE armed"));
        self.rows(query).await
    }

    async fn sealed_otherwise(
        &self,
        than: KeyId,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let statement = grants!("WHERE master_key < ?1 OR master_key > ?1 LIMIT ?2");
        let query = sqlx::query(statement).bind(than.to_string()).bind(most);
        self.rows(query).await
    }

    async fn changes(
        &self,
        since: Option<&Mark>,
        most: u32,
    ) -> Result<(Changes, Mark), StoreError> {
        let statement = "SELECT m.mark, g.id, g.name, g.epoch, g.minting
             FROM (SELECT coalesce(max(changed), 0) AS mark FROM grants) AS m
             LEFT JOIN (SELECT id, name, epoch, minting FROM grants
                 WHERE changed > ? ORDER BY changed LIMIT ?) AS g";
        let query = sqlx::query(statement)
            .bind(since.map_or(i64::MAX, |mark| mark.upto))
            .bind(i64::from(most).saturating_add(1));
        let read = |pool| async move { query.fetch_all(&pool).await };
        let rows = self.connections.read(read).await?;
        let mark = rows.first().map_or(Ok(0), |row| self.column(row, "mark"))?;
        let changes = feed::told(&rows, most, |error| self.error(error))?;
        Ok((changes, Mark::at(mark)))
    }

    async fn count(&self, app: &AppName, most: u32) -> Result<usize, StoreError> {
        let statement = "SELECT count(*) FROM
             (SELECT 1 FROM grants WHERE app = ? AND status <> 'signed_out' LIMIT ?)";
        let query = sqlx::query_scalar(statement).bind(app.as_str()).bind(most);
        let read = |pool| async move { query.fetch_one(&pool).await };
        let count: i64 = self.connections.read(read).await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    async fn insert(&self, change: &Change) -> Result<Written, StoreError> {
        self.group.write(Write::insert(change)).await
    }

    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError> {
        self.group.write(Write::replace(seen, change)).await
    }

    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError> {
        let query = sqlx::query(
            "SELECT event FROM (SELECT version, place, event FROM events WHERE grant_id = ?
             ORDER BY version DESC, place DESC LIMIT ?) ORDER BY version, place",
        )
        .bind(grant.as_str())
        .bind(most);
        let read = |pool| async move { query.fetch_all(&pool).await };
        let rows = self.connections.read(read).await?;
        rows.iter()
            .map(|row| {
                read_json(
                    self.column(row, "event")?,
                    "events",
                    "event",
                    grant.as_str(),
                )
            })
            .collect()
    }

    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError> {
        let query =
            sqlx::query("SELECT version, state FROM apps WHERE name = ?").bind(app.as_str());
        let read = |pool| async move { query.fetch_optional(&pool).await };
        let row = self.connections.read(read).await?;
        let Some(row) = row else {
            return Ok(Versioned {
                value: AppState::default(),
                version: Version(0),
            });
        };
        let version: i64 = self.column(&row, "version")?;
        Ok(Versioned {
            value: read_json(self.column(&row, "state")?, "apps", "state", app.as_str())?,
            version: Version(version.unsigned_abs()),
        })
    }

    async fn replace_app_state(
        &self,
        app: &AppName,
        seen: Version,
        state: &AppState,
    ) -> Result<Written, StoreError> {
        let version = Version(seen.0.saturating_add(1));
        let statement = if seen == Version(0) {
            "INSERT OR IGNORE INTO apps (version, state, name) VALUES (?, ?, ?)"
        } else {
            "UPDATE apps SET version = ?, state = ? WHERE name = ? AND version = ?"
        };
        let query = sqlx::query(statement)
            .bind(integer(version.0))
            .bind(json(state))
            .bind(app.as_str());
        let query = if seen == Version(0) {
            query
        } else {
            query.bind(integer(seen.0))
        };
        let done = query
            .execute(self.connections.writer().await?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(Written::of(done.rows_affected() > 0, version))
    }

    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let insert = "INSERT INTO attempts (id, expires_at, attempt, verifier) VALUES (?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(&attempt.id)
            .bind(attempt.expires_at.0)
            .bind(json(&attempt.terms))
            .bind(attempt.verifier.as_bytes());
        let expired = "DELETE FROM attempts WHERE expires_at <= ?";
        self.after_expired(expired, attempt.begun_at(), query)
            .await
            .map(drop)
    }

    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError> {
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE")
            .await;
        let mut transaction = begun.map_err(|error| self.error(error))?;
        sqlx::query("DELETE FROM attempts WHERE expires_at <= ?")
            .bind(now.0)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.error(error))?;
        let row = sqlx::query(
            "DELETE FROM attempts WHERE id = ? RETURNING expires_at, attempt, verifier",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(|error| self.error(error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| self.error(error))?;
        let Some(row) = row else { return Ok(None) };
        let verifier: Vec<u8> = self.column(&row, "verifier")?;
        Ok(Some(Attempt {
            id: id.to_owned(),
            expires_at: UnixMillis(self.column(&row, "expires_at")?),
            terms: read_json(self.column(&row, "attempt")?, "attempts", "attempt", id)?,
            verifier: Sealed::from_bytes(verifier),
        }))
    }

    async fn unsettled(&self, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let alone = self.gate.as_ref().map_or(Ok(true), gate::Gate::alone);
        if !alone.map_err(|error| files::io_error(&self.path, error))? {
            return Ok(Some(now.after(attempt::LIFE)));
        }
        let statement = "SELECT max(expires_at) FROM attempts WHERE expires_at > ?";
        let query = sqlx::query_scalar(statement).bind(now.0);
        let read = |pool| async move { query.fetch_one(&pool).await };
        let last: Option<i64> = self.connections.read(read).await?;
        Ok(last.map(UnixMillis))
    }

    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError> {
        let announced = self.instances.announce(instance);
        announced.map_err(|error| files::io_error(&self.path, error))
    }

    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError> {
        let liveness = self.instances.liveness(instance);
        liveness.map_err(|error| files::io_error(&self.path, error))
    }

    async fn running(&self) -> Result<Option<Vec<InstanceId>>, StoreError> {
        let running = self.instances.running();
        let running = running.map_err(|error| files::io_error(&self.path, error));
        running.map(Some)
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        // secure_delete has overwritten the pages; the log still holds older copies of them.
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(self.connections.writer().await?)
            .await
            .map_err(|error| self.error(error))?;
        let blocked: i64 = self.column(&row, "busy")?;
        if blocked != 0 {
            let source = cause("a reader holds an older state");
            let place = self.place();
            return Err(StoreError::Unavailable { place, source });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
