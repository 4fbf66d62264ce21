//! Opening the file: settings, layout, and what SQLite's errors mean.

use std::{path::Path, sync::Arc};

use sqlx::{
    Connection as _, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::store::{
    StoreError,
    sqlite::{BUSY, connections::Pools, files},
};

/// The layouts, oldest first; an applied one is never edited.
pub(super) const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_api_keys.sql"),
    include_str!("../../../migrations/sqlite/0003_limits.sql"),
    include_str!("../../../migrations/sqlite/0004_links.sql"),
    include_str!("../../../migrations/sqlite/0005_sessions.sql"),
    include_str!("../../../migrations/sqlite/0006_notices.sql"),
    include_str!("../../../migrations/sqlite/0007_incarnation.sql"),
];

/// Opens the file. Its connections stay: with the last of them log and index go, and where the disk has
/// filled up meanwhile they could not be made again.
pub(super) async fn pools(path: &Path) -> Result<Pools, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        // What is deleted is overwritten: a sealed token of a signed-out user leaves no copy behind.
        .pragma("secure_delete", "ON");
    let error = |error| store_error(path, error);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(BUSY)
        // SQLite ends a transaction by itself when the disk is full, and the rollback that follows then
        // fails: sqlx counts such a connection as in a transaction for ever. Another one is opened.
        .before_acquire(|connection, _| {
            let idle = !connection.is_in_transaction();
            Box::pin(async move { Ok(idle) })
        })
        .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
        .await
        .map_err(error)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(BUSY)
        .connect_lazy_with(options.read_only(false).pragma("query_only", "ON"));
    Ok(Pools { writer, readers })
}

/// The newest layout.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the layout up to date; of several processes that try, one does it and the rest find it done.
pub(super) async fn migrate(path: &Path, writer: &SqlitePool) -> Result<(), StoreError> {
    let error = |error| store_error(path, error);
    let known = MIGRATIONS.len();
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
    let found = user_version(&mut *transaction).await.map_err(error)?;
    let done = usize::try_from(found).unwrap_or(0);
    if done > known {
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        return Err(StoreError::Newer {
            place: path.display().to_string(),
            found,
            known,
        });
    }
    for (layout, migration) in MIGRATIONS.into_iter().enumerate().skip(done) {
        sqlx::raw_sql(migration)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        // A pragma takes no parameter; the number is our own.
        let mark = format!("PRAGMA user_version = {}", layout.saturating_add(1));
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark))
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
    }
    transaction.commit().await.map_err(error)
}

/// The file's layout; 0 for an empty one.
pub(super) async fn user_version<'e>(
    executor: impl sqlx::Executor<'e, Database = sqlx::Sqlite>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(executor)
        .await
}

/// Says what a database error means for its user.
pub(super) fn store_error(path: &Path, error: sqlx::Error) -> StoreError {
    let place = path.display().to_string();
    let code = match &error {
        sqlx::Error::Database(database) => database
            .try_downcast_ref::<SqliteError>()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<u32>().ok()),
        sqlx::Error::Io(io) => return files::io_error(path, std::io::Error::from(io.kind())),
        _ => None,
    };
    let source = Arc::new(error);
    // The low byte is the primary result code (sqlite.org/rescode.html).
    match code.map(|code| code & 0xff) {
        // SHMSIZE: no room for the index beside the log.
        _ if code == Some(4874) => StoreError::Full { place, source },
        Some(8) => StoreError::ReadOnly { place, source },
        Some(13) => StoreError::Full { place, source },
        Some(1 | 11 | 26) => StoreError::Damaged { place, source },
        Some(14) if path.is_dir() => StoreError::Unsuitable {
            place,
            why: "it is a folder".to_owned(),
        },
        // READONLY may also come as CANTOPEN: the folder refuses the log beside the file.
        Some(14) if !files::folder_is_writable(path) => StoreError::ReadOnly { place, source },
        _ => StoreError::Unavailable { place, source },
    }
}
