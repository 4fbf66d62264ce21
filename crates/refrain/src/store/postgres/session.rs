//! Sessions with the server: each piece of work has its patience, and none leaves a session behind that
//! somebody else would have to wait for.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, PgPool, pool::PoolConnection};
use tokio::time::{Sleep, sleep};

use crate::{
    store::{StoreError, cause},
    time::BoxFuture,
};

/// How long a piece of work may take, with the time until there is a session for it. Real time, as the
/// driver's own: it measures a server that hangs, and decides nothing about any token.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What is done in one session.
type Work<T> =
    Box<dyn for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send>;

/// Connections to one database.
#[derive(Debug)]
pub(super) struct Sessions {
    pool: PgPool,
    place: String,
    pooled: bool,
}

/// `ask!(store, |c| query.fetch_one(c))`: runs one query in a session.
macro_rules! ask {
    ($store:expr, |$connection:ident| $query:expr) => {
        $store
            .sessions
            .run(Box::new(move |$connection| Box::pin($query)))
    };
}
pub(super) use ask;

impl Sessions {
    /// Where the address turns the statement cache off, there is a pooler in between.
    pub(super) fn new(pool: PgPool, place: String, pooled: bool) -> Self {
        Self {
            pool,
            place,
            pooled,
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn pooled(&self) -> bool {
        self.pooled
    }

    /// Does a piece of work, in a task of its own: a caller who hangs up must not leave a session in the
    /// middle of an answer.
    pub(super) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T, StoreError> {
        self.run_for(PATIENCE, work).await
    }

    /// The same with another patience.
    pub(super) async fn run_for<T: Send + 'static>(
        &self,
        patience: Duration,
        work: Work<T>,
    ) -> Result<T, StoreError> {
        let (pool, pooled) = (self.pool.clone(), self.pooled);
        let task = tokio::spawn(async move {
            let mut patience = pin!(sleep(patience));
            let connection = tokio::select! {
                connection = pool.acquire() => connection?,
                () = &mut patience => return Err(Failed::Slow),
            };
            within(patience, connection, pooled, work).await
        });
        match task.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failed::Database(error))) => Err(self.error(error)),
            Ok(Err(Failed::Slow)) => Err(self.unavailable("it does not answer")),
            Err(_) => Err(self.unavailable("the program is ending")),
        }
    }

    pub(super) fn error(&self, error: sqlx::Error) -> StoreError {
        super::open::store_error(&self.place, error)
    }

    fn unavailable(&self, why: &str) -> StoreError {
        StoreError::Unavailable {
            place: self.place.clone(),
            source: cause(why),
        }
    }
}

enum Failed {
    Database(sqlx::Error),
    Slow,
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn within<T>(
    patience: Pin<&mut Sleep>,
    mut connection: PoolConnection<sqlx::Postgres>,
    pooled: bool,
    work: Work<T>,
) -> Result<T, Failed> {
    let work = async {
        if !pooled {
            return work(&mut connection).await;
        }
        // A pooler may answer each statement by another session; within a transaction it may not.
        let mut transaction = connection.begin().await?;
        let done = work(&mut transaction).await?;
        transaction.commit().await?;
        Ok(done)
    };
    let done = tokio::select! {
        done = work => Some(done),
        () = patience => None,
    };
    match done {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => {
            if !matches!(error, sqlx::Error::Database(_) | sqlx::Error::RowNotFound) {
                drop(connection.detach());
            }
            Err(error.into())
        }
        None => {
            // In the middle of an answer that may never come: nobody is to have it after us.
            drop(connection.detach());
            Err(Failed::Slow)
        }
    }
}

/// Whether a session that has idled still works is found out before it is used: the server may have been
/// started anew.
pub(super) async fn still_works(
    connection: &mut PgConnection,
    idle: Duration,
) -> Result<bool, sqlx::Error> {
    if idle > Duration::from_secs(1) {
        connection.ping().await?;
    }
    Ok(true)
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let pool = self.pool.clone();
        // Says good-bye to the server where there still is a runtime to do so.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { pool.close().await });
        }
    }
}
