//! Opening the database: the address, what the server must promise, and the layout.

use std::{borrow::Cow, fs::File, str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use url::Url;

use crate::{
    config::PostgresUrl,
    store::{
        StoreError,
        postgres::session::{Effect, READ, Sessions, still_works},
    },
};

/// The layouts, oldest first; an applied one is never edited.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_api_keys.sql"),
    include_str!("../../../migrations/postgres/0003_limits.sql"),
    include_str!("../../../migrations/postgres/0004_links.sql"),
    include_str!("../../../migrations/postgres/0005_sessions.sql"),
    include_str!("../../../migrations/postgres/0006_notices.sql"),
    include_str!("../../../migrations/postgres/0007_incarnation.sql"),
];
/// Held, for the length of a transaction, by whoever changes the layout.
const LAYOUT_LOCK: i64 = 0x7265_6672_6169_6e00;
/// How long the layout may take to change.
const LAYOUT_PATIENCE: Duration = Duration::from_secs(60);
/// So many sessions a process at most, and one more that listens.
const SESSIONS: u32 = 6;
/// How long the server itself works on a statement that nobody may be waiting for any more: behind a
/// lock, the statements of those who have given up would otherwise take up all its sessions.
const STATEMENT: &str = "5s";
/// The oldest server that is known to work.
const OLDEST: i32 = 15;

/// What an address may say behind the question mark.
const PARAMETERS: [&str; 13] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Those of them that name a file.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// What a server says of itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its version: 150018 is 15.18.
    pub version: i32,
    /// Whether a commit waits for the disk: `synchronous_commit`.
    pub synchronous_commit: String,
    /// Whether the disk is asked to write at all.
    pub fsync: bool,
    /// Whether it follows another server and takes no writes.
    pub in_recovery: bool,
}

/// Reads the address; connects when there is something to ask.
pub(super) fn sessions(url: &PostgresUrl) -> Result<Sessions, StoreError> {
    let place = url.to_string();
    let unsuitable = |why: String| StoreError::Unsuitable {
        place: place.clone(),
        why,
    };
    // Checked here: the driver would put what it does not know into the log, value and all.
    let parsed = Url::parse(url.expose()).map_err(|_| unsuitable("it is no address".to_owned()))?;
    for (key, value) in parsed.query_pairs() {
        if !PARAMETERS.contains(&key.as_ref()) {
            return Err(unsuitable(format!("its parameter {key:?} is not known")));
        }
        // Said before anybody is connected to; the driver would not name the parameter.
        if FILES.contains(&key.as_ref())
            && let Err(error) = File::open(value.as_ref())
        {
            return Err(unsuitable(format!(
                "the file of its parameter {key:?} cannot be read: {error}"
            )));
        }
    }
    let uncached = |(key, value): &(_, Cow<'_, str>)| {
        matches!(key, Cow::Borrowed("statement-cache-capacity")) && value == "0"
    };
    let pooled = parsed.query_pairs().any(|pair| uncached(&pair));
    // The driver's words may repeat the value, which may be a password.
    let options = PgConnectOptions::from_str(url.expose())
        .map_err(|_| unsuitable("one of its parameters has a value that makes no sense".into()))?
        .disable_statement_logging();
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("refrain"),
    };
    let options = if pooled {
        // A pooler refuses what it would have to remember for each session.
        options.extra_float_digits(None)
    } else {
        options.options([("statement_timeout", STATEMENT)])
    };
    let pool = pool(SESSIONS).connect_lazy_with(options);
    Ok(Sessions::new(pool, place, pooled))
}

/// A pool of so many sessions, which makes nobody wait for longer than a read may take.
pub(super) fn pool(sessions: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(sessions)
        .acquire_timeout(READ)
        .idle_timeout(Duration::from_secs(600))
        .test_before_acquire(false)
        .before_acquire(|connection, about| Box::pin(still_works(connection, about.idle_for)))
}

