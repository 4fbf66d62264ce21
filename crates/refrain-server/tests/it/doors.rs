//! Who tries many keys: it costs the store little, and nobody else his key.

use std::time::Duration;

use refrain::{
    access::{ApiKey, Grants, Permission},
    random::SystemRandom,
};
use refrain_sim::Profile;
use reqwest::{Response, StatusCode};

use crate::world::{World, client};

async fn ask(world: &World, key: &str) -> Response {
    let asked = client().get(world.url("/v1/me")).bearer_auth(key);
    asked.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_has_seen_are_looked_up_some_times_a_second() {
    let world = World::new(Profile::default()).await;
    let seen = world.key(&[Permission::Proxy]).await;
    assert_eq!(ask(&world, &seen).await.status(), StatusCode::OK);
    for _ in 0..60 {
        let unknown = ApiKey::random(&SystemRandom).unwrap();
        let refused = ask(&world, unknown.expose()).await.status();
        assert!(refused.is_client_error(), "{refused}");
    }
    let alice = Grants::from_iter(["alice".parse().unwrap()]);
    let unseen = world.key_for(alice, &[Permission::Proxy]).await;
    let held_up = ask(&world, &unseen).await;
    assert_eq!(held_up.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(held_up.headers()["retry-after"], "1");
    assert_eq!(ask(&world, &seen).await.status(), StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&world, &unseen).await.status(), StatusCode::OK);
}
