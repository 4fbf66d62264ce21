//! What was told, and deliveries, in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Sqlite, Transaction};

use crate::{
    access::Grants,
    id::GrantName,
    notice::{Delivery, Message, Target, TargetId, delivery::Settled},
    store::{
        NewsMark, NewsPage, Notices, Store as _, StoreError, Telling, notice_record,
        record::{integer, json},
        sqlite::{Bound, SqliteStore},
    },
    time::UnixMillis,
};

/// The index ends it where it has what was asked for, and begins where the last page has ended.
pub(super) const NEWS: &str = "SELECT g.id, g.version, g.name, g.app, g.epoch, g.generation, g.minting, g.fence, \
     g.status, g.reauthorize_by, g.armed, g.master_key, g.data_key, g.refresh_token, g.access_token, \
     g.rest, g.look_at, t.version AS told_version, t.epoch AS told_epoch, t.standing AS told_standing, \
     t.days AS told_days \
     FROM grants AS g LEFT JOIN told AS t ON t.grant_id = g.id \
     WHERE g.look_at <= ?1 AND (g.look_at, g.name) > (?2, ?3) ORDER BY g.look_at, g.name LIMIT ?4";

const DELIVERIES: &str = "SELECT * FROM notices WHERE number < ?1 ORDER BY number DESC LIMIT ?2";

pub(super) const DELIVERIES_OF: &str = "SELECT * FROM notices WHERE number < ?1 \
     AND grant_name IN (SELECT value FROM json_each(?3)) ORDER BY number DESC LIMIT ?2";

const TELL_FIRST: &str = "INSERT INTO told (grant_id, version, epoch, standing, days) \
     VALUES (?1, 1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

const TELL: &str = "UPDATE told SET version = version + 1, epoch = ?2, standing = ?3, days = ?4 \
     WHERE grant_id = ?1 AND version = ?5";

const SEND: &str = "INSERT INTO notices (message, kind, grant_id, grant_name, body, target, place, \
     made_at, attempts, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?8)";

/// Deliveries to a place that nobody has.
macro_rules! free {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "SELECT number FROM notices WHERE target = ?1 AND next_at <= ?2 \
             AND (leased_until IS NULL OR leased_era <> ?3 OR leased_until <= ?4) \
             AND NOT EXISTS (SELECT 1 FROM notices_refused AS r WHERE r.target = ?1) \
             ORDER BY next_at LIMIT ?5",
            $after
        )
    };
}

const CLAIM: &str = free!(
    "UPDATE notices SET attempts = attempts + 1, leased_era = ?3, leased_until = ?6 WHERE number IN (",
    ") RETURNING *"
);

const SETTLE: &str = "UPDATE notices SET outcome = ?3, next_at = ?4, delivered_at = ?5, \
     given_up_at = ?6, leased_until = NULL WHERE number = ?1 AND attempts = ?2 AND next_at IS NOT NULL";

const NAME: &str = "INSERT INTO notices_targets (target, place, named_at) VALUES (?1, ?2, ?3) \
     ON CONFLICT (target) DO UPDATE SET named_at = max(named_at, excluded.named_at)";

#[async_trait]
impl Notices for SqliteStore {
    async fn notices_since(&self, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let since = async || {
            let query = sqlx::query_scalar("SELECT at FROM notices_since WHERE id = 1");
            let read = |pool| async move { query.fetch_optional(&pool).await };
            self.connections.read(read).await
        };
        // Asked every few seconds: nobody who writes waits for that.
        if let Some(at) = since().await? {
            return Ok(UnixMillis(at));
        }
        let insert = "INSERT INTO notices_since (id, at) VALUES (1, ?) ON CONFLICT DO NOTHING";
        self.execute(sqlx::query(insert).bind(now.0)).await?;
        Ok(since().await?.map_or(now, UnixMillis))
    }

    async fn news(
        &self,
        now: UnixMillis,
        after: Option<&NewsMark>,
        most: u32,
    ) -> Result<NewsPage, StoreError> {
        let (at, name) = notice_record::behind(after);
        let query = sqlx::query(NEWS).bind(now.0).bind(at).bind(name).bind(most);
        notice_record::news(&self.fetch(query).await?)
    }

