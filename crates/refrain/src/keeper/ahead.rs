//! Refreshing ahead of expiry, for grants that have been used since their last refresh.
//!
//! The process that serves a grant knows that it is used, and walks over its cells every few seconds;
//! there is no queue to keep, and none in the store. Grants that nobody asks for are left alone: their
//! next caller refreshes them. How many refreshes ahead an app starts in a second is limited, because a
//! provider's patience belongs to the callers who wait.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    config::App,
    id::AppName,
    keeper::{Error, Keeper, caught::Running, flight::Goal, live::Cell, sync::spawn},
    time::Uptime,
};

/// How often the cells are walked over; far more often than tokens fall due before their end.
const WALK: Duration = Duration::from_secs(5);

/// The pace of an app: a bucket that fills by its rate, and holds one second's worth.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// In thousandths of a refresh.
    filled: u64,
    at: Uptime,
}

impl Pace {
    fn new(per_second: u32, now: Uptime) -> Self {
        let filled = u64::from(per_second) * 1000;
        Self {
            per_second,
            bucket: Mutex::new(Bucket { filled, at: now }),
        }
    }

    /// Whether one more may start now.
    pub(super) fn may_start(&self, now: Uptime) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
        let rate = u64::from(self.per_second);
        let poured = passed.saturating_mul(rate).saturating_add(bucket.filled);
        bucket.filled = poured.min(rate * 1000);
        bucket.at = now;
        match bucket.filled.checked_sub(1000) {
            Some(left) => bucket.filled = left,
            None => return false,
        }
        true
    }

    /// How long until one may.
    fn pause(&self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// The pace of each app of the configuration.
pub(super) fn paces(apps: &BTreeMap<AppName, App>, now: Uptime) -> BTreeMap<AppName, Arc<Pace>> {
    let pace = |app: &App| Arc::new(Pace::new(app.refreshes_per_second.get(), now));
    apps.iter()
        .map(|(name, app)| (name.clone(), pace(app)))
        .collect()
}

impl Keeper {
    /// Starts to walk, once there is a token that can fall due.
    pub(super) fn refresh_ahead(self: &Arc<Self>) {
        if !self.looks_ahead {
            return;
        }
        if let Some(running) = Running::begin(self, |keeper| &keeper.walks) {
            spawn(run(running));
        }
    }

    async fn walk(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.parts.clock.uptime();
        let due = |cell: &Cell| {
            cell.is_used() && cell.live.load().as_ref().is_some_and(|it| it.is_due(now))
        };
        for cells in self.cells.filter(due) {
            for (pace, cells) in by_pace(cells) {
                self.start(&pace, cells).await?;
            }
            // A million cells take a while to look at.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Starts refreshes at an app's pace, as long as the provider does not want to be left alone.
    async fn start(self: &Arc<Self>, pace: &Pace, cells: Vec<Arc<Cell>>) -> Result<(), Error> {
        let mut looked: Option<Uptime> = None;
        for cell in cells {
            let Some(live) = cell.live.load_full() else {
                continue;
            };
            while !pace.may_start(self.parts.clock.uptime()) {
                self.parts.clock.sleep(pace.pause()).await;
            }
            let now = self.parts.clock.uptime();
            if looked.is_none_or(|at| now.since(at) >= Duration::from_secs(1)) {
                looked = Some(now);
                if self.is_paused(&live.about.app).await? {
                    return Ok(());
                }
            }
            let than = Some(live);
            self.board(
                &cell,
                &Goal::Lasting {
                    min_ttl: None,
                    than,
                },
            );
        }
        Ok(())
    }

    /// Whether the provider wants to be left alone; while the breaker is open, until the next grant may
    /// ask for all.
    async fn is_paused(&self, app: &AppName) -> Result<bool, Error> {
        let state = self.parts.store.app_state(app).await?.value;
        let now = self.parts.clock.now();
        let throttled = state.throttled.is_some_and(|until| !until.passed(&now));
        let waits = |breaker: &crate::lifecycle::app::Breaker| !breaker.next_canary.passed(&now);
        Ok(throttled || state.open_breaker(&now).is_some_and(waits))
    }
}

/// The cells by the pace of their app; those of an app that is not configured any more are left alone.
fn by_pace(cells: Vec<Arc<Cell>>) -> Vec<(Arc<Pace>, Vec<Arc<Cell>>)> {
    let mut groups: Vec<(Arc<Pace>, Vec<Arc<Cell>>)> = Vec::new();
    for cell in cells {
        let live = cell.live.load_full();
        let Some(pace) = live.and_then(|live| live.about.pace.clone()) else {
            continue;
        };
        match groups.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &pace)) {
            Some((_, group)) => group.push(cell),
            None => groups.push((pace, vec![cell])),
        }
    }
    groups
}

async fn run(running: Running) {
    loop {
        let Some(nap) = running.keeper().map(|it| it.parts.clock.sleep(WALK)) else {
            return;
        };
        nap.await;
        let Some(keeper) = running.keeper() else {
            return;
        };
        if keeper.tasks.is_closing() {
            return;
        }
        keeper.listen();
        if let Err(error) = keeper.walk().await {
            tracing::debug!(code = error.code(), "no refreshes ahead for now");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_starts_and_no_more() {
        let pace = Pace::new(3, Uptime(0));
        let started = |from: i64, to: i64| {
            (from..to)
                .filter(|millis| pace.may_start(Uptime(*millis)))
                .count()
        };
        assert_eq!(started(0, 100), 3, "what the bucket holds");
        assert_eq!(started(100, 10_000), 29, "and then by the clock");
        assert_eq!(started(60_000, 60_100), 3, "idleness is not saved up");
    }
}
