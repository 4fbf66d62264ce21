//! Processes on one store, and what each of them does in the background.

use std::{sync::atomic::Ordering, time::Duration};

use shuttle::future::spawn;

use crate::{
    keeper::schedules::{
        explore::{Pace, Sometimes, explore},
        provider::Rotation,
        world::{HOUR, Process, World, which},
    },
    time::Clock as _,
};

/// Two processes that both hold a token which is dead now.
async fn two(world: &World) -> [Process; 2] {
    let (one, other) = (world.signed_in().await, world.process());
    one.token().await.unwrap();
    other.token().await.unwrap();
    world.clock.advance(HOUR);
    [one, other]
}

#[test]
fn two_processes_refresh_once_between_them() {
    explore(Pace::Idle, async |world: World| {
        let processes = two(&world).await;
        let mut tasks = Vec::new();
        for process in &processes {
            tasks.push(spawn(world.clone().watch(process.clone())));
            for _ in 0..2 {
                let process = process.clone();
                tasks.push(spawn(async move {
                    assert_eq!(which(&process.token().await.unwrap()), (0, 1));
                }));
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(
            (world.provider.refreshes(), world.takeovers().await),
            (1, 0)
        );
    });
}

#[test]
fn nobody_presents_what_another_presents_without_having_taken_over() {
    static TAKEN: Sometimes = Sometimes::new("an intent was taken over");
    static AGAIN: Sometimes = Sometimes::new("a token was presented again after that");
    explore(Pace::Idle, async |world: World| {
        let processes = two(&world).await;
        {
            let mut provider = world.provider.state();
            provider.rotation = Rotation::Grace;
            provider.stops = 2;
        }
        let mut tasks = Vec::new();
        for process in &processes {
            tasks.push(spawn(world.clone().watch(process.clone())));
            let process = process.clone();
            tasks.push(spawn(async move {
                for _ in 0..3 {
                    // Whoever waits for somebody who was stopped loses patience.
                    if let Err(error) = process.token().await {
                        assert_eq!(error.code(), "still_refreshing");
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for process in &processes {
            process.drain().await;
            which(&process.token().await.unwrap());
        }
        assert!(world.row().await.intent.is_none());
        let (again, takeovers) = (world.provider.again(), world.takeovers().await);
        assert!(again as usize <= takeovers, "{again} times, {takeovers}");
        if takeovers > 0 {
            TAKEN.happens();
        }
        if again > 0 {
            AGAIN.happens();
        }
    });
    TAKEN.has_happened();
    AGAIN.has_happened();
}

#[test]
fn one_feed_asks_however_often_it_is_needed() {
    explore(Pace::Idle, async |world: World| {
        let process = world.signed_in().await;
        for caller in
            [process.clone(), process.clone()].map(|it| spawn(async move { it.token().await }))
        {
            caller.await.unwrap().unwrap();
        }
        world.clock.sleep(Duration::from_secs(60)).await;
        // Every two seconds, and at most a tick late.
        let asked = world.asked.load(Ordering::Relaxed);
        assert!((20..=31).contains(&asked), "{asked} times in a minute");
    });
}