    async fn look_later(&self, grants: &[GrantName], at: UnixMillis) -> Result<(), StoreError> {
        let names: Vec<&str> = grants.iter().map(GrantName::as_str).collect();
        let statement = "UPDATE grants SET look_at = ?1 WHERE look_at < ?1 \
             AND name IN (SELECT value FROM json_each(?2))";
        let query = sqlx::query(statement).bind(at.0).bind(json(&names));
        self.execute(query).await?;
        Ok(())
    }

    async fn tell(&self, tellings: &[Telling], to: &[Target]) -> Result<Vec<bool>, StoreError> {
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let done = async {
            let mut transaction = begun.await?;
            let mut done = Vec::with_capacity(tellings.len());
            for telling in tellings {
                done.push(tell(&mut transaction, telling, to).await?);
            }
            transaction.commit().await?;
            Ok(done)
        };
        done.await.map_err(|error| self.error(error))
    }

    async fn send(&self, message: &Message, to: &[Target]) -> Result<(), StoreError> {
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let done = async {
            let mut transaction = begun.await?;
            send(&mut transaction, message, to).await?;
            transaction.commit().await
        };
        done.await.map_err(|error| self.error(error))
    }

    async fn claim(
        &self,
        target: &TargetId,
        now: UnixMillis,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let clock = self.now().await?;
        let era = format!("{:032x}", clock.era);
        let free = |statement| {
            let query = sqlx::query(statement).bind(target.as_str()).bind(now.0);
            query.bind(era.clone()).bind(clock.millis).bind(most)
        };
        // Most often there is none, and nobody who writes has to wait for that to be found out.
        if self.fetch(free(free!("", ""))).await?.is_empty() {
            return Ok(Vec::new());
        }
        let query = free(CLAIM).bind(clock.after(lease).millis);
        let rows = query.fetch_all(self.connections.writer().await?).await;
        let rows = rows.map_err(|error| self.error(error))?;
        rows.iter().map(notice_record::delivery).collect()
    }

    async fn settle(
        &self,
        claimed: &Delivery,
        outcome: &str,
        at: UnixMillis,
        settled: Settled,
    ) -> Result<bool, StoreError> {
        let (next_at, delivered_at, given_up_at) = notice_record::columns(settled, at);
        let query = sqlx::query(SETTLE)
            .bind(integer(claimed.number))
            .bind(claimed.attempts)
            .bind(outcome)
            .bind(next_at)
            .bind(delivered_at)
            .bind(given_up_at);
        Ok(self.execute(query).await? > 0)
    }

