//! Durable refreshes per second, beside one row per commit.
//!
//! A refresh is two durable writes: the intent, and the answer with its line of the story. The baseline
//! makes the same writes of the same size to the same engine, each row in a transaction of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use refrain::{
    config::PostgresUrl,
    lifecycle::{Change, Event, event::What},
    store::{Store, Written, contract::full_row, postgres::PostgresStore, sqlite::SqliteStore},
    time::{Clock, SystemClock, UnixMillis},
};
use sqlx::{
    ConnectOptions as _, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::task::JoinSet;

use crate::{cluster::Cluster, line};

const IN_FLIGHT: u32 = 64;
const EACH: u32 = 10;
const ROUNDS: usize = 7;
/// What a row holds: sealed tokens and a little JSON.
const ROW: usize = 1200;
const EVENT: usize = 250;

pub async fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = SqliteStore::open(&folder.path().join("refrain.db"), Arc::clone(&clock)).await;
    let store = store.expect("a store");
    store.prepare().await.expect("a store");
    let plain = sqlite(&folder.path().join("plain.db")).await;
    compare(
        "durable refresh, SQLite, 64 in flight",
        plain,
        Arc::new(store),
    )
    .await;

    let cluster = Cluster::start();
    let url = PostgresUrl::parse(&cluster.database()).expect("an address");
    let store = PostgresStore::open(&url, clock.as_ref(), None)
        .await
        .expect("a store");
    store.prepare().await.expect("a store");
    let plain = postgres(&cluster.database()).await;
    compare(
        "durable refresh, PostgreSQL, 64 in flight",
        plain,
        Arc::new(store),
    )
    .await;
}

#[derive(Clone)]
enum Plain {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

async fn compare(what: &str, plain: Plain, store: Arc<dyn Store>) {
    for number in 0..IN_FLIGHT {
        let inserted = store.insert(&change(number)).await;
        assert!(matches!(inserted.expect("a row"), Written::Durably(_)));
    }
    let (mut baseline, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        baseline.push(one_by_one(&plain).await);
        ours.push(together(&store).await);
    }
    line(what, &mut baseline, &mut ours, IN_FLIGHT * EACH);
}

fn change(number: u32) -> Change {
    let row = full_row(&format!("user-{number}"));
    Change {
        row,
        events: Vec::new(),
        forgets: false,
    }
}

async fn together(store: &Arc<dyn Store>) -> Duration {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..IN_FLIGHT {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let name = format!("user-{number}").parse().expect("a name");
            let seen = store.grant(&name).await.expect("a row").expect("a row");
            let (mut row, mut version) = (seen.value, seen.version);
            for _ in 0..EACH {
                for commits in [false, true] {
                    row.fence = row.fence.next();
                    let mut events = Vec::new();
                    if commits {
                        row.minting = row.minting.next();
                        let what = What::Recovered;
                        events.push(Event {
                            at: UnixMillis(0),
                            epoch: row.epoch,
                            what,
                        });
                    }
                    let change = Change {
                        row: row.clone(),
                        events,
                        forgets: false,
                    };
                    version = match store.replace(version, &change).await.expect("a write") {
                        Written::Durably(version) => version,
                        Written::Conflict => panic!("nobody else writes"),
                    };
                }
            }
        });
    }
    tasks.join_all().await;
    begin.elapsed()
}

async fn one_by_one(plain: &Plain) -> Duration {
    static VERSION: AtomicU32 = AtomicU32::new(1);
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..IN_FLIGHT {
        let plain = plain.clone();
        tasks.spawn(async move {
            for _ in 0..EACH {
                for commits in [false, true] {
                    let version = VERSION.fetch_add(1, Ordering::Relaxed);
                    plain
                        .write(i64::from(number), i64::from(version), commits)
                        .await;
                }
            }
        });
    }
    tasks.join_all().await;
    begin.elapsed()
}

impl Plain {
    async fn write(&self, id: i64, version: i64, with_event: bool) {
        macro_rules! write {
            ($pool:expr, $begin:literal, $update:literal, $insert:literal) => {{
                let mut transaction = $pool.begin_with($begin).await.expect("a transaction");
                sqlx::query($update)
                    .bind(version)
                    .bind(vec![7_u8; ROW])
                    .bind(id)
                    .execute(&mut *transaction)
                    .await
                    .expect("a write");
                if with_event {
                    sqlx::query($insert)
                        .bind(id)
                        .bind("x".repeat(EVENT))
                        .execute(&mut *transaction)
                        .await
                        .expect("a write");
                }
                transaction.commit().await.expect("a commit");
            }};
        }
        match self {
            Self::Sqlite(pool) => write!(
                pool,
                "BEGIN IMMEDIATE",
                "UPDATE plain SET version = ?, body = ? WHERE id = ?",
                "INSERT INTO told (id, event) VALUES (?, ?)"
            ),
            Self::Postgres(pool) => write!(
                pool,
                "BEGIN",
                "UPDATE plain SET version = $1, body = $2 WHERE id = $3",
                "INSERT INTO told (id, event) VALUES ($1, $2)"
            ),
        }
    }
}

async fn sqlite(path: &std::path::Path) -> Plain {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    let pool = pool.expect("a database");
    sqlx::raw_sql(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, version INTEGER, body BLOB) STRICT;
         CREATE TABLE told (id INTEGER, event TEXT) STRICT;",
    )
    .execute(&pool)
    .await
    .expect("tables");
    for number in 0..IN_FLIGHT {
        let insert = sqlx::query("INSERT INTO plain (id) VALUES (?)").bind(number);
        insert.execute(&pool).await.expect("a row");
    }
    Plain::Sqlite(pool)
}

/// As many sessions as a program with a pool of the usual size has.
async fn postgres(url: &str) -> Plain {
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("an address");
    let options = options.disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .connect_with(options)
        .await;
    let pool = pool.expect("a database");
    sqlx::raw_sql(
        "CREATE TABLE plain (id bigint PRIMARY KEY, version bigint, body bytea);
         CREATE TABLE told (id bigint, event text);",
    )
    .execute(&pool)
    .await
    .expect("tables");
    for number in 0..IN_FLIGHT {
        let insert = sqlx::query("INSERT INTO plain (id) VALUES ($1)").bind(i64::from(number));
        insert.execute(&pool).await.expect("a row");
    }
    Plain::Postgres(pool)
}
