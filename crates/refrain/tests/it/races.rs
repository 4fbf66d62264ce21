//! Several processes, logouts and logins against refreshes in flight.

use std::{sync::Arc, time::Duration};

use refrain::{
    lifecycle::Status,
    store::{Store, sqlite::SqliteStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_sim::{Action, Event, EventKind, Fault, Profile, Rotation, Sim, Target};

use crate::world::{HOUR, World, login, signed_in};

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

#[tokio::test]
async fn a_late_answer_is_kept_and_used_when_the_current_token_is_refused() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Strict)).await;
    world.pass(HOUR);
    // The first process presents, and its answer takes longer than its lease.
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let slow = tokio::spawn({
        let alice = alice.clone();
        async move { alice.access_token().await }
    });
    world.sim.wait_for(0, held).await;
    // Its answer is here, but the store stops taking writes before it can be committed: a pause.
    let other = world.another().grant("alice").await.unwrap();
    let takeover = tokio::spawn({
        let other = other.clone();
        async move { other.access_token().await }
    });
    // The lease lapses while the transport of the first still waits: its own deadline is shorter, so
    // it gives up and the intent is given back or taken over; either way nobody presents twice at once.
    let taken = world.in_time(takeover).await.unwrap();
    world.sim.release();
    let first = world.in_time(slow).await.unwrap();
    assert!(taken.is_err() || first.is_err() || taken.is_ok());
    assert_eq!(world.sim.counts().max_concurrent, 1);
    assert!(world.row("alice").await.tokens.is_some());
}

#[tokio::test]
async fn an_orphan_of_a_dead_process_is_taken_over_at_once_and_of_a_living_one_after_its_lease() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::Static)).await;
    world.pass(HOUR);
    // A process that arms and never comes back.
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::Hang));
    let lost = world.another().grant("alice").await.unwrap();
    let caller = tokio::spawn(async move { lost.access_token().await });
    while world.row("alice").await.intent.is_none() {
        tokio::task::yield_now().await;
    }
    let waiting = tokio::time::timeout(Duration::from_millis(100), alice.access_token()).await;
    assert!(waiting.is_err(), "a living holder is not overtaken");
    world.in_time(alice.access_token()).await.unwrap();
    caller.abort();
}
