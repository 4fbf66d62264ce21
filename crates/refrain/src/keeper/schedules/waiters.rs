//! One refresh for everybody, and callers who hang up.

use std::time::Duration;

use shuttle::{
    future::{JoinHandle, spawn},
    rand::{Rng as _, thread_rng},
};

use crate::keeper::schedules::{
    explore::{Pace, Sometimes, explore},
    world::{HOUR, Process, World, impatient, which},
};

/// So many ask for a token at the same time; the login and number of what each is given.
fn ask(process: &Process, callers: usize) -> Vec<JoinHandle<(u32, u32)>> {
    let ask = |_| {
        let process = process.clone();
        spawn(async move { which(&process.token().await.unwrap()) })
    };
    (0..callers).map(ask).collect()
}

#[test]
fn any_number_of_callers_cause_one_refresh() {
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(HOUR);
        for caller in ask(&process, 5) {
            assert_eq!(caller.await.unwrap(), (0, 1));
        }
        process.drain().await;
        assert_eq!(world.provider.refreshes(), 1);
    });
}

#[test]
fn a_due_token_is_served_while_one_refresh_fetches_the_next() {
    static SERVED: Sometimes = Sometimes::new("a due token was served");
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(Duration::from_secs(3300));
        for caller in ask(&process, 5) {
            let (login, minting) = caller.await.unwrap();
            assert!(login == 0 && minting <= 1);
            if minting == 0 {
                SERVED.happens();
            }
        }
        process.drain().await;
        assert_eq!(which(&process.token().await.unwrap()), (0, 1));
        assert_eq!(world.provider.refreshes(), 1);
    });
    SERVED.has_happened();
}

#[test]
fn a_rejected_token_is_replaced_once_for_all_who_hold_it() {
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        let dead = process.token().await.unwrap();
        let stragglers: Vec<_> = (0..4)
            .map(|_| {
                let (process, dead) = (process.clone(), dead.clone());
                spawn(async move { which(&process.rejected(&dead).await.unwrap()) })
            })
            .collect();
        for straggler in stragglers {
            assert_eq!(straggler.await.unwrap(), (0, 1));
        }
        assert_eq!(world.provider.refreshes(), 1);
    });
}

#[test]
fn a_caller_who_hangs_up_disturbs_nobody() {
    static HUNG_UP: Sometimes = Sometimes::new("somebody hung up");
    static ALONE: Sometimes = Sometimes::new("all hung up, and the refresh went on");
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(HOUR);
        let hanging: Vec<_> = (0..4)
            .map(|_| {
                let (process, polls) = (process.clone(), thread_rng().gen_range(0..4));
                spawn(async move { impatient(process.token(), polls).await })
            })
            .collect();
        let patient = ask(&process, thread_rng().gen_range(0..3));
        let alone = patient.is_empty();
        for caller in hanging {
            match caller.await.unwrap() {
                Some(answer) => assert_eq!(which(&answer.unwrap()), (0, 1)),
                None => HUNG_UP.happens(),
            }
        }
        for caller in patient {
            assert_eq!(caller.await.unwrap(), (0, 1));
        }
        process.drain().await;
        let row = world.row().await;
        assert!(row.intent.is_none() && row.minting.0 == u64::from(world.provider.refreshes()));
        if alone && world.provider.refreshes() == 1 {
            ALONE.happens();
        }
        assert_eq!(which(&process.token().await.unwrap()), (0, 1));
        assert_eq!(world.provider.refreshes(), 1);
    });
    HUNG_UP.has_happened();
    ALONE.has_happened();
}
