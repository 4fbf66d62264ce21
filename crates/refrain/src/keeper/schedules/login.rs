//! A new login wins over a refresh of the one before.

use shuttle::{
    future::spawn,
    rand::{Rng as _, thread_rng},
};

use crate::keeper::schedules::{
    explore::{Pace, Sometimes, explore},
    world::{HOUR, Moment, Process, World, which},
};

/// Asks, and sees that every answer that was given after the login holds a token of it.
async fn ask_until(process: Process, begun: Moment) {
    for _ in 0..3 {
        let (answer, after) = begun.before_answer(process.token()).await;
        let (login, _) = which(&answer.unwrap());
        assert!(login == 1 || !after, "a token of the login before");
    }
}

#[test]
fn a_new_login_wins_over_a_refresh_in_flight() {
    static VOID: Sometimes = Sometimes::new("an answer for the login before was void");
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(HOUR);
        let begun = Moment::default();
        let callers: Vec<_> = (0..3)
            .map(|_| spawn(ask_until(process.clone(), begun.clone())))
            .collect();
        let watch = spawn(world.clone().watch(process.clone()));
        if thread_rng().r#gen() {
            process.log_in("alice").await.unwrap();
            begun.comes();
        } else {
            // In another process; this one hears of it.
            world.process().log_in("alice").await.unwrap();
        }
        let epoch = world.row().await.epoch;
        for caller in callers {
            caller.await.unwrap();
        }
        watch.await.unwrap();
        process.drain().await;
        let row = world.row().await;
        assert_eq!((row.epoch, row.generation.0), (epoch, 0));
        if world.provider.refreshes() == 1 {
            VOID.happens();
        }
        world.clock.advance(HOUR);
        assert_eq!(which(&process.token().await.unwrap()), (1, 1));
        assert_eq!(
            (world.provider.again(), world.provider.state().refused),
            (0, 0)
        );
    });
    VOID.has_happened();
}
