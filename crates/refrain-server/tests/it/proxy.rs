//! `/v1/*`: requests go out with a token that works, and come back as they are.

use std::time::Duration;

use refrain::access::Permission;
use refrain_sim::Profile;
use reqwest::StatusCode;
use serde_json::Value;

use crate::world::{World, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_goes_through_an_expiry_without_the_caller_noticing() {
    let mut world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::ProxyRead]).await;
    let client = client();
    for _ in 0..3 {
        let answer = client
            .get(world.url("/v1/me"))
            .bearer_auth(&key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["refrain-grant"], "alice");
        assert!(
            answer
                .headers()
                .get("access-control-allow-origin")
                .is_none()
        );
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["type"], "user");
        world.pass(Duration::from_secs(3700));
    }
    assert_eq!(world.sim.counts().refused, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_key() {
    let world = World::new(Profile::default()).await;
    let client = client();
    let before = world.sim.counts().api_calls;
    let bare = client.get(world.url("/v1/me")).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    let body: Value = bare.json().await.unwrap();
    assert_eq!(body["error"]["refrain_code"], "key_needed");
    let read = world.key(&[Permission::ProxyRead]).await;
    let write = client
        .put(world.url("/v1/me/player/pause"))
        .bearer_auth(&read)
        .send()
        .await
        .unwrap();
    assert_eq!(write.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        world.sim.counts().api_calls,
        before,
        "nothing went to Spotify"
    );
}
