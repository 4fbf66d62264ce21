//! What was told, and deliveries, in PostgreSQL.

mod columns;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{Row as _, postgres::PgRow};

use self::columns::{Messages, Tellings};
use crate::{
    access::Grants,
    id::GrantName,
    notice::{Delivery, Message, Target, TargetId, delivery::Settled},
    store::{
        NewsMark, NewsPage, Notices, StoreError, Telling, notice_record,
        postgres::{
            PostgresStore,
            session::{ask, tell},
        },
        record::integer,
    },
    time::UnixMillis,
};

/// The index ends it where it has what was asked for, and begins where the last page has ended.
const NEWS: &str = "SELECT g.*, t.version AS told_version, t.epoch AS told_epoch, \
     t.standing AS told_standing, t.days AS told_days \
     FROM refrain.grants AS g LEFT JOIN refrain.told AS t ON t.grant_id = g.id \
     WHERE g.look_at <= $1 AND (g.look_at, g.name) > ($2, $3) ORDER BY g.look_at, g.name LIMIT $4";

const DELIVERIES: &str =
    "SELECT * FROM refrain.notices WHERE number < $1 ORDER BY number DESC LIMIT $2";

/// Each name's newest by their index, so that a key of few grants does not go through those of all others.
const DELIVERIES_OF: &str = "SELECT n.* FROM (SELECT DISTINCT unnest($3::text[]) AS name) AS of \
     CROSS JOIN LATERAL (SELECT * FROM refrain.notices WHERE grant_name = of.name AND number < $1 \
       ORDER BY number DESC LIMIT $2) AS n ORDER BY n.number DESC LIMIT $2";

const LATER: &str = "WITH held AS (SELECT id FROM refrain.grants \
       WHERE name = ANY($1) AND look_at < $2 FOR UPDATE SKIP LOCKED) \
     UPDATE refrain.grants AS g SET look_at = $2 FROM held WHERE g.id = held.id";

/// The rows of a batch one by one, in their order, so that two nodes do not wait for one another. A grant's
/// row that somebody is writing right now stays news, and is looked at once more.
const TELL: &str = "WITH input AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], \
     $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[]) \
     AS input (grant_id, epoch, status, seen, told_epoch, standing, days, next_at, drops)), \
     first AS (INSERT INTO refrain.told (grant_id, version, epoch, standing, days) \
       SELECT grant_id, 1, told_epoch, standing, days FROM input WHERE seen IS NULL \
       ON CONFLICT DO NOTHING RETURNING grant_id), \
     again AS (UPDATE refrain.told AS t SET version = t.version + 1, epoch = i.told_epoch, \
       standing = i.standing, days = i.days \
       FROM input AS i WHERE t.grant_id = i.grant_id AND t.version = i.seen RETURNING t.grant_id), \
     done AS (SELECT grant_id FROM first UNION ALL SELECT grant_id FROM again), \
     known AS (SELECT g.id, i.next_at FROM refrain.grants AS g JOIN input AS i ON g.id = i.grant_id \
       JOIN done ON done.grant_id = g.id WHERE g.epoch = i.epoch AND g.status = i.status \
       FOR UPDATE OF g SKIP LOCKED), \
     old AS (UPDATE refrain.grants AS g SET look_at = known.next_at FROM known WHERE g.id = known.id), \
     gone AS (DELETE FROM refrain.notices AS n USING done JOIN input AS i USING (grant_id) \
       WHERE n.grant_id = done.grant_id AND i.drops AND n.next_at IS NOT NULL), \
     told AS (INSERT INTO refrain.notices (message, kind, grant_id, grant_name, body, target, place, \
       made_at, attempts, next_at) SELECT m.message, m.kind, m.grant_id, m.grant_name, m.body, t.target, \
       t.place, m.made_at, 0, m.made_at FROM unnest($10::text[], $11::text[], $12::text[], $13::text[], \
       $14::text[], $15::bigint[]) AS m (message, kind, grant_id, grant_name, body, made_at) \
       JOIN done ON done.grant_id = m.grant_id \
       CROSS JOIN unnest($16::text[], $17::text[]) AS t (target, place)) \
     SELECT grant_id FROM done";

const SEND: &str = "INSERT INTO refrain.notices (message, kind, body, target, place, made_at, attempts, \
     next_at) SELECT $1, $2, $3, t.target, t.place, $4, 0, $4 \
     FROM unnest($5::text[], $6::text[]) AS t (target, place)";

