//! The wall clock is set, an hour to a year forwards or back, between refreshes and in the middle of them.
//!
//! `REFRAIN_JUMPS` sets how often.

use std::time::Duration;

use refrain::{
    Grant,
    lifecycle::Status,
    time::{Clock as _, UnixMillis},
};
use refrain_sim::{Action, Event, EventKind, Fault, Profile, Rotation, Target};

use crate::world::{DAY, HOUR, World, signed_in};

const JUMPS: usize = 120;

/// How far, and whether back.
const FAR: [(Duration, bool); 8] = [
    (HOUR, true),
    (DAY, false),
    (HOUR, false),
    (DAY.saturating_mul(365), true),
    (DAY, true),
    (DAY.saturating_mul(365), false),
    (Duration::from_secs(90), true),
    (DAY.saturating_mul(30), false),
];

/// When.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The token lives.
    Living,
    /// It has expired, and nobody has asked yet.
    Expired,
    /// A token call is under way.
    InFlight,
    /// A process has died over a token call, and another comes.
    Orphaned,
}

fn jump(world: &World, (far, back): (Duration, bool)) {
    let wall = world.clock.wall();
    let set = if back {
        wall.before(far)
    } else {
        wall.after(far)
    };
    world.clock.set_wall(set);
}

async fn held(world: &World, grant: &Grant) -> tokio::task::JoinHandle<refrain::AccessToken> {
    let since = world.sim.history().last().map_or(0, |event| event.seq);
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let grant = grant.clone();
    let waiting = tokio::spawn(async move { grant.access_token().await.unwrap() });
    let is_held = |event: &Event| matches!(event.kind, EventKind::Held { .. });
    world.sim.wait_for(since, is_held).await;
    waiting
}

#[tokio::test]
async fn whatever_the_date_says_a_token_lives_its_hour_and_nobody_is_sent_to_a_login() {
    let jumps = std::env::var("REFRAIN_JUMPS").map_or(JUMPS, |it| it.parse().unwrap());
    let (world, first) = signed_in(Profile::rotating(Rotation::FamilyKill)).await;
    let other = world.another().grant("alice").await.unwrap();
    let start: UnixMillis = world.clock.wall();
    for round in 0..jumps {
        // The date goes right again now and then: over and over it would leave all calendars.
        if round % 16 == 0 {
            world.clock.set_wall(start);
        }
        let when = [When::Living, When::Expired, When::InFlight, When::Orphaned][round / 2 % 4];
        let far = FAR[round / 3 % FAR.len()];
        let case = format!("{round}: {when:?}, {far:?}");
        let before = world.refreshes();
        let held_before = first.access_token().await.unwrap();
        let (expected, token) = match when {
            When::Living => {
                jump(&world, far);
                world.pass(HOUR / 2);
                let token = first.access_token().await.unwrap();
                assert!(token.ct_eq(&held_before), "{case}");
                (0, token)
            }
            When::Expired => {
                world.pass(HOUR);
                jump(&world, far);
                (1, world.in_time(first.access_token()).await.unwrap())
            }
            When::InFlight => {
                world.pass(HOUR);
                let waiting = held(&world, &first).await;
                jump(&world, far);
                // Another process must not take the lease for over.
                let elsewhere = other.access_token();
                let early = tokio::time::timeout(Duration::from_millis(5), elsewhere).await;
                assert!(early.is_err(), "{case}: {early:?}");
                world.sim.release();
                (1, waiting.await.unwrap())
            }
            When::Orphaned => {
                world.pass(HOUR);
                orphan(&world, far).await;
                (1, world.in_time(first.access_token()).await.unwrap())
            }
        };
        assert_eq!(world.refreshes() - before, expected, "{case}");
        let same = world.in_time(other.access_token()).await.unwrap();
        assert!(same.ct_eq(&token), "{case}");
        assert_eq!(
            world.refreshes() - before,
            expected,
            "{case}: an extra refresh"
        );
        let row = world.row("alice").await;
        assert!(
            row.status == Status::Active && row.intent.is_none(),
            "{case}"
        );
        world.pass(HOUR);
        world.in_time(first.access_token()).await.unwrap();
    }
    let counts = world.sim.counts();
    assert_eq!((counts.refused, counts.max_concurrent), (0, 1));
}

/// An intent of a process that nobody can ask about: it holds until its lease is over, by the uptime.
async fn orphan(world: &World, far: (Duration, bool)) {
    let seen = world.store.grant(&"alice".parse().unwrap()).await.unwrap();
    let seen = seen.unwrap();
    let mut row = seen.value;
    row.fence = row.fence.next();
    row.intent = Some(refrain::lifecycle::row::Intent {
        attempt: 0,
        fence: row.fence,
        owner: refrain::id::InstanceId(77),
        armed_at: world.clock.wall(),
        deadline: world
            .store
            .now()
            .await
            .unwrap()
            .after(Duration::from_secs(30)),
    });
    let change = refrain::lifecycle::Change {
        row,
        events: vec![],
        forgets: false,
    };
    world.store.replace(seen.version, &change).await.unwrap();
    jump(world, far);
    let early = world.another().grant("alice").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(5), early.access_token());
    assert!(waiting.await.is_err(), "{far:?}: a lease by the date");
    world.pass(Duration::from_secs(33));
}
