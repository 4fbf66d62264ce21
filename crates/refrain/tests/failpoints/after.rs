//! What a panic, or somebody who hangs up, leaves behind: nothing that the next one stumbles over.

use std::{sync::Arc, time::Duration};

use refrain::{
    failpoint::{Action, Point},
    lifecycle::Status,
    store::Store,
    time::Clock as _,
};
use refrain_sim::{EventKind, RevokeMode, Rotation};

use crate::world::{Engine, HOUR, Process, World};

async fn world(rotation: Rotation) -> (World, Arc<dyn Store>, Process) {
    let world = World::new(rotation, Engine::Sqlite).await;
    let store = world.store().await;
    let process = world.process(&store);
    world.sign_in(&process, "alice").await;
    (world, store, process)
}

#[tokio::test]
async fn a_panic_in_a_refresh_fails_its_waiters_and_nobody_after_them() {
    let (world, store, process) = world(Rotation::Grace { seconds: 30 }).await;
    world.pass(HOUR);
    process.points.set(Point::RecvDone, Action::Panic, 1);
    let grant = process.refrain.grant("alice").await.unwrap();
    let (one, two) = world
        .in_time(async { tokio::join!(grant.access_token(), grant.access_token()) })
        .await;
    let codes = [one, two].map(|it| it.err().map(|it| it.code()));
    assert_eq!(codes, [Some("broke_off"); 2]);
    let row = world.row(&process, "alice").await;
    assert!(row.intent.is_none(), "nobody waits for its lease");
    assert!(
        row.unanswered.is_some_and(|it| it.missing),
        "and it is known what is missing"
    );
    // At once: a provider that forgives does so for seconds.
    let other = world.process(&store);
    let began = world.time.now().uptime;
    world.ask(&other, "alice").await.unwrap();
    assert!(world.time.now().uptime.since(began) < Duration::from_secs(5));
    world.ask(&process, "alice").await.unwrap();
}

#[tokio::test]
async fn a_refresh_that_is_dropped_with_its_runtime_does_not_hold_up_the_next() {
    let (world, _, process) = world(Rotation::Grace { seconds: 30 }).await;
    world.pass(HOUR);
    process.points.set(Point::SendDone, Action::Drop, 1);
    let error = world.ask(&process, "alice").await.unwrap_err();
    assert_eq!(error.code(), "still_refreshing");
    world.ask(&process, "alice").await.unwrap();
    assert_eq!(world.row(&process, "alice").await.status, Status::Active);
}

#[tokio::test]
async fn an_answer_that_cannot_be_sealed_is_kept_until_it_can() {
    let (world, _, process) = world(Rotation::FamilyKill).await;
    let before = world.sim.counts();
    world.pass(HOUR);
    process.points.set(Point::ParseClassified, Action::Error, 4);
    world.ask(&process, "alice").await.unwrap();
    world.pass(HOUR);
    world.ask(&process, "alice").await.unwrap();
    let after = world.sim.counts();
    assert_eq!((after.refreshes - before.refreshes, after.refused), (2, 0));
}

#[tokio::test]
async fn callers_are_told_what_an_answer_waits_for() {
    let (world, _, process) = world(Rotation::FamilyKill).await;
    world.pass(HOUR);
    process
        .points
        .set(Point::ParseClassified, Action::Error, u32::MAX);
    let error = world.ask(&process, "alice").await.unwrap_err();
    assert_eq!(error.code(), "sealed_row");
    process.points.clear();
    world.ask(&process, "alice").await.unwrap();
}

#[tokio::test]
async fn a_feed_that_panics_is_begun_again_and_leaves_nothing_out() {
    let (world, store, process) = world(Rotation::Static).await;
    let grant = process.refrain.grant("alice").await.unwrap();
    for times in [1, 2] {
        let held = world.in_time(grant.access_token()).await.unwrap();
        world
            .in_time(world.time.sleep(Duration::from_secs(3)))
            .await;
        process.points.set(Point::FeedLost, Action::Panic, times);
        let other = world.process(&store);
        let refreshed = other.refrain.grant("alice").await.unwrap();
        world.in_time(refreshed.refresh()).await.unwrap();
        // Nobody asks meanwhile; from the first round that is heard on it vouches again.
        world
            .in_time(world.time.sleep(Duration::from_secs(20)))
            .await;
        assert_eq!(process.points.fired().len(), if times == 1 { 1 } else { 3 });
        let reads = world.in_time(grant.access_token()).await.unwrap();
        assert!(!reads.ct_eq(&held));
    }
}

#[tokio::test]
async fn a_logout_whose_caller_hangs_up_is_seen_through() {
    let (world, _, process) = world(Rotation::Static).await;
    world
        .sim
        .update_profile(|profile| profile.revoke = RevokeMode::Works);
    process
        .points
        .set(Point::LogoutAfterDurable, Action::Hold, 1);
    let grant = process.refrain.grant("alice").await.unwrap();
    let caller = tokio::spawn(async move { grant.logout().await.map(drop) });
    process.points.reached(Point::LogoutAfterDurable).await;
    caller.abort();
    assert!(caller.await.is_err());
    process.points.release();
    world.close(process).await;
    let revoked = |event: &refrain_sim::Event| matches!(event.kind, EventKind::RevokeCall { .. });
    assert!(world.sim.history().iter().any(revoked));
}