const CLAIM: &str = "WITH clock AS MATERIALIZED \
       (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now), \
     free AS (SELECT number FROM refrain.notices WHERE target = $1 AND next_at <= $2 \
       AND (leased_until IS NULL OR leased_until <= (SELECT now FROM clock)) \
       AND NOT EXISTS (SELECT 1 FROM refrain.notices_refused AS r WHERE r.target = $1) \
       ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED) \
     UPDATE refrain.notices AS n SET attempts = n.attempts + 1, \
       leased_until = (SELECT now FROM clock) + $3 FROM free WHERE n.number = free.number RETURNING n.*";

const SETTLE: &str = "UPDATE refrain.notices SET outcome = $3, next_at = $4, delivered_at = $5, \
     given_up_at = $6, leased_until = NULL WHERE number = $1 AND attempts = $2 AND next_at IS NOT NULL";

const REFUSE: &str = "WITH refused AS (INSERT INTO refrain.notices_refused (target, at) VALUES ($1, $2) \
       ON CONFLICT DO NOTHING) \
     UPDATE refrain.notices SET next_at = NULL, given_up_at = $2 \
     WHERE target = $1 AND next_at IS NOT NULL";

/// In one order, so that two nodes do not wait for one another.
const NAME: &str = "INSERT INTO refrain.notices_targets (target, place, named_at) \
     SELECT t.target, t.place, $3 FROM unnest($1::text[], $2::text[]) AS t (target, place) \
     ORDER BY t.target \
     ON CONFLICT (target) DO UPDATE SET named_at = greatest(notices_targets.named_at, excluded.named_at)";

/// What is on its way to places that are forgotten with this; one that is named meanwhile stays.
const DROP: &str = "WITH gone AS (DELETE FROM refrain.notices_targets WHERE named_at < $1) \
     DELETE FROM refrain.notices AS n WHERE n.next_at IS NOT NULL AND n.made_at < $1 AND NOT EXISTS \
       (SELECT 1 FROM refrain.notices_targets AS t WHERE t.target = n.target AND t.named_at >= $1)";

#[async_trait]
impl Notices for PostgresStore {
    async fn notices_since(&self, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let since = async || {
            let read = "SELECT at FROM refrain.notices_since WHERE id = 1";
            let query = self.sessions.statement(read);
            ask!(self, |c| query.scalar().fetch_optional(c)).await
        };
        // Asked every few seconds, and written once.
        if let Some(at) = since().await? {
            return Ok(UnixMillis(at));
        }
        let insert = self.sessions.statement(
            "INSERT INTO refrain.notices_since (id, at) VALUES (1, $1) ON CONFLICT DO NOTHING",
        );
        tell!(self, |c| insert.rows().bind(now.0).execute(c)).await?;
        Ok(since().await?.map_or(now, UnixMillis))
    }

    async fn news(
        &self,
        now: UnixMillis,
        after: Option<&NewsMark>,
        most: u32,
    ) -> Result<NewsPage, StoreError> {
        let query = self.sessions.statement(NEWS);
        let (at, name) = notice_record::behind(after);
        let most = i64::from(most);
        let rows = ask!(self, |c| {
            let query = query.rows().bind(now.0).bind(at).bind(name.clone());
            query.bind(most).fetch_all(c)
        });
        notice_record::news(&rows.await?)
    }

    async fn look_later(&self, grants: &[GrantName], at: UnixMillis) -> Result<(), StoreError> {
        let query = self.sessions.statement(LATER);
        let names: Vec<String> = grants.iter().map(ToString::to_string).collect();
        tell!(self, |c| query
            .rows()
            .bind(names.clone())
            .bind(at.0)
            .execute(c))
        .await?;
        Ok(())
    }

    async fn tell(&self, tellings: &[Telling], to: &[Target]) -> Result<Vec<bool>, StoreError> {
        let query = self.sessions.statement(TELL);
        let rows = Arc::new(Tellings::of(tellings));
        let messages = tellings.iter().flat_map(|it| &it.messages);
        let messages = Arc::new(Messages::of(messages));
        let to = Arc::new(columns::targets(to));
        let done = tell!(self, |c| {
            let (rows, messages, to) = (Arc::clone(&rows), Arc::clone(&messages), Arc::clone(&to));
            async move {
                let query = messages.bind(rows.bind(query.scalar()));
                query.bind(&to.0).bind(&to.1).fetch_all(c).await
            }
        });
        let done: Vec<String> = done.await?;
        let was = |it: &Telling| done.iter().any(|id| id == it.grant.as_str());
        Ok(tellings.iter().map(was).collect())
    }

    async fn send(&self, message: &Message, to: &[Target]) -> Result<(), StoreError> {
        let query = self.sessions.statement(SEND);
        let (message, (ids, places)) = (message.clone(), columns::targets(to));
        tell!(self, |c| {
            query
                .rows()
                .bind(message.id.as_str().to_owned())
                .bind(message.kind.word())
                .bind(message.body.clone())
                .bind(message.made_at.0)
                .bind(ids.clone())
                .bind(places.clone())
                .execute(c)
        })
        .await?;
        Ok(())
    }

