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

/// The tables that make a database a store.
const TABLES: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
     AND name IN ('store', 'grants', 'events', 'apps', 'attempts')";

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
            instances: Instances::new(files::instances(path), clock.boot()),
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
    let place = || path.display().to_string();
    let layout: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(error)?;
    let tables: i64 = sqlx::query_scalar(TABLES)
        .fetch_one(&mut *connection)
        .await
        .map_err(error)?;
    if layout < 1 || tables < 5 {
        let source = cause("it is a database, and none of refrain's");
        let place = place();
        return Err(StoreError::Damaged { place, source });
    }
    if layout > open::known() {
        return Err(StoreError::Newer {
            place: place(),
            found: layout,
            known: open::known(),
        });
    }
    let complaints: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
        .fetch_all(&mut *connection)
        .await
        .map_err(error)?;
    if complaints != ["ok"] {
        let source = cause(&complaints.join("; "));
        let place = place();
        return Err(StoreError::Damaged { place, source });
    }
    contents(path, connection).await
}

async fn contents(path: &Path, connection: &mut SqliteConnection) -> Result<Contents, StoreError> {
    use sqlx::Row as _;
    let statement = "SELECT deployment, (SELECT count(*) FROM grants) AS grants FROM store";
    let row: Option<SqliteRow> = sqlx::query(statement)
        .fetch_optional(connection)
        .await
        .map_err(|error| open::store_error(path, error))?;
    let Some(row) = row else {
        let source = cause("it is an empty store");
        let place = path.display().to_string();
        return Err(StoreError::Damaged { place, source });
    };
    let error = |error| open::store_error(path, error);
    Ok(Contents {
        deployment: row.try_get("deployment").map_err(error)?,
        grants: row.try_get("grants").map_err(error)?,
    })
}
