//! Looking into a file that cannot be opened, because its disk has no room for the log and its index.
//!
//! SQLite reads no database with a log without making both, except one that it is told nobody changes. A
//! database at rest, whose last user has closed it, has neither; then everything is in the file itself,
//! and a token that lives can still be served. That nobody changes it is found out before and after:
//! whoever does needs the index, and leaves a log or a changed file.
//!
//! Such a connection takes no lock, but closing it drops those that this process holds on the file. So
//! nobody in this process opens the file properly meanwhile, and nobody looks where it is open.

use std::{fs, path::Path, time::SystemTime};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::store::{StoreError, sqlite::open::store_error};

/// The size of an index that somebody uses; a smaller one is what is left of trying to make one.
const INDEX: u64 = 32 * 1024;

/// What would change with the database.
type Seen = (u64, Option<SystemTime>);

/// Whether a file that was not opened can be looked into instead.
pub(super) fn may_look(path: &Path, error: &StoreError) -> bool {
    let no_room = matches!(error, StoreError::Full { .. } | StoreError::ReadOnly { .. });
    no_room && at_rest(path).is_some()
}

/// What the file looks like, if nobody has it open and all of it is in it.
fn at_rest(path: &Path) -> Option<Seen> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        fs::metadata(name).map_or(0, |file| file.len())
    };
    if beside("-wal") > 0 || beside("-shm") >= INDEX {
        return None;
    }
    let file = fs::metadata(path).ok()?;
    (file.len() > 0).then(|| (file.len(), file.modified().ok()))
}

/// Reads; answers why it could not be opened where what was read may not be true.
pub(super) async fn look<T, F>(
    path: &Path,
    why: StoreError,
    work: impl FnOnce(SqlitePool) -> F + Send,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, sqlx::Error>> + Send,
{
    let Some(before) = at_rest(path) else {
        return Err(why);
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .immutable(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options);
    let done = work(pool.clone()).await;
    pool.close().await;
    if at_rest(path) != Some(before) {
        return Err(why);
    }
    done.map_err(|error| store_error(path, error))
}
