//! How long the callers of one expired token wait, beside one refresh by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use refrain::{
    store::{Store, sqlite::SqliteStore},
    time::{BootId, BoxFuture, Clock, SystemClock, UnixMillis, Uptime},
};
use tokio::task::JoinSet;

use crate::{line, world};

const CALLERS: usize = 10_000;
const ROUNDS: usize = 15;

/// The machine's clock, set forward by an hour at a time.
#[derive(Debug)]
struct Forward(SystemClock, AtomicI64);

impl Forward {
    fn ahead(&self) -> Duration {
        Duration::from_millis(self.1.load(Ordering::Relaxed).unsigned_abs())
    }
}

impl Clock for Forward {
    fn wall(&self) -> UnixMillis {
        self.0.wall().after(self.ahead())
    }

    fn uptime(&self) -> Uptime {
        self.0.uptime().after(self.ahead())
    }

    fn boot(&self) -> BootId {
        self.0.boot()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

pub async fn run() {
    let sim = world::sim().await;
    let folder = tempfile::tempdir().expect("a folder");
    let forward = Arc::new(Forward(SystemClock::new(), AtomicI64::new(0)));
    let clock: Arc<dyn Clock> = Arc::clone(&forward) as Arc<dyn Clock>;
    let store = SqliteStore::open(&folder.path().join("refrain.db"), Arc::clone(&clock)).await;
    let store = store.expect("a store");
    store.prepare().await.expect("a store");
    let refrain = world::refrain_on(&sim, clock, Arc::new(store));
    let alice = world::login(&refrain, &sim, "alice").await;
    let hour = Duration::from_secs(3600);
    let expire = || {
        sim.advance(hour);
        forward.1.fetch_add(3_600_000, Ordering::Relaxed);
    };
    let (mut alone, mut last, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        expire();
        let begin = Instant::now();
        alice.access_token().await.expect("a token");
        alone.push(begin.elapsed());

        expire();
        let before = sim.counts().refreshes;
        let begin = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let alice = alice.clone();
            callers.spawn(async move {
                alice.access_token().await.expect("a token");
                begin.elapsed()
            });
        }
        let mut waited: Vec<Duration> = callers.join_all().await;
        assert_eq!(sim.counts().refreshes, before + 1, "one refresh for all");
        waited.sort_unstable();
        p99.push(waited[CALLERS * 99 / 100]);
        last.push(waited[CALLERS - 1]);
    }
    line(
        "10,000 callers of one token, the last one",
        &mut alone.clone(),
        &mut last,
        1,
    );
    line("  of them 99 in 100", &mut alone, &mut p99, 1);
}
