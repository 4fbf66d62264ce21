//! One refresh per expiry, and what a caller gets meanwhile.

use std::time::Duration;

use refrain::keeper::Kind;
use refrain_sim::{Action, Fault, Profile, Target};

use crate::world::{HOUR, signed_in};

#[tokio::test]
async fn a_token_is_served_from_memory_until_it_is_due() {
    let (world, alice) = signed_in(Profile::default()).await;
    let first = alice.access_token().await.unwrap();
    world.pass(Duration::from_secs(3600 - 421));
    assert!(alice.access_token().await.unwrap().ct_eq(&first));
    assert_eq!(world.refreshes(), 0);
}

#[tokio::test]
async fn a_due_token_is_served_while_its_successor_is_fetched() {
    let (world, alice) = signed_in(Profile::default()).await;
    let first = alice.access_token().await.unwrap();
    world.pass(Duration::from_secs(3600 - 300));
    assert!(alice.access_token().await.unwrap().ct_eq(&first));
    assert!(world.refrain.idle(Duration::from_secs(5)).await);
    assert!(!alice.access_token().await.unwrap().ct_eq(&first));
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_callers_cause_one_refresh() {
    let (world, alice) = signed_in(Profile::default()).await;
    alice.access_token().await.unwrap();
    world.pass(HOUR);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let alice = alice.clone();
        callers.spawn(async move { alice.access_token().await.unwrap() });
    }
    let mut tokens = Vec::new();
    while let Some(token) = callers.join_next().await {
        tokens.push(token.unwrap());
    }
    assert!(tokens.iter().all(|token| token.ct_eq(&tokens[0])));
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_callers_share_one_failure() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    world.sim.script(Fault {
        on: Target::TokenRefresh,
        times: 1,
        share: None,
        action: Action::FalseRefusal { description: None },
    });
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let alice = alice.clone();
        callers.spawn(async move { alice.access_token().await.unwrap_err().code() });
    }
    while let Some(code) = callers.join_next().await {
        assert_eq!(code.unwrap(), "refused_early");
    }
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_cancel_the_refresh() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(HOUR);
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let mark = world.sim.history().len() as u64;
    let caller = tokio::spawn({
        let alice = alice.clone();
        async move { alice.access_token().await }
    });
    let held =
        |event: &refrain_sim::Event| matches!(event.kind, refrain_sim::EventKind::Held { .. });
    world.sim.wait_for(mark, held).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.sim.release();
    assert!(world.refrain.idle(Duration::from_secs(5)).await);
    alice.access_token().await.unwrap();
    assert_eq!(world.refreshes(), 1);
    assert_eq!(world.row("alice").await.generation.0, 1);
}

#[tokio::test]
async fn a_caller_may_say_how_long_the_token_must_live() {
    let (world, alice) = signed_in(Profile::default()).await;
    world.pass(Duration::from_secs(1800));
    let served = alice
        .access_token_for(Duration::from_secs(1700))
        .await
        .unwrap();
    assert!(served.warning.is_none());
    assert_eq!(world.refreshes(), 0);
    alice
        .access_token_for(Duration::from_secs(1900))
        .await
        .unwrap();
    assert_eq!(world.refreshes(), 1);
    // Longer than Spotify gives: as long as it gives, and not a refresh for every call.
    for _ in 0..5 {
        alice
            .access_token_for(Duration::from_secs(86_400))
            .await
            .unwrap();
    }
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn a_failed_early_refresh_does_not_take_away_a_token_that_works() {
    let (world, alice) = signed_in(Profile::default()).await;
    let first = alice.access_token().await.unwrap();
    world.pass(Duration::from_secs(3000));
    world.sim.script(Fault {
        on: Target::TokenRefresh,
        times: 100,
        share: None,
        action: Action::CutBeforeCommit,
    });
    let served = world
        .in_time(alice.access_token_for(Duration::from_secs(1200)))
        .await
        .unwrap();
    assert!(served.live.token().ct_eq(&first));
    assert_eq!(served.warning.unwrap().code(), "provider_unavailable");
    world.pass(Duration::from_secs(600));
    world.in_time(alice.access_token()).await.unwrap_err();
    world.sim.clear_scripts();
    world.pass(Duration::from_secs(1800));
    alice.access_token().await.unwrap();
}

#[tokio::test]
async fn the_wall_clock_may_jump_without_harm() {
    let (world, alice) = signed_in(Profile::default()).await;
    let first = alice.access_token().await.unwrap();
    let noon = refrain::time::Clock::wall(world.clock.as_ref());
    for jump in [1, 24, 24 * 365] {
        for wall in [noon.after(HOUR * jump), noon.before(HOUR * jump)] {
            world.clock.set_wall(wall);
            assert!(alice.access_token().await.unwrap().ct_eq(&first));
            let stranger = world.another().grant("alice").await.unwrap();
            assert!(stranger.access_token().await.unwrap().ct_eq(&first));
        }
    }
    assert_eq!(world.refreshes(), 0);
}

#[tokio::test]
async fn the_expired_access_token_and_unknown_parameters_are_never_sent() {
    let (world, alice) = signed_in(Profile::default()).await;
    for _ in 0..3 {
        world.pass(HOUR);
        alice.access_token().await.unwrap();
    }
    let odd = world.sim.history().into_iter().find(|event| {
        matches!(
            event.kind,
            refrain_sim::EventKind::UnexpectedParameter { .. }
                | refrain_sim::EventKind::StrayCredential { .. }
        )
    });
    assert_eq!(odd, None);
}

#[tokio::test]
async fn once_it_is_closed_no_refresh_begins() {
    let (world, alice) = signed_in(Profile::default()).await;
    let token = alice.access_token().await.unwrap();
    assert!(world.refrain.close(Duration::from_secs(5)).await);
    assert!(alice.access_token().await.unwrap().ct_eq(&token));
    world.pass(HOUR);
    let error = alice.access_token().await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("closing", Kind::TryLater));
    world.refrain.take_up_orphans();
    assert!(world.refrain.idle(Duration::from_secs(5)).await);
    assert_eq!(world.refreshes(), 0);
    assert!(world.row("alice").await.intent.is_none());
}