pub(super) async fn settings(sessions: &Sessions) -> Result<Settings, StoreError> {
    let query = "SELECT current_setting('server_version_num')::int, \
                 current_setting('synchronous_commit'), current_setting('fsync')::boolean, \
                 pg_is_in_recovery()";
    let row: (i32, String, bool, bool) = sessions
        .read(Box::new(move |connection| {
            Box::pin(
                sqlx::query_as(query)
                    .persistent(false)
                    .fetch_one(connection),
            )
        }))
        .await?;
    let (version, synchronous_commit, fsync, in_recovery) = row;
    Ok(Settings {
        version,
        synchronous_commit,
        fsync,
        in_recovery,
    })
}

/// A server that forgets what it has acknowledged would lose rotated tokens.
pub(super) fn check(settings: &Settings, sessions: &Sessions) -> Result<(), StoreError> {
    let why = if settings.version / 10_000 < OLDEST {
        let version = settings.version / 10_000;
        format!("it is PostgreSQL {version}, and {OLDEST} is the oldest that is known to work")
    } else if settings.synchronous_commit == "off" {
        "its synchronous_commit is off, so that a crash could lose a token that it has acknowledged; \
         set it to on for this user or database"
            .to_owned()
    } else if !settings.fsync {
        "its fsync is off, so that a power cut could destroy every token in it".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::Unsuitable {
        place: sessions.place().to_owned(),
        why,
    })
}

/// The newest layout.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The database's layout; 0 where there is none yet.
pub(super) async fn layout(sessions: &Sessions) -> Result<i64, StoreError> {
    sessions
        .read(Box::new(|connection| Box::pin(found(connection))))
        .await
}

async fn found(connection: &mut sqlx::PgConnection) -> Result<i64, sqlx::Error> {
    let there = "SELECT to_regclass('refrain.layout') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(there)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?
    {
        return Ok(0);
    }
    let layout = "SELECT coalesce(max(layout), 0) FROM refrain.layout";
    sqlx::query_scalar(layout)
        .persistent(false)
        .fetch_one(connection)
        .await
}

/// Brings the layout up to date; of several nodes that try, one does it and the rest find it done.
pub(super) async fn migrate(sessions: &Sessions) -> Result<(), StoreError> {
    let known = known();
    let mut found = layout(sessions).await?;
    if found != known {
        found = sessions
            .run(
                LAYOUT_PATIENCE,
                Effect::Some,
                Box::new(move |connection| Box::pin(bring_up_to_date(connection, known))),
            )
            .await?;
    }
    if found > known {
        return Err(StoreError::Newer {
            place: sessions.place().to_owned(),
            found,
            known,
        });
    }
    sessions
        .run(
            LAYOUT_PATIENCE,
            Effect::Some,
            Box::new(|connection| Box::pin(settle(connection))),
        )
        .await
}

/// Transactions are numbered by the server: rows that came from another one by way of a dump must not
/// count as changed until its numbers have caught up.
async fn settle(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    let ahead = "SELECT EXISTS (SELECT 1 FROM refrain.grants \
                 WHERE changed > pg_snapshot_xmax(pg_current_snapshot())::text::bigint)";
    if sqlx::query_scalar(ahead)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?
    {
        let settle = "UPDATE refrain.grants SET changed = 0 \
                      WHERE changed > pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        let mut transaction = patient(connection).await?;
        sqlx::query(settle)
            .persistent(false)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A transaction whose statements may take as long as a change of the layout.
async fn patient(
    connection: &mut sqlx::PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let patience = format!(
        "SET LOCAL statement_timeout = '{}s'",
        LAYOUT_PATIENCE.as_secs()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(patience))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

/// Applies what is missing; answers the layout that was found.
async fn bring_up_to_date(
    connection: &mut sqlx::PgConnection,
    known: i64,
) -> Result<i64, sqlx::Error> {
    let mut transaction = patient(connection).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .persistent(false)
        .bind(LAYOUT_LOCK)
        .execute(&mut *transaction)
        .await?;
    let layout = found(&mut transaction).await?;
    if layout > known {
        return Ok(layout);
    }
    let missing = MIGRATIONS
        .into_iter()
        .skip(usize::try_from(layout).unwrap_or(0));
    for migration in missing {
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM refrain.layout")
        .persistent(false)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO refrain.layout (layout) VALUES ($1)")
        .persistent(false)
        .bind(known)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(layout)
}
