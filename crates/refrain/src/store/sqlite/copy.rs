//! Copies of the database: making one while others write, and looking at one that nobody else has.

use std::{path::Path, sync::Arc};

use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::{
    store::{
        StoreError, cause,
        group::Group,
        instances::Instances,
        sqlite::{GROUP, SqliteStore, connections::Connections, files, open, write},
    },
    time::Clock,
};

/// The tables that make a database a store, `api_keys` since the second layout.
const TABLES: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
     AND name IN ('store', 'grants', 'events', 'apps', 'attempts', 'api_keys')";

/// How long the file has to be.
const LENGTH: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// What a sound file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The store's own name.
    pub(crate) deployment: Vec<u8>,
    /// How many grants.
    pub(crate) grants: i64,
}

impl SqliteStore {
    /// Opens a file that this process alone knows of, without making it known to anybody.
    pub(crate) async fn open_alone(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let connections = Arc::new(Connections::open(path, Arc::clone(&clock)).await?);
        let engine = write::Writer::new(path, &connections);
        Ok(Self {
            path: path.to_owned(),
            instances: Instances::new(files::instances(path), clock.boot(), true),
            gate: None,
            clock,
            group: Group::start(Arc::new(engine), GROUP),
            connections,
        })
    }

    /// Ends every connection: the log is written into the file, and goes.
    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    /// Writes the state of one instant into an empty file, while others go on writing.
    pub(crate) async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let name = file.to_str().ok_or_else(|| StoreError::Unsuitable {
            place: file.display().to_string(),
            why: "its name is not UTF-8".to_owned(),
        })?;
        sqlx::query("VACUUM INTO ?")
            .bind(name)
            .execute(self.connections.writer().await?)
            .await
            .map_err(|error| open::store_error(file, error))?;
        Ok(())
    }

    /// What the store holds now.
    pub(crate) async fn contents(&self) -> Result<Contents, StoreError> {
        let error = |error| self.error(error);
        let readers = self.connections.readers().await?;
        let mut connection = readers.acquire().await.map_err(error)?;
        contents(&self.path, &mut connection).await
    }
}

/// Looks at a closed file without changing it: every page, the layout, and what is in it.
pub(crate) async fn inspect(path: &Path) -> Result<Contents, StoreError> {
    let error = |error| open::store_error(path, error);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .immutable(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(error)?;
    let looked = look(path, &mut connection).await;
    connection.close().await.map_err(error)?;
    looked
}

async fn look(path: &Path, connection: &mut SqliteConnection) -> Result<Contents, StoreError> {
    let error = |error| open::store_error(path, error);
    let layout: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(error)?;
    let tables: i64 = sqlx::query_scalar(TABLES)
        .fetch_one(&mut *connection)
        .await
        .map_err(error)?;
    let expected = if layout < 2 { 5 } else { 6 };
    if layout < 1 || tables < expected {
        return Err(damaged(path, "it is a database, and none of refrain's"));
    }
    if layout > open::known() {
        return Err(StoreError::Newer {
            place: path.display().to_string(),
            found: layout,
            known: open::known(),
        });
    }
    whole(path, connection).await?;
    contents(path, connection).await
}

/// Makes sure that every page is there and sound.
async fn whole(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let error = |error| open::store_error(path, error);
    let complaints: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
        .fetch_all(&mut *connection)
        .await
        .map_err(error)?;
    if complaints != ["ok"] {
        return Err(damaged(path, &complaints.join("; ")));
    }
    // SQLite takes what is missing of the last page for zeros.
    let length: i64 = sqlx::query_scalar(LENGTH)
        .fetch_one(connection)
        .await
        .map_err(error)?;
    let file = std::fs::metadata(path).map_err(|error| files::io_error(path, error))?;
    if file.len() < length.unsigned_abs() {
        return Err(damaged(path, "its end is missing"));
    }
    Ok(())
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Damaged {
        place: path.display().to_string(),
        source: cause(why),
    }
}

async fn contents(path: &Path, connection: &mut SqliteConnection) -> Result<Contents, StoreError> {
    use sqlx::Row as _;
    let statement = "SELECT deployment, (SELECT count(*) FROM grants) AS grants FROM store";
    let row: Option<SqliteRow> = sqlx::query(statement)
        .fetch_optional(connection)
        .await
        .map_err(|error| open::store_error(path, error))?;
    let Some(row) = row else {
        return Err(damaged(path, "it is an empty store"));
    };
    let error = |error| open::store_error(path, error);
    Ok(Contents {
        deployment: row.try_get("deployment").map_err(error)?,
        grants: row.try_get("grants").map_err(error)?,
    })
}
