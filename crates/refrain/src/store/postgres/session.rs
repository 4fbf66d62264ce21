//! Sessions with the server: each piece of work has its patience, and none leaves a session behind that
//! somebody else would have to wait for.
//!
//! A session that has died is found out by the work that gets it. A read is then done once more in a
//! fresh one, because it has no effect; a write is not, because nobody knows whether it has happened:
//! its asker reads back.

use std::time::Duration;

use sqlx::{
    Connection as _, FromRow, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::{Query, QueryAs, QueryScalar},
};
use tokio::time::{sleep, timeout};

use crate::{
    store::{StoreError, cause, postgres::error},
    time::BoxFuture,
};

/// How long a read may take, with the time until there is a session for it. Real time, as the driver's
/// own: it measures a server that hangs, and decides nothing about any token.
pub(super) const READ: Duration = Duration::from_secs(2);
/// How long a write may take: a disk's time, and a busy server's.
pub(super) const WRITE: Duration = Duration::from_secs(5);
/// So often a write is repeated that the server has undone to please another.
const REPEATED: u32 = 5;

/// What is done in one session. It may be done again, so it takes nothing with it.
type Work<T> = Box<
    dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
>;

/// Connections to one database.
#[derive(Debug)]
pub(super) struct Sessions {
    pool: PgPool,
    place: String,
    pooled: bool,
}

/// `ask!(store, |c| query.fetch_one(c))`: reads with one query, in a session.
macro_rules! ask {
    ($store:expr, |$connection:ident| $query:expr) => {
        $store
            .sessions
            .read(Box::new(move |$connection| Box::pin($query)))
    };
}
pub(super) use ask;

/// `tell!(store, |c| query.execute(c))`: writes with one query, in a session.
macro_rules! tell {
    ($store:expr, |$connection:ident| $query:expr) => {
        $store
            .sessions
            .write(Box::new(move |$connection| Box::pin($query)))
    };
}
pub(super) use tell;

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

    /// Reads, within two seconds.
    pub(super) async fn read<T: Send + 'static>(&self, work: Work<T>) -> Result<T, StoreError> {
        self.run(READ, Effect::None, work).await
    }

    /// Writes, within five seconds.
    pub(super) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T, StoreError> {
        self.run(WRITE, Effect::Some, work).await
    }

    /// Does a piece of work, in a task of its own: a caller who hangs up must not leave a session in the
    /// middle of an answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        effect: Effect,
        work: Work<T>,
    ) -> Result<T, StoreError> {
        let (pool, pooled) = (self.pool.clone(), self.pooled);
        let task = tokio::spawn(async move {
            let done = timeout(patience, persistently(&pool, pooled, effect, &work)).await;
            if done.is_err() {
                // What hangs in one session may hang in all: the next begins afresh.
                distrust(&pool);
            }
            done
        });
        match task.await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(self.error(error)),
            Ok(Err(_)) => Err(self.unavailable("it does not answer")),
            Err(_) => Err(self.unavailable("the program is ending")),
        }
    }

    /// One of our statements, as it is to be sent here.
    pub(super) fn statement(&self, text: &'static str) -> Statement {
        Statement {
            text,
            prepared: !self.pooled,
        }
    }

    pub(super) fn error(&self, error: sqlx::Error) -> StoreError {
        error::store_error(&self.place, error)
    }

    fn unavailable(&self, why: &str) -> StoreError {
        StoreError::Unavailable {
            place: self.place.clone(),
            source: cause(why),
        }
    }
}

/// One of our statements. It is prepared once in each session, except behind a pooler: there the driver
/// would give it a name all the same, which another session does not know, or knows already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    text: &'static str,
    prepared: bool,
}

impl Statement {
    pub(super) fn rows(self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(self.text).persistent(self.prepared)
    }

    pub(super) fn scalar<T>(self) -> QueryScalar<'static, Postgres, T, PgArguments>
    where
        (T,): for<'r> FromRow<'r, PgRow>,
    {
        sqlx::query_scalar(self.text).persistent(self.prepared)
    }

    pub(super) fn columns<T>(self) -> QueryAs<'static, Postgres, T, PgArguments>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        sqlx::query_as(self.text).persistent(self.prepared)
    }
}

/// Whether a piece of work changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    None,
    /// It writes.
    Some,
}

/// Does the work again where that is of use and cannot happen twice.
async fn persistently<T>(
    pool: &PgPool,
    pooled: bool,
    effect: Effect,
    work: &Work<T>,
) -> Result<T, sqlx::Error> {
    let mut afresh = effect == Effect::None;
    let mut repeated = 0;
    loop {
        let lent = Lent(Some(pool.acquire().await?));
        match once(lent, pooled, work).await {
            Err(error) if error::is_dead(&error) => {
                // The server was started anew, or another one has taken over: the others are dead too.
                distrust(pool);
                if !std::mem::take(&mut afresh) {
                    return Err(error);
                }
            }
            // The server says that it has done nothing.
            Err(error) if error::is_undone(&error) && repeated < REPEATED => {
                repeated += 1;
                sleep(Duration::from_millis(5).saturating_mul(repeated)).await;
            }
            done => return done,
        }
    }
}

async fn once<T>(mut lent: Lent, pooled: bool, work: &Work<T>) -> Result<T, sqlx::Error> {
    let Some(connection) = lent.0.as_mut() else {
        return Err(sqlx::Error::PoolClosed);
    };
    let done = if pooled {
        in_transaction(connection, work).await
    } else {
        work(connection).await
    };
    match &done {
        Err(error) if !matches!(error, sqlx::Error::Database(_) | sqlx::Error::RowNotFound) => {}
        Err(error) if error::is_dead(error) => {}
        _ => lent.give_back(),
    }
    done
}

/// A pooler may answer each statement by another session; within a transaction it may not.
async fn in_transaction<T>(
    connection: &mut PgConnection,
    work: &Work<T>,
) -> Result<T, sqlx::Error> {
    // A session of the pooler is everybody's: what is set goes with the transaction.
    let begin = "BEGIN; SET LOCAL statement_timeout = '5s'";
    let mut transaction = connection.begin_with(begin).await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// A session that is thrown away unless it is given back: in the middle of an answer that may never come
/// it is nobody's to have next. That frees its place at once.
struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    /// Gives it back behind the caller's back, who has his answer. The pool tries it first, and would
    /// wait for a server that hangs, with the session's place taken.
    fn give_back(mut self) {
        if let Some(mut connection) = self.0.take() {
            tokio::spawn(async move { timeout(READ, connection.return_to_pool()).await });
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// Throws away the sessions that idle.
fn distrust(pool: &PgPool) {
    while let Some(idle) = pool.try_acquire() {
        drop(idle.detach());
    }
}

/// Whether a session that has idled still works is found out before it is used, so that a write seldom
/// meets a dead one.
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