    async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let names = notice_record::names(of).map(|names| json(&names));
        let statement = names.as_ref().map_or(DELIVERIES, |_| DELIVERIES_OF);
        let query = sqlx::query(statement)
            .bind(before.map_or(i64::MAX, integer))
            .bind(most);
        let query = match names {
            Some(names) => query.bind(names),
            None => query,
        };
        let rows = self.fetch(query).await?;
        rows.iter().map(notice_record::delivery).collect()
    }

    async fn refuse_notices(&self, target: &TargetId, at: UnixMillis) -> Result<(), StoreError> {
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let statements = [
            "INSERT INTO notices_refused (target, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            "UPDATE notices SET next_at = NULL, given_up_at = ?2 \
             WHERE target = ?1 AND next_at IS NOT NULL",
        ];
        let done = async {
            let mut transaction = begun.await?;
            for statement in statements {
                let query = sqlx::query(statement).bind(target.as_str()).bind(at.0);
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        done.await.map_err(|error| self.error(error))
    }

    async fn refused_notices(&self) -> Result<Vec<TargetId>, StoreError> {
        let query = sqlx::query_scalar("SELECT target FROM notices_refused");
        let read = |pool| async move { query.fetch_all(&pool).await };
        let targets: Vec<String> = self.connections.read(read).await?;
        Ok(targets
            .iter()
            .filter_map(|it| TargetId::parse(it))
            .collect())
    }

    async fn forgive_notices(&self, except: &[Target]) -> Result<(), StoreError> {
        let kept: Vec<&str> = except.iter().map(|target| target.id.as_str()).collect();
        let statement = "DELETE FROM notices_refused \
             WHERE target NOT IN (SELECT value FROM json_each(?))";
        self.execute(sqlx::query(statement).bind(json(&kept)))
            .await?;
        Ok(())
    }

    async fn name_targets(
        &self,
        targets: &[Target],
        now: UnixMillis,
        gone: UnixMillis,
    ) -> Result<u64, StoreError> {
        let begun = self
            .connections
            .writer()
            .await?
            .begin_with("BEGIN IMMEDIATE");
        let done = async {
            let mut transaction = begun.await?;
            for target in targets {
                sqlx::query(NAME)
                    .bind(target.id.as_str())
                    .bind(&target.place)
                    .bind(now.0)
                    .execute(&mut *transaction)
                    .await?;
            }
            let forgotten = "DELETE FROM notices_targets WHERE named_at < ?";
            let query = sqlx::query(forgotten).bind(gone.0);
            query.execute(&mut *transaction).await?;
            let pending = "DELETE FROM notices WHERE next_at IS NOT NULL AND made_at < ? \
                 AND target NOT IN (SELECT target FROM notices_targets)";
            let dropped = sqlx::query(pending)
                .bind(gone.0)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(dropped.rows_affected())
        };
        done.await.map_err(|error| self.error(error))
    }

    async fn named_targets(&self, since: UnixMillis) -> Result<Vec<Target>, StoreError> {
        let statement = "SELECT target, place FROM notices_targets WHERE named_at >= ?";
        let query = sqlx::query_as(statement).bind(since.0);
        let read = |pool| async move { query.fetch_all(&pool).await };
        let rows: Vec<(String, String)> = self.connections.read(read).await?;
        Ok(rows.into_iter().filter_map(notice_record::target).collect())
    }

    async fn forget_notices(&self, made_before: UnixMillis) -> Result<(), StoreError> {
        let statement = "DELETE FROM notices WHERE made_at < ?";
        self.execute(sqlx::query(statement).bind(made_before.0))
            .await?;
        Ok(())
    }
}

impl SqliteStore {
    /// Writes; how many rows were written.
    async fn execute(&self, query: Bound<'_>) -> Result<u64, StoreError> {
        let done = query.execute(self.connections.writer().await?).await;
        Ok(done.map_err(|error| self.error(error))?.rows_affected())
    }
}

async fn tell(
    transaction: &mut Transaction<'static, Sqlite>,
    telling: &Telling,
    to: &[Target],
) -> Result<bool, sqlx::Error> {
    let statement = if telling.seen.is_some() {
        TELL
    } else {
        TELL_FIRST
    };
    let query = sqlx::query(statement)
        .bind(telling.grant.as_str())
        .bind(integer(telling.told.epoch.0))
        .bind(telling.told.standing.word())
        .bind(telling.told.days);
    let query = match telling.seen {
        Some(seen) => query.bind(integer(seen.0)),
        None => query,
    };
    if query.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let old = "UPDATE grants SET look_at = ? WHERE id = ? AND epoch = ? AND status = ?";
    sqlx::query(old)
        .bind(telling.next_at.map(|at| at.0))
        .bind(telling.grant.as_str())
        .bind(integer(telling.epoch.0))
        .bind(telling.status)
        .execute(&mut **transaction)
        .await?;
    if telling.drops {
        let drop = "DELETE FROM notices WHERE grant_id = ? AND next_at IS NOT NULL";
        let query = sqlx::query(drop).bind(telling.grant.as_str());
        query.execute(&mut **transaction).await?;
    }
    for message in &telling.messages {
        send(transaction, message, to).await?;
    }
    Ok(true)
}

async fn send(
    transaction: &mut Transaction<'static, Sqlite>,
    message: &Message,
    to: &[Target],
) -> Result<(), sqlx::Error> {
    let grant = message.grant.as_ref();
    for target in to {
        sqlx::query(SEND)
            .bind(message.id.as_str())
            .bind(message.kind.word())
            .bind(grant.map(|(id, _)| id.as_str()))
            .bind(grant.map(|(_, name)| name.as_str()))
            .bind(&message.body)
            .bind(target.id.as_str())
            .bind(&target.place)
            .bind(message.made_at.0)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
