//! A logout wins over every refresh and every look that is under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use shuttle::{
    future::spawn,
    rand::{Rng as _, thread_rng},
};

use crate::{
    keeper::schedules::{
        explore::{Pace, Sometimes, explore},
        world::{HOUR, Moment, Process, World, impatient},
    },
    lifecycle::Status,
    time::{Clock as _, Uptime},
};

/// Asks, and sees that no answer that was given after the logout holds a token; answers how many did.
async fn ask_until(process: Process, ended: Moment) -> u32 {
    let mut given = 0;
    for _ in 0..3 {
        match ended.before_answer(process.token()).await {
            (Ok(_), false) => given += 1,
            (Ok(token), true) => panic!("{} was served after the logout", token.expose()),
            (Err(error), _) => assert_eq!(error.code(), "signed_out"),
        }
    }
    given
}

#[test]
fn no_token_is_served_once_the_logout_is_acknowledged() {
    static BEFORE: Sometimes = Sometimes::new("a token was served before the logout");
    static NEVER: Sometimes = Sometimes::new("the answer of a refresh was void");
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        let age = [0, 3300, 3600][thread_rng().gen_range(0..3)];
        world.clock.advance(Duration::from_secs(age));
        let ended = Moment::default();
        let callers: Vec<_> = (0..3)
            .map(|_| spawn(ask_until(process.clone(), ended.clone())))
            .collect();
        process.log_out().await.unwrap();
        ended.comes();
        let mut given = 0;
        for caller in callers {
            given += caller.await.unwrap();
        }
        process.drain().await;
        assert_eq!(process.token().await.unwrap_err().code(), "signed_out");
        let row = world.row().await;
        assert!(row.tokens.is_none() && matches!(row.status, Status::SignedOut { .. }));
        if given > 0 {
            BEFORE.happens();
        } else if world.provider.refreshes() == 1 {
            NEVER.happens();
        }
    });
    BEFORE.has_happened();
    NEVER.has_happened();
}

#[test]
fn a_logout_goes_on_although_its_caller_hangs_up() {
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        process.token().await.unwrap();
        world.clock.advance(HOUR);
        let caller = spawn(ask_until(process.clone(), Moment::default()));
        impatient(process.log_out(), 1).await;
        process.drain().await;
        caller.await.unwrap();
        assert_eq!(process.token().await.unwrap_err().code(), "signed_out");
        assert!(world.row().await.tokens.is_none());
    });
}

/// Asks in another process, for as long as there is something to see.
async fn ask_elsewhere(process: Process, world: World, ended: Arc<AtomicI64>) {
    for _ in 0..12 {
        let began = world.clock.uptime();
        let answer = process.token().await;
        let reached = ended.load(Ordering::SeqCst).saturating_add(5000);
        assert!(
            answer.is_err() || began < Uptime(reached),
            "served {} ms after the logout",
            began.0 - reached + 5000
        );
    }
}

#[test]
fn a_logout_reaches_another_process_within_five_seconds() {
    static HEARD: Sometimes = Sometimes::new("the other process had no token yet");
    explore(Pace::Leaping, async |world: World| {
        let process = world.signed_in().await;
        let other = world.process();
        // Its feed runs, whether or not it has looked at this grant.
        process.log_in("bob").await.unwrap();
        let bob = Process {
            cell: other.keeper.cell(&"bob".parse().unwrap()),
            keeper: Arc::clone(&other.keeper),
        };
        bob.token().await.unwrap();
        if thread_rng().r#gen() {
            other.token().await.unwrap();
        } else {
            HEARD.happens();
        }
        let ended = Arc::new(AtomicI64::new(i64::MAX));
        let callers: Vec<_> = (0..2)
            .map(|_| {
                spawn(ask_elsewhere(
                    other.clone(),
                    world.clone(),
                    Arc::clone(&ended),
                ))
            })
            .collect();
        process.log_out().await.unwrap();
        ended.store(world.clock.uptime().0, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
    });
    HEARD.has_happened();
}