    async fn claim(
        &self,
        target: &TargetId,
        now: UnixMillis,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = self.sessions.statement(CLAIM);
        let (target, most) = (target.as_str().to_owned(), i64::from(most));
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let rows = tell!(self, |c| {
            let query = query.rows().bind(target.clone()).bind(now.0);
            query.bind(lease).bind(most).fetch_all(c)
        });
        rows.await?.iter().map(notice_record::delivery).collect()
    }

    async fn settle(
        &self,
        claimed: &Delivery,
        outcome: &str,
        at: UnixMillis,
        settled: Settled,
    ) -> Result<bool, StoreError> {
        let query = self.sessions.statement(SETTLE);
        let (number, attempts) = (integer(claimed.number), i64::from(claimed.attempts));
        let (next_at, delivered_at, given_up_at) = notice_record::columns(settled, at);
        let outcome = outcome.to_owned();
        let done = tell!(self, |c| {
            let query = query
                .rows()
                .bind(number)
                .bind(attempts)
                .bind(outcome.clone());
            query
                .bind(next_at)
                .bind(delivered_at)
                .bind(given_up_at)
                .execute(c)
        });
        Ok(done.await?.rows_affected() > 0)
    }

    async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let before = before.map_or(i64::MAX, integer);
        let names = notice_record::names(of);
        let names: Option<Vec<String>> =
            names.map(|names| names.into_iter().map(str::to_owned).collect());
        let most = i64::from(most);
        let statement = names.as_ref().map_or(DELIVERIES, |_| DELIVERIES_OF);
        let query = self.sessions.statement(statement);
        let rows = ask!(self, |c| {
            let query = query.rows().bind(before).bind(most);
            let query = match names.clone() {
                Some(names) => query.bind(names),
                None => query,
            };
            query.fetch_all(c)
        });
        rows.await?.iter().map(notice_record::delivery).collect()
    }

    async fn refuse_notices(&self, target: &TargetId, at: UnixMillis) -> Result<(), StoreError> {
        let query = self.sessions.statement(REFUSE);
        let target = target.as_str().to_owned();
        tell!(self, |c| query
            .rows()
            .bind(target.clone())
            .bind(at.0)
            .execute(c))
        .await?;
        Ok(())
    }

    async fn refused_notices(&self) -> Result<Vec<TargetId>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT target FROM refrain.notices_refused");
        let targets: Vec<String> = ask!(self, |c| query.scalar().fetch_all(c)).await?;
        Ok(targets
            .iter()
            .filter_map(|it| TargetId::parse(it))
            .collect())
    }

    async fn forgive_notices(&self, except: &[Target]) -> Result<(), StoreError> {
        let query = self
            .sessions
            .statement("DELETE FROM refrain.notices_refused WHERE target <> ALL($1)");
        let (kept, _) = columns::targets(except);
        tell!(self, |c| query.rows().bind(kept.clone()).execute(c)).await?;
        Ok(())
    }

    async fn name_targets(
        &self,
        targets: &[Target],
        now: UnixMillis,
        gone: UnixMillis,
    ) -> Result<u64, StoreError> {
        let query = self.sessions.statement(NAME);
        let (ids, places) = columns::targets(targets);
        tell!(self, |c| {
            let query = query.rows().bind(ids.clone()).bind(places.clone());
            query.bind(now.0).execute(c)
        })
        .await?;
        let query = self.sessions.statement(DROP);
        let done = tell!(self, |c| query.rows().bind(gone.0).execute(c));
        Ok(done.await?.rows_affected())
    }

    async fn named_targets(&self, since: UnixMillis) -> Result<Vec<Target>, StoreError> {
        let query = self
            .sessions
            .statement("SELECT target, place FROM refrain.notices_targets WHERE named_at >= $1");
        let rows = ask!(self, |c| query.rows().bind(since.0).fetch_all(c)).await?;
        let target = |row: &PgRow| {
            let (target, place) = (row.try_get("target").ok()?, row.try_get("place").ok()?);
            notice_record::target((target, place))
        };
        Ok(rows.iter().filter_map(target).collect())
    }

    async fn forget_notices(&self, made_before: UnixMillis) -> Result<(), StoreError> {
        let query = self
            .sessions
            .statement("DELETE FROM refrain.notices WHERE made_at < $1");
        tell!(self, |c| query.rows().bind(made_before.0).execute(c)).await?;
        Ok(())
    }
}
