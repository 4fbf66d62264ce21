//! Clients that are given another base URL and a key of refrain's as their access token.

use std::time::Duration;

use refrain_sim::{Action, EventKind, Fault, Target};
use serde_json::Value;

use crate::{
    place::Place,
    program::{Language, Program},
};

/// So long Spotify wants to be left alone.
const WAIT: u64 = 3;
/// Where every client writes with a body.
const WRITTEN: &str = "/v1/me/player/play";

#[tokio::test(flavor = "multi_thread")]
async fn spotipy_notices_nothing_but_the_429() {
    lives_through_everything(Language::Python, "spotipy_proxy.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tekore_notices_nothing_but_the_429() {
    lives_through_everything(Language::Python, "tekore_proxy.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spotifys_own_typescript_sdk_notices_nothing_but_the_429() {
    lives_through_everything(Language::Node, "sdk_proxy.cjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_notices_nothing_but_the_429() {
    lives_through_everything(Language::Shell, "curl_proxy.sh").await;
}

async fn lives_through_everything(language: Language, file: &str) {
    let place = Place::new().await;
    let key = place.key("program", &["--allow", "proxy", "--rewrite-links"]);
    let mut program = Program::start(&place, language, file, &[&place.url, &key]);
    program.gets("me", "alice");
    program.gets("play", Value::Null);
    program.gets("pause", Value::Null);

    place.first_token_has_expired().await;
    program.gets("me", "alice");
    assert_eq!((place.sim.counts().refreshes, place.answered(401)), (1, 0));
    // From link to link: each leads to refrain again, or it would meet a 401 with refrain's key.
    program.gets("playlists", 45);
    assert_eq!(place.answered(401), 0);

    // All access tokens are rejected from now on, and the first request that meets that is a write.
    place.sim.expire_access_tokens();
    program.gets("play", Value::Null);
    assert_eq!((place.sim.counts().refreshes, place.answered(401)), (2, 1));
    arrived_twice_with_the_same_body(&place);

    // A good token is rejected for once.
    place
        .sim
        .script(Fault::once(Target::Api, Action::Spurious401));
    program.gets("me", "alice");
    assert_eq!((place.sim.counts().refreshes, place.answered(401)), (2, 2));

    is_throttled(&place, &mut program).await;
    place.all_is_well();
}

/// The newest write was rejected first, and then carried out with the same body and the new token.
fn arrived_twice_with_the_same_body(place: &Place) {
    let mut writes: Vec<_> = place
        .sim
        .history()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::ApiCall {
                path,
                body,
                access,
                status,
                ..
            } if path == WRITTEN => Some((status, body, access)),
            _ => None,
        })
        .collect();
    let (carried_out, rejected) = (writes.pop().unwrap(), writes.pop().unwrap());
    assert_eq!((rejected.0, carried_out.0), (401, 204));
    assert!(
        rejected.1.is_some() && rejected.1 == carried_out.1,
        "{rejected:?} {carried_out:?}"
    );
    assert_ne!(rejected.2, carried_out.2, "another token");
}

async fn is_throttled(place: &Place, program: &mut Program) {
    place.sim.script(Fault::once(
        Target::Api,
        Action::Throttle {
            retry_after: Some(WAIT.to_string()),
            quota: false,
        },
    ));
    assert_eq!(program.is_told_to_wait("me"), WAIT);
    let calls = place.sim.counts().api_calls;
    let told = program.is_told_to_wait("pause");
    assert!((1..=WAIT).contains(&told), "{told}");
    assert_eq!(
        place.sim.counts().api_calls,
        calls,
        "answered by refrain itself"
    );
    tokio::time::sleep(Duration::from_secs(told)).await;
    program.gets("me", "alice");
}
