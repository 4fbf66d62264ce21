//! Refreshes ahead of expiry, and what reaches a process from the others without its asking.

use std::time::Duration;

use refrain::{Grant, lifecycle::row::Intent, time::StoreInstant};
use refrain_sim::{Action, Fault, Profile, Rotation, Target};

use crate::world::{HOUR, World, signed_in};

/// Lets seconds pass; while a refresh is under way, over real sockets, none does.
async fn live_through(seconds: u32, world: &World) {
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        rest().await;
        while !world.store.armed().await.unwrap().is_empty() {
            rest().await;
        }
    }
}

/// To the moment when an hour's token is due, and on until so many refreshes were made in all.
async fn until_refreshes(number: u64, world: &World) {
    world.pass(HOUR.mul_f64(0.9));
    for _ in 0..30 {
        live_through(1, world).await;
        if world.refreshes() >= number {
            return;
        }
    }
    panic!("{} refreshes and no more", world.refreshes());
}

/// Lets what may still be under way come to its end.
async fn rest() {
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Until a token is served without a look at its row.
async fn settled(grant: &Grant) {
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        grant.access_token().await.unwrap();
    }
}

#[tokio::test]
async fn a_grant_in_use_is_refreshed_ahead_and_an_idle_one_is_not() {
    let (world, alice) = signed_in(Profile::default()).await;
    let bob = world.login("bob").await.unwrap();
    let before = alice.access_token().await.unwrap();
    bob.access_token().await.unwrap();
    until_refreshes(2, &world).await;
    // What came ahead is served at once, and only alice's is asked for.
    assert!(!alice.access_token().await.unwrap().ct_eq(&before));
    assert_eq!(world.refreshes(), 2);
    until_refreshes(3, &world).await;
    world.pass(HOUR.mul_f64(0.9));
    live_through(12, &world).await;
    assert_eq!(
        world.refreshes(),
        3,
        "bob's was not asked for, and hers not since"
    );
}

#[tokio::test]
async fn refreshes_ahead_keep_the_pace_and_stop_at_a_rate_limit() {
    let world = World::new(Profile::default()).await;
    for number in 0..60 {
        let grant = world.login(&format!("grant-{number}")).await.unwrap();
        grant.access_token().await.unwrap();
    }
    until_refreshes(20, &world).await;
    assert!(
        world.refreshes() <= 41,
        "20 a second: {}",
        world.refreshes()
    );
    live_through(20, &world).await;
    assert!(world.refreshes() > 20, "and on: {}", world.refreshes());

    let limited = Action::Throttle {
        retry_after: Some("3000".to_owned()),
        quota: false,
    };
    for number in 0..60 {
        let grant = world
            .refrain
            .grant(&format!("grant-{number}"))
            .await
            .unwrap();
        grant.access_token().await.unwrap();
    }
    world
        .sim
        .script(Fault::times(Target::TokenRefresh, 1000, limited));
    let calls = world.sim.counts().token_calls;
    world.pass(HOUR.mul_f64(0.9));
    live_through(60, &world).await;
    let calls = world.sim.counts().token_calls - calls;
    assert!(
        (1..=41).contains(&calls),
        "no more than were under way: {calls}"
    );
}

#[tokio::test]
async fn a_process_has_one_feed_and_one_walk_however_long_it_lives() {
    let (world, alice) = signed_in(Profile::default()).await;
    settled(&alice).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..100 {
        world.pass(Duration::from_secs(5));
        rest().await;
        alice.access_token().await.unwrap();
    }
    assert!(tasks() <= before + 2, "{before} tasks became {}", tasks());
}

#[tokio::test]
async fn what_another_process_does_arrives_within_five_seconds() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::FamilyKill)).await;
    let other = world.another().grant("alice").await.unwrap();
    settled(&other).await;
    let old = other.access_token().await.unwrap();

    // A new token, with nobody asking here.
    alice.refresh().await.unwrap();
    live_through(5, &world).await;
    let new = other.access_token().await.unwrap();
    assert!(!new.ct_eq(&old));

    // A new login.
    world.login("alice").await.unwrap();
    live_through(5, &world).await;
    let newest = other.access_token().await.unwrap();
    assert!(!newest.ct_eq(&new));

    alice.logout().await.unwrap();
    live_through(5, &world).await;
    let error = other.access_token().await.unwrap_err();
    assert_eq!(error.code(), "signed_out");
}

#[tokio::test]
async fn a_process_that_was_stopped_looks_before_it_serves() {
    let (world, alice) = signed_in(Profile::default()).await;
    let other = world.another().grant("alice").await.unwrap();
    settled(&other).await;
    alice.logout().await.unwrap();
    // Time passes, and this process does not get to run: it has not heard of the logout.
    world.pass(Duration::from_secs(5));
    let error = other.access_token().await.unwrap_err();
    assert_eq!(error.code(), "signed_out");
}

#[tokio::test]
async fn an_intent_that_cannot_be_timed_lapses_all_the_same() {
    for (era, later) in [(7, Duration::ZERO), (0, 365 * 24 * HOUR)] {
        let (world, alice) = signed_in(Profile::default()).await;
        let seen = world.store.grant(alice.name()).await.unwrap().unwrap();
        let now = world.store.now().await.unwrap();
        let mut row = seen.value;
        row.fence = row.fence.next();
        row.intent = Some(Intent {
            attempt: 0,
            fence: row.fence,
            owner: refrain::id::InstanceId(99),
            armed_at: world.clock_wall(),
            // By a clock of another boot, or one that was a year ahead.
            deadline: StoreInstant {
                era: now.era ^ era,
                millis: now.millis,
            }
            .after(later),
        });
        let change = refrain::lifecycle::Change {
            row,
            events: vec![],
            forgets: false,
        };
        world.store.replace(seen.version, &change).await.unwrap();
        world.pass(HOUR);
        let waiting = tokio::time::timeout(Duration::from_millis(100), alice.access_token());
        assert!(waiting.await.is_err(), "whose it is may live");
        world.pass(Duration::from_secs(33));
        world.in_time(alice.access_token()).await.unwrap();
        assert_eq!(world.refreshes(), 1);
    }
}
