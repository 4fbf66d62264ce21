//! 429s of the Web API: what one process is told all obey, and a restart does not forget.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Refrain,
    id::AppName,
    limit::{self, Entered, Gates, Kind, Outcome},
    store::{Store, StoreError, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Profile, Sim};

use crate::{
    between::{Between, Call, Watched},
    world::World,
};

const QUOTA: &[u8] =
    br#"{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}"#;

fn app() -> AppName {
    "default".parse().unwrap()
}

/// A 429 as it comes off the wire.
fn limited(gates: &Gates, retry_after: &str, body: &[u8]) {
    let headers = [(http::header::RETRY_AFTER, retry_after.parse().unwrap())];
    let headers = headers.into_iter().collect();
    let limit = limit::judge(&headers, body, UnixMillis(0));
    gates.report(&app(), None, Outcome::Limited(limit));
}

/// For how many seconds it is closed.
fn closed_for(gates: &Gates) -> Option<u64> {
    match gates.enter(&app()) {
        Entered::Open => None,
        Entered::Probe(_) => Some(0),
        Entered::Closed(closed) => Some(closed.retry_after()),
    }
}

/// Lets tasks run, while no time passes.
async fn rest() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Seconds pass one by one.
async fn live_through(world: &World, seconds: u32) {
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        rest().await;
    }
}

async fn stored(refrain: &Refrain) -> usize {
    refrain.limits().await.unwrap().len()
}

#[tokio::test]
async fn a_429_is_durable_at_once_and_another_process_obeys_within_five_seconds() {
    let world = World::new(Profile::default()).await;
    let (here, there) = (world.refrain.clone(), world.another());
    let (gates, others) = (here.gates().await.unwrap(), there.gates().await.unwrap());
    rest().await;
    limited(&gates, "80000", QUOTA);
    assert_eq!(closed_for(&gates), Some(80_000));
    rest().await;
    assert_eq!(stored(&there).await, 1, "with no time between");
    live_through(&world, 4).await;
    assert_eq!(closed_for(&others), Some(79_996));
    let gate = &there.limits().await.unwrap()[0];
    assert_eq!((gate.kind(), gate.app.clone()), (Kind::Quota, app()));
}

#[tokio::test]
async fn a_restart_obeys_before_its_first_request() {
    let world = World::new(Profile::default()).await;
    limited(&world.refrain.gates().await.unwrap(), "80000", QUOTA);
    rest().await;
    let restarted = world.another();
    world.pass(Duration::from_secs(1000));
    assert_eq!(closed_for(&restarted.gates().await.unwrap()), Some(79_000));
}

#[tokio::test]
async fn whoever_closes_leaves_no_gate_untold() {
    let world = World::new(Profile::default()).await;
    let gates = world.refrain.gates().await.unwrap();
    limited(&gates, "30", b"Too many requests");
    // The process ends before any task of its own has run.
    assert!(world.refrain.close(Duration::from_secs(5)).await);
    assert_eq!(
        closed_for(&world.another().gates().await.unwrap()),
        Some(30)
    );
}

#[tokio::test]
async fn a_probe_that_passes_opens_for_every_process() {
    let world = World::new(Profile::default()).await;
    let there = world.another();
    let (gates, others) = (
        world.refrain.gates().await.unwrap(),
        there.gates().await.unwrap(),
    );
    limited(&gates, "3", b"Too many requests");
    live_through(&world, 3).await;
    let Entered::Probe(probe) = gates.enter(&app()) else {
        panic!("no probe");
    };
    assert_eq!(closed_for(&gates), Some(1), "the others wait for it");
    gates.report(&app(), Some(probe), Outcome::Passed);
    assert_eq!(closed_for(&gates), None);
    live_through(&world, 4).await;
    assert_eq!((closed_for(&others), stored(&there).await), (None, 0));
}

/// Fails while it is told to.
#[derive(Debug, Default)]
struct Failing {
    failing: AtomicBool,
    failed: AtomicU64,
}

#[async_trait]
impl Between for Failing {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        if !self.failing.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        Err(StoreError::Full {
            place: "the test".into(),
            source: refrain::store::cause("no space"),
        })
    }
}

#[tokio::test]
async fn a_store_that_fails_delays_nobody_and_is_told_as_soon_as_it_works() {
    let sim = Sim::start(Profile::default()).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let inner = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let watched = Arc::new(Watched {
        inner: Arc::clone(&inner) as Arc<dyn Store>,
        between: Failing::default(),
    });
    let world = World::on(sim, clock, Arc::clone(&watched) as Arc<dyn Store>);
    let gates = world.refrain.gates().await.unwrap();
    watched.between.failing.store(true, Ordering::SeqCst);
    limited(&gates, "80000", QUOTA);
    assert_eq!(closed_for(&gates), Some(80_000));
    live_through(&world, 6).await;
    assert!(watched.between.failed.load(Ordering::SeqCst) > 1);
    assert_eq!(
        (closed_for(&gates), stored(&world.refrain).await),
        (Some(79_994), 0)
    );
    watched.between.failing.store(false, Ordering::SeqCst);
    live_through(&world, 3).await;
    assert_eq!(stored(&world.refrain).await, 1);
}

/// Lets nobody through while it is shut.
#[derive(Debug, Default)]
struct Shut {
    closed: AtomicBool,
    waits: AtomicBool,
    opened: tokio::sync::Notify,
}

#[async_trait]
impl Between for Shut {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            self.waits.store(true, Ordering::SeqCst);
            self.opened.notified().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn whoever_stops_half_way_through_closing_keeps_nobody_from_it() {
    let sim = Sim::start(Profile::default()).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let inner = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let watched = Arc::new(Watched {
        inner: inner as Arc<dyn Store>,
        between: Shut::default(),
    });
    let world = World::on(sim, clock, Arc::clone(&watched) as Arc<dyn Store>);
    let gates = world.refrain.gates().await.unwrap();
    watched.between.closed.store(true, Ordering::SeqCst);
    limited(&gates, "80000", QUOTA);
    world
        .in_time(async {
            while !watched.between.waits.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    // The gate is being written. This one waits for that, and is then neither dropped nor polled.
    let mut stopped = std::pin::pin!(world.refrain.close(Duration::from_secs(30)));
    for _ in 0..20 {
        assert!(poll_once(stopped.as_mut()).await.is_none());
        tokio::task::yield_now().await;
    }
    watched.between.closed.store(false, Ordering::SeqCst);
    watched.between.opened.notify_waiters();
    let closed = world.refrain.close(Duration::from_secs(30));
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.unwrap(), "in no time");
}

/// Polls a future once.
async fn poll_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
