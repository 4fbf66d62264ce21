//! The answer decides rotation, whatever the provider did the time before.

use std::time::Duration;

use proptest::prelude::*;
use refrain::lifecycle::Status;
use refrain_sim::{Action, Fault, Profile, Rotation, Target};

use crate::world::{HOUR, signed_in};

fn modes() -> impl Strategy<Value = Rotation> {
    prop_oneof![
        Just(Rotation::Static),
        Just(Rotation::Omit),
        Just(Rotation::Empty),
        Just(Rotation::Null),
        Just(Rotation::Echo),
        Just(Rotation::Grace { seconds: 30 }),
        Just(Rotation::Strict),
        Just(Rotation::FamilyKill),
        Just(Rotation::UntilUsed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_sequence_of_kept_and_replaced_tokens_is_followed(
        steps in proptest::collection::vec((modes(), any::<bool>()), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let (world, alice) = signed_in(Profile::default()).await;
            let mut consent = world.row("alice").await.consent;
            let mut generation = 0;
            for (number, (rotation, login_again)) in steps.into_iter().enumerate() {
                world.sim.set_rotation(rotation);
                if login_again && number % 4 == 3 {
                    world.login("alice").await.unwrap();
                    let renewed = world.row("alice").await.consent;
                    assert!(renewed > consent, "a consent moves the day");
                    (consent, generation) = (renewed, 0);
                }
                world.pass(HOUR);
                alice.access_token().await.unwrap();
                if rotation.rotates() {
                    generation += 1;
                }
                let row = world.row("alice").await;
                assert_eq!(row.consent, consent, "a refresh does not move it");
                assert_eq!(row.generation.0, generation, "{rotation:?}");
            }
            assert_eq!(world.sim.counts().refused, 0);
        });
    }
}

/// The provider takes a request up when it has answered the repetition of it, and withdraws what that
/// brought. The token that both presented is the only one that still works.
#[tokio::test]
async fn a_request_that_is_served_after_its_repetition_costs_no_grant() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::UntilUsed)).await;
    world.pass(HOUR);
    let held = Fault::once(Target::TokenRefresh, Action::Hold);
    world.sim.script(held);
    world.in_time(alice.access_token()).await.unwrap();
    let served = world.sim.counts().refreshes;
    world.sim.release();
    while world.sim.counts().refreshes == served {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for wait in [HOUR, HOUR / 4] {
        world.pass(wait);
        let error = alice.access_token().await.unwrap_err();
        assert_eq!(error.code(), "refused_early");
    }
    world.pass(HOUR * 6);
    alice.access_token().await.unwrap();
    let row = world.row("alice").await;
    assert_eq!(row.status, Status::Active);
    assert!(row.candidates.is_empty(), "the one that works proves it");
}

/// Where a token is good for one use, a false refusal must not lead to the one before it.
#[tokio::test]
async fn a_false_refusal_after_a_lost_answer_ends_no_authorization() {
    let (world, alice) = signed_in(Profile::rotating(Rotation::FamilyKill)).await;
    world.pass(HOUR);
    let before = Fault::once(Target::TokenRefresh, Action::CutBeforeCommit);
    world.sim.script(before);
    world.in_time(alice.access_token()).await.unwrap();
    assert_eq!(world.row("alice").await.candidates.len(), 1);
    world.pass(HOUR);
    let refusal = Action::FalseRefusal { description: None };
    world.sim.script(Fault::once(Target::TokenRefresh, refusal));
    assert_eq!(
        alice.access_token().await.unwrap_err().code(),
        "refused_early"
    );
    world.pass(HOUR / 4);
    alice.access_token().await.unwrap();
    assert_eq!(world.sim.counts().refused, 0, "but for the false one");
}
