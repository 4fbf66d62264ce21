//! Several processes, logouts and logins against refreshes in flight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    world::{HOUR, World, login, signed_in},
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

/// Writes the intent of a process that is not this one.
async fn arm_as(store: &dyn Store, clock: &ManualClock, who: InstanceId, dead: Option<InstanceId>) {
    let now = clock.now();
    let seen = store
        .grant(&"alice".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let ask = Ask {
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
    assert!(world.refrain.close(Duration::from_secs(10)).await);
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
