//! A 401 is repaired once, for however many it was said to.

use std::time::Duration;

use refrain::access::Permission;
use refrain_sim::{Profile, Sim};
use reqwest::{Method, StatusCode};

use crate::world::{World, client};

/// Spotify forgets the token in use.
fn kill_token(sim: &Sim) {
    sim.expire_access_tokens();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_renewed_and_the_request_sent_once_more() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Proxy]).await;
    for (method, path, body) in [
        (Method::GET, "/v1/me", ""),
        (Method::POST, "/v1/me/playlists", r#"{"name":"one"}"#),
        (Method::PUT, "/v1/me/library?uris=spotify:track:1", ""),
    ] {
        kill_token(&world.sim);
        world.pass(Duration::from_secs(31));
        let before = world.refreshes();
        let answer = client()
            .request(method, world.url(path))
            .header("content-type", "application/json")
            .bearer_auth(&key)
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        assert_eq!(answer.headers()["refrain-repaired"], "1", "{path}");
        assert_eq!(world.refreshes() - before, 1, "{path}");
    }
    assert_eq!(world.sim.counts().refused, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_rejections_is_one_refresh() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Proxy]).await;
    let client = client();
    // Everybody has a connection.
    client
        .get(world.url("/v1/me"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    kill_token(&world.sim);
    let (refreshes, calls) = (world.refreshes(), world.sim.counts().api_calls);
    let callers: Vec<_> = (0..256)
        .map(|number| {
            let request = client.post(world.url("/v1/me/playlists"));
            let request = request.body(format!(r#"{{"name":"list {number}"}}"#));
            let request = request.header("content-type", "application/json");
            tokio::spawn(request.bearer_auth(&key).send())
        })
        .collect();
    for caller in callers {
        let answer = caller.await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }
    assert_eq!(world.refreshes() - refreshes, 1);
    let calls = world.sim.counts().api_calls - calls;
    assert!(
        (256..=512).contains(&calls),
        "{calls}: each is sent once more at most"
    );
    let created = world.sim.counts().api_by_status.get(&201).copied();
    assert_eq!(created, Some(256), "nothing was done twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_rejects_a_good_token_is_asked_again_after_a_second() {
    let profile = Profile {
        player_flap: 2,
        ..Profile::default()
    };
    let world = World::new(profile).await;
    let key = world.key(&[Permission::Proxy]).await;
    world
        .in_time(async {
            for _ in 0..4 {
                let request = client().put(world.url("/v1/me/player/pause"));
                let answer = request.bearer_auth(&key).send().await.unwrap();
                assert_ne!(answer.status(), StatusCode::UNAUTHORIZED);
            }
        })
        .await;
    assert!(
        world.refreshes() <= 1,
        "thirty seconds lie between two forced refreshes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_to_be_held_is_not_sent_again() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Proxy]).await;
    kill_token(&world.sim);
    let long = vec![b'x'; 600 * 1024];
    let request = client().put(world.url("/v1/playlists/pl1/images"));
    let answer = request.bearer_auth(&key).body(long).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    // The token was renewed all the same, for whoever comes next.
    let answer = client()
        .get(world.url("/v1/me"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_held_is_not_sent_again_and_the_next_request_has_the_newer_token() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Proxy]).await;
    kill_token(&world.sim);
    let upload = client()
        .put(world.url("/v1/me/library?uris=spotify:track:1"))
        .bearer_auth(&key)
        .body(vec![b' '; 600 * 1024]);
    let rejected = upload.send().await.unwrap();
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.refreshes(), 1);
    let next = client().get(world.url("/v1/me")).bearer_auth(&key);
    let answer = next.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key("refrain-repaired"));
}
