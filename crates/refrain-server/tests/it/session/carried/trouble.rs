//! Browsers that carry their tokens, when a process dies, the store is away or brought back from a backup, or two
//! servers are asked at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    custody::take_over,
    random::SystemRandom,
    store::{Store, StoreError, cause},
};
use refrain_sim::{Action, BodyKind, Fault, Rotation, Target};
use reqwest::StatusCode;
use serde_json::json;

use super::{DAY, HOUR, call, call_by, carrying, held, signed_in, step, two};
use crate::{
    between::{Between, Call, Watched},
    session::{fetch, sign_in, told},
    world::{World, client},
};

const OVER: (StatusCode, Option<String>) = (StatusCode::UNAUTHORIZED, None);

/// What the provider does with a token that is presented a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Works,
    Refused,
}

/// A process ends when the provider has replaced the token and the answer to the browser is lost. `used`: whether
/// what came of it has been used before that.
async fn left_with_the_old_cookie(rotation: Rotation, used: bool) -> (World, String) {
    let mut world = carrying(rotation).await;
    let browser = signed_in(&world).await;
    let mut cookie = held(&world, &browser);
    // Once so that all goes well: what it is called tells that it was replaced before.
    world.pass(HOUR);
    if let (StatusCode::OK, Some(newer)) = call(&world, &cookie).await {
        cookie = newer;
    }
    world.pass(HOUR);
    if !used {
        let (status, body_kind) = (500, BodyKind::Empty);
        let away = Action::ErrorBeforeCommit { status, body_kind };
        world.sim.script(Fault::once(Target::Api, away));
    }
    let before = world.refreshes();
    let (_, lost) = call(&world, &cookie).await;
    assert!(lost.is_some(), "{rotation:?}");
    assert_eq!(world.refreshes() - before, 1, "{rotation:?}");
    world.restart_carrying().await;
    (world, cookie)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_left_with_an_old_cookie_goes_on_or_is_told_at_once_to_sign_in() {
    let grace = Rotation::Grace { seconds: 60 };
    for (rotation, used, second) in [
        (Rotation::Static, true, Second::Works),
        (Rotation::Omit, true, Second::Works),
        (Rotation::Empty, true, Second::Works),
        (Rotation::Null, true, Second::Works),
        (Rotation::Echo, true, Second::Works),
        (grace, true, Second::Works),
        (Rotation::UntilUsed, false, Second::Works),
        (Rotation::UntilUsed, true, Second::Refused),
        (Rotation::Strict, false, Second::Refused),
        (Rotation::FamilyKill, false, Second::Refused),
    ] {
        let (world, cookie) = left_with_the_old_cookie(rotation, used).await;
        let (status, newer) = world.in_time(call(&world, &cookie)).await;
        let case = format!("{rotation:?}, used {used}");
        if second == Second::Works {
            assert_eq!(status, StatusCode::OK, "{case}");
            assert!(step(&newer.unwrap()) > step(&cookie), "{case}");
            continue;
        }
        assert_eq!((status, newer), OVER, "{case}");
        let browser = crate::browser::Browser::new();
        browser.plant(&super::session_cookie(&world), &cookie);
        let me = told(&world, &browser).await;
        assert_eq!(me["needs_login"], json!(true), "{case}: {me}");
        assert_eq!(me["reason"], json!("answer_lost"), "{case}: {me}");
        let before = world.refreshes();
        assert_eq!(call(&world, &cookie).await, OVER, "{case}");
        assert_eq!(world.refreshes(), before, "{case}: it is not asked again");
        // Signed in again all is well, and the one before is over.
        sign_in(&world, &browser).await;
        let fresh = held(&world, &browser);
        assert_eq!(call(&world, &fresh).await, (StatusCode::OK, None), "{case}");
        assert_eq!(call(&world, &cookie).await, OVER, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_are_left_with_old_cookies_are_no_sign_of_trouble_at_the_provider() {
    let mut world = carrying(Rotation::FamilyKill).await;
    let mut cookies = Vec::new();
    for _ in 0..8 {
        let browser = signed_in(&world).await;
        cookies.push(held(&world, &browser));
    }
    for last in [false, true] {
        world.pass(HOUR);
        for cookie in &mut cookies {
            let (_, newer) = call(&world, cookie).await;
            if !last {
                *cookie = newer.unwrap();
            }
        }
    }
    world.restart_carrying().await;
    for (nth, cookie) in cookies.iter().enumerate() {
        let answer = world.in_time(call(&world, cookie)).await;
        assert_eq!(answer, OVER, "the {nth}th is told as the first");
    }
}

/// Where the very first token was replaced, nothing shows that tokens are: that is verified once.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_left_with_their_first_cookie_is_told_within_a_quarter_of_an_hour() {
    let mut world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let first = held(&world, &browser);
    world.pass(HOUR);
    let (_, lost) = call(&world, &first).await;
    assert!(lost.is_some());
    world.restart_carrying().await;
    let (status, _) = world.in_time(call(&world, &first)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "once more");
    world.pass(Duration::from_secs(15 * 60 + 10));
    let answer = world.in_time(call(&world, &first)).await;
    assert_eq!(answer, OVER);
    assert_eq!(told(&world, &browser).await["needs_login"], json!(true));
}

/// Lets nobody at the store while it is away.
#[derive(Debug, Clone, Default)]
struct Away(Arc<AtomicBool>);

#[async_trait]
impl Between for Away {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            let (place, source) = ("the test".into(), cause("it is away"));
            return Err(StoreError::Full { place, source });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_only_those_who_are_known_go_on_and_for_an_hour() {
    let away = Away::default();
    let between = away.clone();
    let watched = |inner| Arc::new(Watched { inner, between }) as Arc<dyn Store>;
    let world = World::carrying_behind(two(Rotation::FamilyKill), watched).await;
    let (known, unknown) = (signed_in(&world).await, signed_in(&world).await);
    let (mut known, unknown) = (held(&world, &known), held(&world, &unknown));
    assert_eq!(call(&world, &known).await, (StatusCode::OK, None));

    away.0.store(true, Ordering::SeqCst);
    let (status, newer) = call(&world, &unknown).await;
    assert_eq!(
        status,
        StatusCode::SERVICE_UNAVAILABLE,
        "it may be signed out"
    );
    assert_eq!(newer, None);
    for _ in 0..5 {
        world.pass(Duration::from_secs(11 * 60));
        let (status, newer) = world.in_time(call(&world, &known)).await;
        assert_eq!(status, StatusCode::OK);
        known = newer.unwrap_or(known);
    }
    world.pass(Duration::from_secs(6 * 60));
    let (status, _) = call(&world, &known).await;
    assert_eq!(
        status,
        StatusCode::SERVICE_UNAVAILABLE,
        "for an hour at most"
    );

    // A logout that cannot be noted says so, and nobody is told that they are signed out.
    let name = super::session_cookie(&world);
    let out = client()
        .post(world.url("/session/logout"))
        .header("cookie", format!("{name}={known}"))
        .header("origin", world.url(""))
        .header("sec-fetch-site", "same-origin");
    let out = world.in_time(out.send()).await.unwrap();
    assert_eq!(out.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!out.headers().contains_key("set-cookie"), "{out:?}");

    away.0.store(false, Ordering::SeqCst);
    for cookie in [&known, &unknown] {
        let (status, _) = world.in_time(call(&world, cookie)).await;
        assert_eq!(status, StatusCode::OK, "it is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_goes_to_two_servers_in_turn_is_served_by_both() {
    for rotation in [Rotation::Omit, Rotation::Strict, Rotation::FamilyKill] {
        let world = carrying(rotation).await;
        let (_, _stop, _server) = world.carry_beside().await;
        let socket = world.folder().join("another-socket");
        let beside = reqwest::Client::builder().unix_socket(socket);
        let servers = [client(), beside.build().unwrap()];
        let browser = signed_in(&world).await;
        let mut cookie = held(&world, &browser);
        for round in 0..6 {
            world.pass(HOUR);
            for server in [&servers[round % 2], &servers[(round + 1) % 2]] {
                let (status, newer) = call_by(server, &world, &cookie).await;
                assert_eq!(status, StatusCode::OK, "{rotation:?}, round {round}");
                cookie = newer.unwrap_or(cookie);
            }
        }
        assert_eq!(world.refreshes(), 6, "{rotation:?}: one for each hour");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_are_shown_one_old_cookie_both_use_it_up() {
    for (rotation, second) in [
        (Rotation::Omit, Second::Works),
        (Rotation::Grace { seconds: 60 }, Second::Works),
        (Rotation::Strict, Second::Refused),
        (Rotation::FamilyKill, Second::Refused),
    ] {
        let world = carrying(rotation).await;
        let (_, _stop, _server) = world.carry_beside().await;
        let socket = world.folder().join("another-socket");
        let beside = reqwest::Client::builder().unix_socket(socket);
        let beside = beside.build().unwrap();
        let browser = signed_in(&world).await;
        world.pass(HOUR);
        let (_, cookie) = call(&world, &held(&world, &browser)).await;
        let cookie = cookie.unwrap();
        world.pass(HOUR);
        let (status, newer) = call(&world, &cookie).await;
        assert_eq!(status, StatusCode::OK);
        let other = world.in_time(call_by(&beside, &world, &cookie)).await;
        let newest = newer.unwrap();
        if second == Second::Works {
            assert_eq!(other.0, StatusCode::OK, "{rotation:?}");
            assert_eq!(call(&world, &newest).await.0, StatusCode::OK);
            continue;
        }
        assert_eq!(other, OVER, "{rotation:?}: it is told to sign in");
        // The answer of the first one is there, and counts wherever the provider leaves it alive.
        let (status, _) = world.in_time(call_by(&beside, &world, &newest)).await;
        let kills = rotation == Rotation::FamilyKill;
        assert_eq!(status == StatusCode::OK, !kills, "{rotation:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_ends_all_sessions_that_browsers_carry_and_no_answer_renews_one() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let old = held(&world, &browser);
    assert_eq!(call(&world, &old).await, (StatusCode::OK, None));
    let parts = world.refrain.parts();
    let restored = take_over(parts.store.as_ref(), parts.clock.as_ref(), &SystemRandom);
    restored.await.unwrap();
    // Known from moments ago: served, and given nothing that would outlive it.
    world.pass(Duration::from_secs(5));
    assert_eq!(call(&world, &old).await, OVER);
    let me = told(&world, &browser).await;
    assert_eq!(me["signed_in"], json!(false));
    world.sim.sign_in_as("alice");
    sign_in(&world, &browser).await;
    let new = held(&world, &browser);
    assert_eq!(call(&world, &new).await, (StatusCode::OK, None));
    world.pass(DAY);
    let (status, renewed) = call(&world, &new).await;
    assert_eq!(status, StatusCode::OK, "it goes on in the present life");
    let again = take_over(parts.store.as_ref(), parts.clock.as_ref(), &SystemRandom);
    again.await.unwrap();
    world.pass(Duration::from_secs(5));
    for cookie in [&old, &new, &renewed.unwrap()] {
        assert_eq!(call(&world, cookie).await, OVER);
    }
    let seen = fetch(&world, &browser, reqwest::Method::GET, "/v1/me").await;
    assert_eq!(seen.code(), "session_over");
}
