//! What happens in days of uptime.

use std::time::Duration;

use refrain_sim::{Action, BodyKind, Fault, Target, Verdict};

use crate::world::{EVERY, TRACK, World, Written};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn three_days_leave_every_play_once_and_take_a_refresh_an_hour() {
    let world = World::new().await;
    world.login().await;
    let mut synchroniser = world.synchroniser().await;
    world.live(&mut synchroniser, 3 * DAY).await;
    let written = Written::of(&world.file()).await;
    let plays = written.plays.len();
    assert!(
        (50 + 3 * 480 - 2..50 + 3 * 480 + 20).contains(&plays),
        "{plays}"
    );
    assert_eq!((written.jumps(TRACK), written.gaps), (vec![], vec![]));
    let counts = world.sim.counts();
    assert!((70..90).contains(&counts.refreshes), "{counts:?}");
    assert_eq!((counts.refused, counts.stray_credentials), (0, 0));
}

#[tokio::test]
async fn outages_limits_and_rejected_tokens_leave_no_gap() {
    let world = World::new().await;
    world.login().await;
    let mut synchroniser = world.synchroniser().await;
    synchroniser.step().await;
    let throttle = Action::Throttle {
        retry_after: Some("1200".to_owned()),
        quota: false,
    };
    let broken = Action::ErrorBeforeCommit {
        status: 503,
        body_kind: BodyKind::Html,
    };
    for fault in [
        Fault::times(Target::Api, 6, broken.clone()),
        Fault::once(Target::Api, Action::Spurious401),
        Fault::times(Target::Api, 3, Action::CutBeforeCommit),
        Fault::once(Target::Api, throttle),
        Fault::times(Target::TokenRefresh, 3, broken),
    ] {
        world.sim.script(fault);
        world.live(&mut synchroniser, 2 * HOUR).await;
    }
    world.sim.expire_access_tokens();
    world.live(&mut synchroniser, HOUR).await;
    world.sim.assert_scripts_consumed();
    let written = Written::of(&world.file()).await;
    assert_eq!((written.jumps(TRACK), written.gaps), (vec![], vec![]));
    assert!(written.plays.len() > 50 + 200, "{}", written.plays.len());
}

#[tokio::test]
async fn a_429_is_waited_out_and_nothing_is_asked_meanwhile() {
    let world = World::new().await;
    world.login().await;
    let mut synchroniser = world.synchroniser().await;
    synchroniser.step().await;
    let throttle = Action::Throttle {
        retry_after: Some("900".to_owned()),
        quota: false,
    };
    world.sim.script(Fault::once(Target::Api, throttle));
    assert_eq!(synchroniser.step().await, Duration::from_secs(900));
    let calls = world.sim.counts().api_calls;
    world.pass(EVERY);
    // Whoever asks in spite of it is answered by refrain, with what is left.
    assert_eq!(synchroniser.step().await, Duration::from_secs(600));
    assert_eq!(world.sim.counts().api_calls, calls);
}

#[tokio::test]
async fn a_new_login_is_waited_for_and_what_was_forgotten_meanwhile_is_a_gap() {
    let world = World::new().await;
    let mut synchroniser = world.synchroniser().await;
    let pause = synchroniser.step().await;
    assert_eq!(pause, Duration::from_secs(5), "nobody has signed in yet");
    world.login().await;
    assert_eq!(synchroniser.step().await, EVERY);
    let before = Written::of(&world.file()).await;

    // The user removes the app, and comes back after six hours, of which Spotify remembers fifty tracks.
    let app = world.sim.default_app().client_id;
    world.sim.revoke_user(&app, "alice");
    world.live(&mut synchroniser, 6 * HOUR).await;
    let asked = world.sim.counts().api_calls;
    world.live(&mut synchroniser, HOUR).await;
    assert_eq!(world.sim.counts().api_calls, asked, "it waits for a login");
    world.login().await;
    assert_eq!(synchroniser.step().await, EVERY);

    let written = Written::of(&world.file()).await;
    assert!(written.plays.starts_with(&before.plays));
    assert_eq!(written.gaps.len(), 1);
    assert_eq!(written.jumps(TRACK), written.gaps, "and it is written down");
    let verdicts = world.sim.oracle();
    assert_eq!(verdicts.last().unwrap().verdict, Verdict::Safe);
}

#[tokio::test]
async fn whoever_is_stopped_anywhere_goes_on_where_it_was() {
    let world = World::new().await;
    world.login().await;
    for _ in 0..20 {
        let mut synchroniser = world.synchroniser().await;
        synchroniser.step().await;
        world.pass(EVERY);
        // Dropped with an answer under way.
        tokio::select! {
            biased;
            _ = synchroniser.step() => {}
            () = tokio::task::yield_now() => {}
        }
        world.pass(EVERY);
    }
    let written = Written::of(&world.file()).await;
    assert_eq!((written.jumps(TRACK), written.gaps), (vec![], vec![]));
}
