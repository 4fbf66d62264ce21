//! The connections to the file: opened once, or, for as long as there is no room to open it, none.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use sqlx::SqlitePool;
use tokio::sync::{Mutex, RwLock};

use crate::{
    store::{
        StoreError,
        sqlite::{
            AGAIN, OPENING, full,
            open::{self, store_error},
        },
    },
    time::{Clock, Uptime},
};

/// How soon opening is tried again where there was no room for it.
const SOON: Duration = Duration::from_secs(1);

/// Taken by whoever opens a file properly, and shared by those who only look into one; see [`full`].
static OPENING_ONE: RwLock<()> = RwLock::const_new(());

/// One connection that writes, and some that read.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

/// The way to one file.
#[derive(Debug)]
pub(super) struct Connections {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    opened: OnceLock<Pools>,
    failed: Mutex<Option<(StoreError, Uptime)>>,
}

impl Connections {
    /// Opens the file. One that cannot be opened for want of room is looked into all the same.
    pub(super) async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let connections = Self {
            path: path.to_owned(),
            clock,
            opened: OnceLock::new(),
            failed: Mutex::default(),
        };
        match connections.pools().await {
            Err(error) if full::may_look(path, &error) => {
                tracing::warn!(
                    code = error.code(),
                    "the store is only read: it cannot be opened"
                );
            }
            opened => drop(opened?),
        }
        Ok(connections)
    }

    /// Who writes; why nobody does.
    pub(super) async fn writer(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.pools().await?.writer)
    }

    /// Who reads from the file as it should be opened.
    pub(super) async fn readers(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.pools().await?.readers)
    }

    /// Ends every connection: the log is written into the file, and goes.
    pub(super) async fn close(&self) {
        if let Some(Pools { writer, readers }) = self.opened.get() {
            readers.close().await;
            writer.close().await;
        }
    }

    /// Reads, if need be from a file that cannot be opened.
    pub(super) async fn read<T, F>(
        &self,
        work: impl FnOnce(SqlitePool) -> F + Send,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        let done = match self.pools().await {
            Ok(pools) => work(pools.readers.clone()).await,
            Err(error) if full::may_look(&self.path, &error) => {
                let _looking = OPENING_ONE.read().await;
                match self.opened.get() {
                    Some(pools) => work(pools.readers.clone()).await,
                    None => return full::look(&self.path, error, work).await,
                }
            }
            Err(error) => return Err(error),
        };
        done.map_err(|error| store_error(&self.path, error))
    }

    async fn pools(&self) -> Result<&Pools, StoreError> {
        if let Some(pools) = self.opened.get() {
            return Ok(pools);
        }
        let mut failed = self.failed.lock().await;
        if let Some(pools) = self.opened.get() {
            return Ok(pools);
        }
        if let Some((error, at)) = &*failed
            && self.clock.uptime().since(*at) < SOON
        {
            return Err(error.clone());
        }
        let _opening = OPENING_ONE.write().await;
        match self.patiently().await {
            Ok(pools) => Ok(self.opened.get_or_init(|| pools)),
            Err(error) => {
                *failed = Some((error.clone(), self.clock.uptime()));
                Err(error)
            }
        }
    }

    /// Turning the log on, and ending it with the last connection, take locks that SQLite does not wait
    /// for: of several that open or close a store at once, one may be told that it is busy.
    async fn patiently(&self) -> Result<Pools, StoreError> {
        let begin = self.clock.uptime();
        loop {
            match open::pools(&self.path).await {
                Err(StoreError::Unavailable { .. })
                    if self.clock.uptime().since(begin) < OPENING =>
                {
                    self.clock.sleep(AGAIN).await;
                }
                opened => return opened,
            }
        }
    }
}
