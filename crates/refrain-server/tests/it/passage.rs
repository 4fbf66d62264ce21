//! What crosses the proxy, and what does not.

use std::time::Duration;

use refrain::{
    access::{Grants, Permission},
    keeper::keys::NewKey,
};
use refrain_sim::{Action, Fault, Profile, Target};
use reqwest::StatusCode;
use serde_json::Value;

use crate::world::{World, client};

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_turned_inside_where_a_key_asks_for_it() {
    let world = World::new(Profile::default()).await;
    let key = world
        .key_of(NewKey {
            name: "links".parse().unwrap(),
            grants: Grants::from_iter(["alice".parse().unwrap()]),
            permissions: [Permission::ProxyRead].into_iter().collect(),
            rewrite_links: true,
            lifetime: None,
        })
        .await;
    let mut next = Some(world.url("/v1/me/playlists?limit=20"));
    let mut seen = 0;
    while let Some(url) = next.take() {
        assert!(url.starts_with(&world.url("/v1/")), "{url}");
        let request = client()
            .get(url)
            .bearer_auth(&key)
            .header("accept-encoding", "gzip");
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        seen += page["items"].as_array().unwrap().len();
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, 45);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_spotifys_is_asked_for_once() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::ProxyRead]).await;
    let limit = Action::Throttle {
        retry_after: Some("80000".to_owned()),
        quota: true,
    };
    world.sim.script(Fault::once(Target::Api, limit));
    let get = || client().get(world.url("/v1/me")).bearer_auth(&key).send();
    let first = get().await.unwrap();
    assert_eq!(first.status(), StatusCode::TOO_MANY_REQUESTS);
    let body: Value = first.json().await.unwrap();
    assert_eq!(
        body["error"]["reason"], "QUOTA_EXCEEDED",
        "passed on as it is"
    );
    let calls = world.sim.counts().api_calls;
    for _ in 0..20 {
        let local = get().await.unwrap();
        assert_eq!(local.status(), StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = local.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((79_990..=80_000).contains(&wait), "{wait}");
        let body: Value = local.json().await.unwrap();
        assert_eq!(body["error"]["refrain_code"], "quota_exceeded");
    }
    assert_eq!(world.sim.counts().api_calls, calls, "Spotify is left alone");
    world.pass(Duration::from_secs(80_001));
    assert_eq!(get().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_is_one_without_a_body() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Proxy]).await;
    let client = client();
    let paused = client
        .put(world.url("/v1/me/player/pause"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(paused.status(), StatusCode::NO_CONTENT);
    assert!(paused.bytes().await.unwrap().is_empty());
    let head = client
        .head(world.url("/v1/me"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert!(head.bytes().await.unwrap().is_empty());
    let cover = client
        .put(world.url("/v1/playlists/pl1/images"))
        .bearer_auth(&key);
    let cover = cover
        .header("content-type", "image/jpeg")
        .body(vec![b'A'; 200 * 1024]);
    assert_eq!(cover.send().await.unwrap().status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::ProxyRead]).await;
    world.sim.script(Fault::once(
        Target::Api,
        Action::CutAfterBytes {
            n: 700,
            reset: false,
        },
    ));
    let answer = client()
        .get(world.url("/v1/me"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.bytes().await.is_err(), "half an answer is no answer");
}
