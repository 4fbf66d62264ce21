//! Several processes, logouts and logins against refreshes in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    id::InstanceId,
    lifecycle::{self, Ask, Cause, Status, app::AppState},
    store::{Liveness, Store, StoreError, memory::MemoryStore, sqlite::SqliteStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Action, Event, EventKind, Fault, Profile, Rotation, Sim, Target};

use crate::{
    between::{Between, Call, Watched},
    world::{DAY, HOUR, World, login, signed_in},
};

fn held(event: &Event) -> bool {
    matches!(event.kind, EventKind::Held { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_on_one_file_refresh_once_per_expiry() {
    let sim = Sim::start(Profile::default()).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let folder = tempfile::tempdir().unwrap();
    let open = || async {
        let clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = SqliteStore::open(&folder.path().join("refrain.db"), clock)
            .await
            .unwrap();
        store.prepare().await.unwrap();
        Arc::new(store) as Arc<dyn Store>
    };
    let world = World::on(sim, Arc::clone(&clock), open().await);
    world.login("alice").await.unwrap();
    let mut processes = Vec::new();
    for _ in 0..8 {
        processes.push(
            world
                .another_on(&open().await)
                .grant("alice")
                .await
                .unwrap(),
        );
    }
    for round in 1..=5 {
        world.pass(HOUR);
        let mut callers = tokio::task::JoinSet::new();
        for process in &processes {
            for _ in 0..32 {
                let process = process.clone();
                callers.spawn(async move { process.access_token().await.unwrap() });
            }
        }
        let all = async {
            let mut tokens = Vec::new();
            while let Some(token) = callers.join_next().await {
                tokens.push(token.unwrap());
            }
            tokens
        };
        // The losers look at the row again and again, so time has to pass for them.
        let tokens = world.in_time(all).await;
        assert!(tokens.iter().all(|token| token.ct_eq(&tokens[0])));
        assert_eq!(world.refreshes(), round);
    }
    assert_eq!(
        (
            world.sim.counts().refused,
            world.sim.counts().max_concurrent
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn logout_wins_over_a_refresh_in_flight() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let refresh = tokio::spawn({
        let alice = alice.clone();
        async move { alice.access_token().await }
    });
    world.sim.wait_for(0, held).await;
    world
        .another()
        .grant("alice")
        .await
        .unwrap()
        .logout()
        .await
        .unwrap();
    world.sim.release();
    assert_eq!(refresh.await.unwrap().unwrap_err().code(), "signed_out");
    let row = world.row("alice").await;
    assert!(matches!(row.status, Status::SignedOut { .. }) && row.tokens.is_none());
}

#[tokio::test]
async fn a_new_login_wins_over_a_refresh_in_flight() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let refresh = tokio::spawn({
        let alice = alice.clone();
        async move { alice.access_token().await }
    });
    world.sim.wait_for(0, held).await;
    login(&world.another(), &world.sim, "alice").await.unwrap();
    let after = world.row("alice").await;
    world.sim.release();
    // The late answer is void; what is served is the token of the new login.
    let token = refresh.await.unwrap().unwrap();
    assert_eq!(world.row("alice").await, after);
    assert!(token.ct_eq(&alice.access_token().await.unwrap()));
    world.pass(HOUR);
    alice.access_token().await.unwrap();
    assert_eq!(world.sim.counts().refused, 0);
}

/// A consent is renewed before its day while programs go on asking, here and in another process.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_consent_takes_over_without_a_gap() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(150 * DAY);
    let elsewhere = world.another().grant("alice").await.unwrap();
    let before = alice.current().await.unwrap().live.line().0;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let grant = if number % 2 == 0 { &alice } else { &elsewhere }.clone();
        callers.spawn(async move {
            let mut reads = 0_u64;
            loop {
                let served = grant.current().await.unwrap();
                assert!(served.warning.is_none(), "{:?}", served.warning);
                reads += 1;
                if served.live.line().0 != before {
                    return (served.live.line().0, reads);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let old = world.row("alice").await;
    login(&world.another(), &world.sim, "alice").await.unwrap();
    let ended = world.in_time(callers.join_all()).await;
    let new = world.row("alice").await;
    assert!(
        ended.iter().all(|(epoch, _)| *epoch == new.epoch),
        "{ended:?}"
    );
    assert!(ended.iter().any(|(_, reads)| *reads > 1), "{ended:?}");
    let day = |row: &lifecycle::GrantRow| row.consent.unwrap().reauthorize_by;
    assert!(day(&new) > day(&old));
    for grant in [&alice, &elsewhere] {
        let served = grant.current().await.unwrap();
        assert_eq!(served.live.line().0, new.epoch);
    }
    assert_eq!(world.sim.counts().refused, 0);
}

/// Writes the intent of a process that is not this one.
async fn arm_as(store: &dyn Store, clock: &ManualClock, who: InstanceId, dead: Option<InstanceId>) {
    let now = clock.now();
    let seen = store
        .grant(&"alice".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let ask = Ask {
        attempt: 0,
        cause: Cause::Due,
        instance: who,
        now: &now,
        store_now: store.now().await.unwrap(),
        dead,
        app: &AppState::default(),
        canary: false,
    };
    let (change, _) = lifecycle::arm(&seen.value, &ask).unwrap();
    store.replace(seen.version, &change).await.unwrap();
}

const LOST: InstanceId = InstanceId(77);
const RIVAL: InstanceId = InstanceId(88);

/// A world on a memory store that the test can tell who is dead.
async fn world_with_orphan(rotation: Rotation) -> (World, Arc<MemoryStore>) {
    let sim = Sim::start(Profile::rotating(rotation)).await.unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let world = World::on(sim, clock, Arc::clone(&store) as Arc<dyn Store>);
    world.login("alice").await.unwrap();
    world.pass(HOUR);
    arm_as(store.as_ref(), &world.clock, LOST, None).await;
    (world, store)
}

#[tokio::test]
async fn an_orphan_of_a_dead_process_is_taken_over_at_once() {
    let (world, store) = world_with_orphan(Rotation::Static).await;
    store.bury(LOST);
    let alice = world.refrain.grant("alice").await.unwrap();
    alice.access_token().await.unwrap();
    let told = alice.story().await.unwrap();
    assert!(format!("{told:?}").contains("TookOver"), "{told:?}");
}

#[tokio::test]
async fn what_a_dead_process_left_is_taken_up_although_nobody_asks() {
    let (world, store) = world_with_orphan(Rotation::Static).await;
    store.bury(LOST);
    world.refrain.take_up_orphans();
    assert!(world.refrain.idle(Duration::from_secs(10)).await);
    assert_eq!(world.refreshes(), 1);
    assert!(world.row("alice").await.intent.is_none());
}

#[tokio::test]
async fn the_intent_of_a_living_process_holds_until_its_lease_and_the_skew_are_over() {
    let (world, _) = world_with_orphan(Rotation::Static).await;
    let alice = world.refrain.grant("alice").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(100), alice.access_token()).await;
    assert!(waiting.is_err(), "a living holder is not overtaken");
    assert_eq!(world.refreshes(), 0);
    world.pass(Duration::from_secs(33));
    world.in_time(alice.access_token()).await.unwrap();
}

#[tokio::test]
async fn an_orphan_that_has_to_wait_is_looked_for_again() {
    let (world, store) = world_with_orphan(Rotation::Static).await;
    store.bury(LOST);
    let app = "default".parse().unwrap();
    let seen = store.app_state(&app).await.unwrap();
    let now = world.clock.now();
    let throttled = seen.value.throttled(Duration::from_secs(45), &now);
    store
        .replace_app_state(&app, seen.version, &throttled)
        .await
        .unwrap();
    world.refrain.take_up_orphans();
    let taken_up = async {
        while world.row("alice").await.intent.is_some() {
            let passed = world.clock.now().uptime.since(now.uptime);
            assert!(passed < Duration::from_secs(300), "nobody has looked again");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    world.in_time(taken_up).await;
    assert_eq!(world.refreshes(), 1, "nobody had to ask");
}

/// A living process takes an orphan over right after somebody has found it dead.
#[derive(Debug)]
struct Rival {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    waits: AtomicBool,
}

#[async_trait]
impl Between for Rival {
    async fn after(&self, call: Call) -> Result<(), StoreError> {
        if let Call::Liveness(instance) = call
            && self.store.liveness(instance).await? == Liveness::Dead
            && self.waits.swap(false, Ordering::SeqCst)
        {
            arm_as(self.store.as_ref(), &self.clock, RIVAL, Some(instance)).await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_death_of_one_holder_is_not_held_against_the_next() {
    let (world, inner) = world_with_orphan(Rotation::FamilyKill).await;
    inner.bury(LOST);
    let between = Rival {
        store: Arc::clone(&inner),
        clock: Arc::clone(&world.clock),
        waits: AtomicBool::new(true),
    };
    let store: Arc<dyn Store> = Arc::new(Watched { inner, between });
    let third = world.another_on(&store).grant("alice").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(300), third.access_token()).await;
    assert!(
        waiting.is_err(),
        "the rival lives, and its lease is seconds old"
    );
    assert_eq!(world.refreshes(), 0);
}

/// Stands in for a store that does not take one process's writes for a while.
#[derive(Debug, Default)]
struct Stuck(AtomicBool);

#[async_trait]
impl Between for Arc<Stuck> {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        if call == Call::Write && self.0.load(Ordering::SeqCst) {
            return Err(StoreError::Full {
                place: "the test".into(),
                source: refrain::store::cause("no space"),
            });
        }
        Ok(())
    }
}

/// Lets another process's late answer arrive between the intent and the check before presenting.
#[derive(Debug)]
struct Overtaken {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    other: Arc<Stuck>,
    writes: AtomicU32,
}

#[async_trait]
impl Between for Overtaken {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        // It has made itself known and written its intent: this is the look before presenting.
        if call != Call::Read || self.writes.swap(0, Ordering::SeqCst) < 2 {
            return Ok(());
        }
        self.other.0.store(false, Ordering::SeqCst);
        while self.row().await.candidates.is_empty() {
            self.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn after(&self, call: Call) -> Result<(), StoreError> {
        if call == Call::Write {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Overtaken {
    async fn row(&self) -> lifecycle::GrantRow {
        let row = self.store.grant(&"alice".parse().unwrap()).await.unwrap();
        row.unwrap().value
    }
}

#[tokio::test]
async fn a_successor_that_comes_after_the_intent_is_presented_and_not_the_token_in_hand() {
    let sim = Sim::start(Profile::rotating(Rotation::FamilyKill))
        .await
        .unwrap();
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
    let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let world = World::on(
        sim,
        Arc::clone(&clock),
        Arc::clone(&store) as Arc<dyn Store>,
    );
    world.login("alice").await.unwrap();
    let stuck = Arc::new(Stuck::default());
    let one: Arc<dyn Store> = Arc::new(Watched {
        inner: Arc::clone(&store) as Arc<dyn Store>,
        between: Arc::clone(&stuck),
    });
    let other: Arc<dyn Store> = Arc::new(Watched {
        inner: Arc::clone(&store) as Arc<dyn Store>,
        between: Overtaken {
            store,
            clock,
            other: Arc::clone(&stuck),
            writes: AtomicU32::new(0),
        },
    });
    let first = world.another_on(&one).grant("alice").await.unwrap();
    let second = world.another_on(&other).grant("alice").await.unwrap();
    world.pass(HOUR);
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let waiting = tokio::spawn(async move { first.access_token().await });
    world.sim.wait_for(0, held).await;
    // The answer is on its way, and will not be stored before the lease is over.
    stuck.0.store(true, Ordering::SeqCst);
    world.sim.release();
    while world.refreshes() < 1 {
        tokio::task::yield_now().await;
    }
    world.pass(Duration::from_secs(33));
    world.in_time(second.access_token()).await.unwrap();
    assert_eq!((world.refreshes(), world.sim.counts().refused), (2, 0));
    waiting.abort();
}

#[tokio::test]
async fn what_a_process_of_another_machine_left_is_taken_up_once_its_lease_is_over() {
    let (world, _) = world_with_orphan(Rotation::Static).await;
    // Whether its owner lives is not known here; nobody asks for the grant.
    world.refrain.take_up_orphans();
    let began = world.clock.uptime();
    let taken_up = async {
        while world.row("alice").await.intent.is_some() {
            let passed = world.clock.uptime().since(began);
            assert!(passed < Duration::from_secs(100), "nobody has looked again");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    world.in_time(taken_up).await;
    let passed = world.clock.uptime().since(began);
    assert!(
        passed > Duration::from_secs(32),
        "{passed:?}: it may have lived"
    );
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn whoever_boards_the_refresh_of_others_waits_no_longer_than_they() {
    let (world, _) = world_with_orphan(Rotation::Static).await;
    let alice = world.refrain.grant("alice").await.unwrap();
    let waiting = tokio::spawn({
        let alice = alice.clone();
        async move { alice.access_token().await }
    });
    tokio::task::yield_now().await;
    let began = world.clock.uptime();
    let error = world.in_time(alice.refresh()).await.unwrap_err();
    let waited = world.clock.uptime().since(began);
    assert_eq!(error.code(), "still_refreshing");
    assert!(waited < Duration::from_secs(17), "{waited:?}");
    waiting.abort();
}
