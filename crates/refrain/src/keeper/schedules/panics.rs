//! A refresh that panics takes no other with it.

use std::time::Duration;

use shuttle::{
    future::spawn,
    rand::{Rng as _, thread_rng},
};

use crate::{
    keeper::schedules::{
        explore::{Pace, Sometimes, explore},
        provider::Rotation,
        world::{HOUR, World, which},
    },
    time::Clock as _,
};

#[test]
fn the_refresh_after_one_that_panics_waits_for_nothing() {
    static BROKE_OFF: Sometimes = Sometimes::new("a caller was told of the panic");
    static SPARED: Sometimes = Sometimes::new("a caller at the same time was not");
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(HOUR);
        let begun = world.clock.uptime();
        {
            let mut provider = world.provider.state();
            // What a panic loses may be the only answer there is; this one gives another.
            provider.rotation = Rotation::Static;
            provider.breaks = 1;
            provider.breaks_early = thread_rng().r#gen();
        }
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let process = process.clone();
                spawn(async move { process.token().await })
            })
            .collect();
        for caller in callers {
            match caller.await.unwrap() {
                Ok(token) => {
                    assert_eq!(which(&token).0, 0);
                    SPARED.happens();
                }
                Err(error) => {
                    assert_eq!(error.code(), "broke_off");
                    BROKE_OFF.happens();
                }
            }
        }
        which(&process.token().await.unwrap());
        process.drain().await;
        assert!(world.row().await.intent.is_none());
        // A lease lasts thirty.
        assert!(world.clock.uptime().since(begun) < Duration::from_secs(10));
    });
    BROKE_OFF.has_happened();
    SPARED.has_happened();
}
