//! The store in a PostgreSQL database (15 or newer), shared by any number of machines.
//!
//! Nothing here lives in a session: no lock, no search path, so that it works through a pooler that hands
//! every transaction to another session. Such a pooler has to be told of, by `statement-cache-capacity=0`
//! in the address: then there is no prepared statement and no listening either, and every piece of work is
//! a transaction.
//!
//! A lease is counted on the server's clock, which all nodes read alike. `NOTIFY` tells the others to
//! look; it is a hint and no more, and whoever waits polls all the same.

mod api_keys;
mod error;
mod feed;
mod limits;
mod links;
mod listen;
mod notices;
mod open;
mod session;
mod sessions;
mod write;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{Row as _, postgres::PgRow};
use tokio::sync::watch;

use crate::{
    config::PostgresUrl,
    id::{AppName, GrantId, GrantName, InstanceId},
    lifecycle::{Change, Event, GrantRow, app::AppState},
    seal::{DeploymentId, KeyCheck, KeyId},
    secret::Sealed,
    store::{
        Changes, Identity, Liveness, Mark, Store, StoreError, Unreadable, Version, Versioned,
        Written,
        attempt::Attempt,
        group::Group,
        instances::Instances,
        postgres::session::{Sessions, ask, tell},
        record::{self, Record, Write, integer, json, read_json},
        unreadable,
    },
    time::{Clock, StoreInstant, UnixMillis},
};
pub use open::Settings;

/// How soon to look whether another node has written, where no hint comes.
const POLL: Duration = Duration::from_millis(250);
/// How long a write may take, with its time behind others.
const GROUP: Duration = Duration::from_secs(6);

/// The store in one database. See the [module](self).
///
/// Its address is `postgres://user:password@host:port/database`, and may say more behind a `?`:
///
/// | parameter | meaning |
/// | --- | --- |
/// | `sslmode` | `disable`, `allow`, `prefer` (if nothing is said), `require`, `verify-ca`, `verify-full` |
/// | `sslrootcert` | the file with the certificates of the authorities that are believed |
/// | `sslcert`, `sslkey` | the files with the certificate and the key that refrain shows |
/// | `statement-cache-capacity=0` | there is a pooler in between that hands on sessions |
/// | `host` | the server, or the folder of its socket |
/// | `hostaddr`, `port`, `dbname`, `user`, `password` | in the place of those in front |
/// | `application_name`, `options` | as PostgreSQL's own programs know them |
///
/// Only `verify-full` proves that the server is the one that is meant; use it wherever others could be on
/// the wire. The tokens are sealed all the same, the names of the grants are not.
///
/// No call waits longer than two seconds for a read and six for a write, whatever the server does. A read
/// that meets a dead session is done once more in a fresh one. A write is not: its outcome is unknown.
#[derive(Debug)]
pub struct PostgresStore {
    sessions: Arc<Sessions>,
    group: Group,
    hints: Option<watch::Receiver<u64>>,
    instances: Option<Instances>,
}

impl PostgresStore {
    /// Connects, and makes sure that the server keeps what it has acknowledged.
    ///
    /// In `instances`, a folder of this machine, processes make themselves known to one another, so that
    /// the death of one is noticed at once; without it, when its lease has ended.
    pub async fn open(
        url: &PostgresUrl,
        clock: &dyn Clock,
        instances: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let sessions = Arc::new(open::sessions(url)?);
        open::check(&open::settings(&sessions).await?, &sessions)?;
        let hints = (!sessions.pooled()).then(|| listen::start(&sessions));
        Ok(Self {
            group: Group::start(Arc::new(write::Writer::new(&sessions)), GROUP),
            instances: instances.map(|folder| Instances::new(folder, clock.boot(), false)),
            sessions,
            hints,
        })
    }

    /// What the server says of itself; for `doctor`.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        open::settings(&self.sessions).await
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        self.sessions.error(error)
    }

    fn instance_error(&self, error: std::io::Error) -> StoreError {
        StoreError::Unavailable {
            place: self.place(),
            source: Arc::new(error),
        }
    }

    async fn page(&self, after: Option<&GrantName>, most: u32) -> Result<Vec<PgRow>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT * FROM refrain.grants WHERE name > $1 ORDER BY name LIMIT $2");
        let after = after.map_or("", GrantName::as_str).to_owned();
        let most = i64::from(most);
        ask!(self, |c| {
            query.rows().bind(&after).bind(most).fetch_all(c)
        })
        .await
    }
}

fn read(rows: &[PgRow]) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
    rows.iter()
        .map(|row| Record::fetch(row).and_then(Record::read))
        .collect()
}

#[async_trait]
impl Store for PostgresStore {
    fn place(&self) -> String {
        self.sessions.place().to_owned()
    }

