//! What has changed, in the order of a server that ends transactions in another one than they began in.
//!
//! A row carries the number of the transaction that changed it last. No single number says "everything
//! before this has been told": a transaction with a smaller one may end later. So a mark is what the server
//! itself calls a snapshot: the number that was to come next, and those that were still under way. What is
//! new has one from there on, or one of those; each change is told once, however long a transaction elsewhere
//! stays open.

use sqlx::{Row as _, postgres::PgRow};

use crate::store::{
    StoreError,
    feed::{Changes, Mark, told},
    postgres::{
        PostgresStore,
        session::{Statement, ask},
    },
};

/// Where the number of the timeline begins in a mark; transactions are numbered below.
const TIMELINE: u32 = 48;

/// Both halves go by the index, in its order, so that they end at what was asked for, whatever the server
/// believes about the table.
///
/// A server that follows another one does not tell which transactions are under way, but for the oldest.
const STATEMENT: &str = "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS seen, \
       pg_is_in_recovery() AS follows), \
     mark AS MATERIALIZED (SELECT \
       (CASE WHEN follows THEN pg_snapshot_xmin(seen) ELSE pg_snapshot_xmax(seen) END)::text::bigint \
         + (CASE WHEN follows THEN 0 ELSE \
           ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint \
         END << 48) AS upto, \
       ARRAY(SELECT it::text::bigint FROM pg_snapshot_xip(seen) AS it WHERE NOT follows) AS open \
       FROM now) \
     SELECT upto, open, NULL AS id, NULL AS name, NULL AS epoch, NULL AS minting FROM mark \
     UNION ALL (SELECT NULL, NULL, id, name, epoch, minting FROM refrain.grants \
       WHERE changed >= $1 & (1::bigint << 48) - 1 AND $1 >> 48 = (SELECT upto >> 48 FROM mark) \
       ORDER BY changed LIMIT $3) \
     UNION ALL (SELECT NULL, NULL, id, name, epoch, minting FROM refrain.grants \
       WHERE changed = ANY($2) AND $1 >> 48 = (SELECT upto >> 48 FROM mark) \
       ORDER BY changed LIMIT $3)";

impl PostgresStore {
    /// A server that takes over counts on from what it has heard of, so it may give a number again that
    /// the last one has given. Its timeline is another, and then any grant may have changed.
    pub(super) async fn news(
        &self,
        since: Option<&Mark>,
        most: u32,
    ) -> Result<(Changes, Mark), StoreError> {
        let query: Statement = self.sessions.statement(STATEMENT);
        let upto = since.map(|mark| mark.upto);
        let open = since.map(|mark| mark.open.clone()).unwrap_or_default();
        let limit = i64::from(most).saturating_add(1);
        let rows = ask!(self, |c| {
            query
                .rows()
                .bind(upto)
                .bind(open.clone())
                .bind(limit)
                .fetch_all(c)
        });
        let rows = rows.await?;
        let next = self.mark(&rows)?;
        let moved = upto.is_some_and(|upto| upto >> TIMELINE != next.upto >> TIMELINE);
        let changes = if moved {
            Changes::Any
        } else {
            told(&rows, most, |error| self.error(error))?
        };
        Ok((changes, next))
    }

    fn mark(&self, rows: &[PgRow]) -> Result<Mark, StoreError> {
        for row in rows {
            let upto: Option<i64> = row.try_get("upto").map_err(|error| self.error(error))?;
            if let Some(upto) = upto {
                let open = row.try_get("open").map_err(|error| self.error(error))?;
                return Ok(Mark { upto, open });
            }
        }
        Err(self.error(sqlx::Error::RowNotFound))
    }
}
