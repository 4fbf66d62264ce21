//! A store that fails at every step of a refresh, one after the other: nothing is lost, nobody is told
//! to log in, and no token is used before it is durable.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    keeper::Kind,
    lifecycle::Status,
    store::{Store, StoreError, memory::MemoryStore},
    time::{BoxFuture, Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Profile, Rotation, Sim};

use crate::{
    between::{Between, Call, Watched},
    world::{HOUR, World},
};

/// Fails the call number `first` and the `times` after it; with `after`, it fails after having done
/// what it was asked, like a commit whose acknowledgement is lost.
#[derive(Debug)]
struct Failing {
    calls: AtomicI64,
    first: AtomicI64,
    times: AtomicI64,
    after: bool,
}

impl Failing {
    /// Counts the call, and says whether it is one that fails.
    fn fails(&self, call: i64) -> Result<(), StoreError> {
        let first = self.first.load(Ordering::SeqCst);
        if first < 0 || call < first || call >= first + self.times.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(StoreError::Full {
            place: "the test".into(),
            source: refrain::store::cause("no space"),
        })
    }
}

#[async_trait]
impl Between for Failing {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.after { Ok(()) } else { self.fails(call) }
    }

    async fn after(&self, _: Call) -> Result<(), StoreError> {
        let call = self.calls.load(Ordering::SeqCst) - 1;
        if self.after { self.fails(call) } else { Ok(()) }
    }
}

async fn world_on_failing(rotation: Rotation, after: bool) -> (World, Arc<Watched<Failing>>) {
    let sim = Sim::start(Profile::rotating(rotation)).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let store = Arc::new(Watched {
        inner: Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>)),
        between: Failing {
            calls: AtomicI64::new(0),
            first: AtomicI64::new(-1),
            times: AtomicI64::new(1),
            after,
        },
    });
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    world.login("alice").await.unwrap();
    (world, store)
}