    async fn now(&self) -> Result<StoreInstant, StoreError> {
        let query = self
            .sessions
            .statement("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let millis: i64 = ask!(self, |c| query.scalar().fetch_one(c)).await?;
        #[cfg(feature = "failpoints")]
        let millis = crate::failpoint::scaled(millis);
        // One era: after a failover the new server's clock goes on from the old one's, within the skew.
        Ok(StoreInstant { era: 0, millis })
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        open::migrate(&self.sessions).await
    }

    async fn is_outdated(&self) -> Result<bool, StoreError> {
        let found = open::layout(&self.sessions).await?;
        StoreError::outdated(self.place(), found, open::known())
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        if open::layout(&self.sessions).await? == 0 {
            return Ok(None);
        }
        let query = self
            .sessions
            .statement("SELECT deployment, key_check FROM refrain.store WHERE id = 1");
        let row = ask!(self, |c| query.rows().fetch_optional(c)).await?;
        let Some(row) = row else { return Ok(None) };
        let column = |name| row.try_get(name).map_err(|error| self.error(error));
        let (deployment, key_check): (Vec<u8>, Vec<u8>) =
            (column("deployment")?, column("key_check")?);
        let bytes = deployment
            .as_slice()
            .try_into()
            .map_err(|source| StoreError::Value {
                table: "store",
                column: "deployment",
                row: "1".to_owned(),
                source: Arc::new(source),
            })?;
        Ok(Some(Identity {
            deployment: DeploymentId(u128::from_be_bytes(bytes)),
            key_check: KeyCheck(Sealed::from_bytes(key_check)),
        }))
    }

    async fn found(&self, identity: Identity) -> Result<Identity, StoreError> {
        let query = self.sessions.statement(
            "INSERT INTO refrain.store (id, deployment, key_check) VALUES (1, $1, $2) \
                     ON CONFLICT DO NOTHING",
        );
        let deployment = identity.deployment.0.to_be_bytes().to_vec();
        let check = identity.key_check.0.as_bytes().to_vec();
        tell!(self, |c| {
            query.rows().bind(&deployment).bind(&check).execute(c)
        })
        .await?;
        Ok(self.identity().await?.unwrap_or(identity))
    }

    async fn replace_key_check(
        &self,
        seen: &KeyCheck,
        next: &KeyCheck,
    ) -> Result<Written, StoreError> {
        let query = self
            .sessions
            .statement("UPDATE refrain.store SET key_check = $1 WHERE id = 1 AND key_check = $2");
        let (seen, next) = (seen.0.as_bytes().to_vec(), next.0.as_bytes().to_vec());
        let done = tell!(self, |c| query.rows().bind(&next).bind(&seen).execute(c)).await?;
        Ok(Written::of(done.rows_affected() > 0, Version(0)))
    }

    async fn grant(&self, name: &GrantName) -> Result<Option<Versioned<GrantRow>>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT * FROM refrain.grants WHERE name = $1");
        let text = name.as_str().to_owned();
        let rows = ask!(self, |c| query.rows().bind(&text).fetch_all(c)).await?;
        let found = read(&rows)?.pop();
        found.map(|row| record::of_name(row, name)).transpose()
    }

    async fn grants(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        read(&self.page(after, most).await?)
    }

    async fn list(
        &self,
        after: Option<&GrantName>,
        most: u32,
    ) -> Result<Vec<Result<Versioned<GrantRow>, Unreadable>>, StoreError> {
        let rows = self.page(after, most).await?;
        rows.iter().map(unreadable::or_row).collect()
    }

