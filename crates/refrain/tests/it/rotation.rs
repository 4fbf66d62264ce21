//! The answer decides rotation, whatever the provider did the time before.

use proptest::prelude::*;
use refrain_sim::{Profile, Rotation};

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