#[tokio::test]
async fn a_store_that_fails_at_the_nth_call_of_a_refresh_loses_nothing() {
    for after in [false, true] {
        for rotation in [Rotation::FamilyKill, Rotation::Omit] {
            for nth in 0..14 {
                let (world, store) = world_on_failing(rotation, after).await;
                let alice = world.refrain.grant("alice").await.unwrap();
                alice.access_token().await.unwrap();
                world.pass(HOUR);
                store.between.calls.store(0, Ordering::SeqCst);
                store.between.first.store(nth, Ordering::SeqCst);
                if let Err(error) = world.in_time(alice.access_token()).await {
                    assert!(
                        matches!(error.kind(), Kind::Storage),
                        "{rotation:?} {nth} {after}: {error}"
                    );
                }
                store.between.first.store(-1, Ordering::SeqCst);
                assert!(
                    world.row("alice").await.intent.is_none(),
                    "{rotation:?} {nth} {after}: nobody waits for one who has given up"
                );
                let error = world.in_time(alice.access_token()).await.err();
                assert!(error.is_none(), "{rotation:?} {nth} {after}: {error:?}");
                assert_eq!(world.status("alice").await, Status::Active);
                world.pass(HOUR);
                world.in_time(alice.access_token()).await.unwrap();
                assert_eq!(world.sim.counts().refused, 0, "{rotation:?} {nth} {after}");
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_at_the_commit_keeps_the_answer_until_there_is_room() {
    let (world, store) = world_on_failing(Rotation::FamilyKill, false).await;
    let alice = world.refrain.grant("alice").await.unwrap();
    world.pass(HOUR);
    // Everything after the presentation fails for as long as anybody would wait.
    store.between.calls.store(0, Ordering::SeqCst);
    store.between.first.store(7, Ordering::SeqCst);
    store.between.times.store(i64::MAX / 2, Ordering::SeqCst);
    let error = world.in_time(alice.access_token()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("storage_not_saved", Kind::Storage)
    );
    assert_eq!(world.refreshes(), 1);
    store.between.first.store(-1, Ordering::SeqCst);
    world.in_time(alice.access_token()).await.unwrap();
    assert_eq!((world.refreshes(), world.sim.counts().refused), (1, 0));
    assert_eq!(world.row("alice").await.generation.0, 1);
}

/// Tells whoever writes next that there is no answer, and makes the write seconds later.
#[derive(Debug)]
struct Late {
    clock: Arc<ManualClock>,
    next: Mutex<Option<Duration>>,
}

impl Between for Late {
    fn later(&self) -> Option<BoxFuture<'static, ()>> {
        let pause = self.next.lock().unwrap().take()?;
        Some(self.clock.sleep(pause))
    }
}

async fn world_on_late() -> (World, Arc<Watched<Late>>) {
    let sim = Sim::start(Profile::rotating(Rotation::FamilyKill))
        .await
        .unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let between = Late {
        clock: Arc::clone(&clock),
        next: Mutex::default(),
    };
    let store = Arc::new(Watched {
        inner: Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>)),
        between,
    });
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    world.login("alice").await.unwrap();
    (world, store)
}

#[tokio::test]
async fn an_intent_that_is_written_after_its_owner_has_given_up_keeps_nobody_waiting() {
    let (world, store) = world_on_late().await;
    let alice = world.refrain.grant("alice").await.unwrap();
    for pause in [0, 50, 3000, 20_000].map(Duration::from_millis) {
        world.pass(HOUR);
        let fence = world.row("alice").await.fence;
        *store.between.next.lock().unwrap() = Some(pause);
        let error = world.in_time(alice.access_token()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Storage);
        let armed = async {
            while world.row("alice").await.fence == fence {
                world.clock.sleep(Duration::from_millis(20)).await;
            }
            world.clock.uptime()
        };
        let armed = world.in_time(armed).await;
        let free = async {
            while world.row("alice").await.intent.is_some() {
                let waited = world.clock.uptime().since(armed);
                assert!(waited < Duration::from_secs(5), "{pause:?}: {waited:?}");
                world.clock.sleep(Duration::from_millis(20)).await;
            }
        };
        world.in_time(free).await;
        world.in_time(alice.access_token()).await.unwrap();
        // Nothing was presented under it, and nothing is in doubt.
        assert_eq!(world.row("alice").await.candidates, []);
    }
    assert_eq!(world.sim.counts().refused, 0);
}

#[tokio::test]
async fn an_intent_of_our_own_that_came_late_puts_nothing_in_doubt() {
    let (world, store) = world_on_late().await;
    let alice = world.refrain.grant("alice").await.unwrap();
    world.pass(HOUR);
    *store.between.next.lock().unwrap() = Some(Duration::ZERO);
    // Nobody has looked at the row again when the next one wants to refresh.
    alice.access_token().await.unwrap_err();
    alice.access_token().await.unwrap();
    let row = world.row("alice").await;
    assert_eq!((row.generation.0, row.candidates.len()), (1, 0));
}

#[tokio::test]
async fn a_login_whose_write_was_not_answered_is_not_written_twice() {
    let (world, store) = world_on_late().await;
    let epoch = world.row("alice").await.epoch;
    *store.between.next.lock().unwrap() = Some(Duration::ZERO);
    world.in_time(world.login("alice")).await.unwrap();
    assert_eq!(world.row("alice").await.epoch, epoch.next());
}

#[tokio::test]
async fn a_login_whose_write_was_not_answered_undoes_no_logout() {
    let (world, store) = world_on_late().await;
    let epoch = world.row("alice").await.epoch;
    *store.between.next.lock().unwrap() = Some(Duration::ZERO);
    let elsewhere = world.another_on(&store.inner);
    let logout = async {
        while world.row("alice").await.epoch == epoch {
            tokio::task::yield_now().await;
        }
        let alice = elsewhere.grant("alice").await.unwrap();
        alice.logout().await.unwrap();
    };
    let both = async { tokio::join!(world.login("alice"), logout).0 };
    let error = world.in_time(both).await.unwrap_err();
    assert_eq!(error.code(), "login_overtaken");
    let status = world.status("alice").await;
    assert!(matches!(status, Status::SignedOut { .. }), "{status:?}");
}

/// Has the rows locked until a time, and counts who tries them meanwhile.
#[derive(Debug)]
struct Locking {
    clock: Arc<ManualClock>,
    until: AtomicI64,
    tries: AtomicU64,
}

impl Between for Locking {
    fn locks(&self) -> bool {
        let locks = self.clock.uptime().0 < self.until.load(Ordering::SeqCst);
        self.tries.fetch_add(u64::from(locks), Ordering::SeqCst);
        locks
    }
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_is_not_tried_without_a_pause() {
    let sim = Sim::start(Profile::rotating(Rotation::FamilyKill))
        .await
        .unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let between = Locking {
        clock: Arc::clone(&clock),
        until: AtomicI64::new(0),
        tries: AtomicU64::new(0),
    };
    let store = Arc::new(Watched {
        inner: Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>)),
        between,
    });
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    let alice = world.login("alice").await.unwrap();
    let lock = || {
        let second = world.clock.uptime().0 + 1000;
        store.between.until.store(second, Ordering::SeqCst);
        store.between.tries.store(0, Ordering::SeqCst);
    };
    // A second, in which time goes by in steps of 20 ms.
    let tries = || store.between.tries.load(Ordering::SeqCst);
    lock();
    world.in_time(world.login("alice")).await.unwrap();
    assert!((1..200).contains(&tries()), "{}", tries());
    lock();
    world.in_time(alice.logout()).await.unwrap();
    assert!((1..200).contains(&tries()), "{}", tries());
}