    async fn armed(&self) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT * FROM refrain.grants WHERE armed");
        let rows = ask!(self, |c| query.rows().fetch_all(c));
        read(&rows.await?)
    }

    async fn sealed_otherwise(
        &self,
        than: KeyId,
        most: u32,
    ) -> Result<Vec<Versioned<GrantRow>>, StoreError> {
        let query = self.sessions.statement(
            "SELECT * FROM refrain.grants \
                     WHERE master_key < $1 OR master_key > $1 LIMIT $2",
        );
        let (than, most) = (than.to_string(), i64::from(most));
        let rows = ask!(self, |c| {
            query.rows().bind(&than).bind(most).fetch_all(c)
        });
        read(&rows.await?)
    }

    async fn changes(
        &self,
        since: Option<&Mark>,
        most: u32,
    ) -> Result<(Changes, Mark), StoreError> {
        self.news(since, most).await
    }

    async fn count(&self, app: &AppName, most: u32) -> Result<usize, StoreError> {
        let query = self.sessions.statement(
            "SELECT count(*) FROM (SELECT 1 FROM refrain.grants \
             WHERE app = $1 AND status <> 'signed_out' LIMIT $2) AS g",
        );
        let (app, most) = (app.as_str().to_owned(), i64::from(most));
        let count: i64 = ask!(self, |c| {
            query.scalar().bind(app.clone()).bind(most).fetch_one(c)
        })
        .await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    async fn insert(&self, change: &Change) -> Result<Written, StoreError> {
        self.group.write(Write::insert(change)).await
    }

    async fn replace(&self, seen: Version, change: &Change) -> Result<Written, StoreError> {
        self.group.write(Write::replace(seen, change)).await
    }

    async fn story(&self, grant: &GrantId, most: u32) -> Result<Vec<Event>, StoreError> {
        let query = self.sessions.statement(
            "SELECT event FROM refrain.events WHERE grant_id = $1 \
                     ORDER BY version DESC, place DESC LIMIT $2",
        );
        let (id, most) = (grant.as_str().to_owned(), i64::from(most));
        let events: Vec<String> = ask!(self, |c| {
            query.scalar().bind(id.clone()).bind(most).fetch_all(c)
        })
        .await?;
        let events = events.iter().rev();
        events
            .map(|event| read_json(event, "events", "event", grant.as_str()))
            .collect()
    }

    async fn app_state(&self, app: &AppName) -> Result<Versioned<AppState>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT version, state FROM refrain.apps WHERE name = $1");
        let name = app.as_str().to_owned();
        let row = ask!(self, |c| query
            .columns()
            .bind(name.clone())
            .fetch_optional(c))
        .await?;
        let Some((version, state)): Option<(i64, String)> = row else {
            return Ok(Versioned {
                value: AppState::default(),
                version: Version(0),
            });
        };
        Ok(Versioned {
            value: read_json(&state, "apps", "state", app.as_str())?,
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
            "INSERT INTO refrain.apps (version, state, name) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING"
        } else {
            "UPDATE refrain.apps SET version = $1, state = $2 WHERE name = $3 AND version = $1 - 1"
        };
        let query = self.sessions.statement(statement);
        let (number, state, app) = (integer(version.0), json(state), app.as_str().to_owned());
        let done = tell!(self, |c| {
            query.rows().bind(number).bind(&state).bind(&app).execute(c)
        });
        Ok(Written::of(done.await?.rows_affected() > 0, version))
    }

    async fn insert_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let query = self.sessions.statement(
            "WITH gone AS (DELETE FROM refrain.attempts WHERE expires_at <= $5) \
             INSERT INTO refrain.attempts (id, expires_at, attempt, verifier) \
             VALUES ($1, $2, $3, $4)",
        );
        let (id, expires) = (attempt.id.clone(), attempt.expires_at.0);
        let begun = attempt.begun_at().0;
        let (terms, verifier) = (json(&attempt.terms), attempt.verifier.as_bytes().to_vec());
        tell!(self, |c| {
            query
                .rows()
                .bind(&id)
                .bind(expires)
                .bind(&terms)
                .bind(&verifier)
                .bind(begun)
                .execute(c)
        })
        .await?;
        Ok(())
    }

    async fn take_attempt(&self, id: &str, now: UnixMillis) -> Result<Option<Attempt>, StoreError> {
        let query = self.sessions.statement(
            "DELETE FROM refrain.attempts WHERE id = $1 OR expires_at <= $2 \
                     RETURNING id, expires_at, attempt, verifier",
        );
        let (wanted, now) = (id.to_owned(), now.0);
        let rows = tell!(self, |c| {
            query.columns().bind(wanted.clone()).bind(now).fetch_all(c)
        });
        let rows: Vec<(String, i64, String, Vec<u8>)> = rows.await?;
        let taken = rows
            .into_iter()
            .find(|(it, expires, ..)| it == id && *expires > now);
        let Some((id, expires, terms, verifier)) = taken else {
            return Ok(None);
        };
        Ok(Some(Attempt {
            terms: read_json(&terms, "attempts", "attempt", &id)?,
            id,
            expires_at: UnixMillis(expires),
            verifier: Sealed::from_bytes(verifier),
        }))
    }

    async fn announce(&self, instance: InstanceId) -> Result<(), StoreError> {
        let announced = self.instances.as_ref().map(|it| it.announce(instance));
        announced
            .transpose()
            .map_err(|error| self.instance_error(error))?;
        Ok(())
    }

    async fn liveness(&self, instance: InstanceId) -> Result<Liveness, StoreError> {
        let liveness = self.instances.as_ref().map(|it| it.liveness(instance));
        let liveness = liveness.transpose();
        let liveness = liveness.map_err(|error| self.instance_error(error))?;
        Ok(liveness.unwrap_or(Liveness::MayRun))
    }

    async fn running(&self) -> Result<Option<Vec<InstanceId>>, StoreError> {
        let running = self.instances.as_ref().map(Instances::running);
        let running = running.transpose();
        running.map_err(|error| self.instance_error(error))
    }

    fn poll(&self) -> Duration {
        POLL
    }

    fn hints(&self) -> Option<watch::Receiver<u64>> {
        self.hints.clone()
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        // The old row versions go with vacuum, which is the server's own affair; they are sealed.
        Ok(())
    }
}

#[cfg(test)]
mod tests;
