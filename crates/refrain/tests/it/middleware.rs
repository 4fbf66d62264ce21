//! The reqwest middleware on real requests.

use std::time::Duration;

use refrain::middleware::Limited;
use refrain_sim::{Action, Fault, Profile, Target};

use crate::world::{World, signed_in};

fn url(world: &World, path: &str) -> String {
    format!("{}{path}", world.sim.api_url())
}

#[tokio::test]
async fn a_rejected_token_is_repaired_before_the_caller_notices() {
    let (world, alice) = signed_in(Profile::default()).await;
    let http = alice.http_client().unwrap();
    world.sim.expire_access_tokens();
    let answer = http.get(url(&world, "/v1/me")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        (world.refreshes(), world.sim.counts().stray_credentials),
        (1, 0)
    );
}

#[tokio::test]
async fn a_write_is_replayed_with_its_body_and_a_stream_is_not() {
    let (world, alice) = signed_in(Profile::default()).await;
    let http = alice.http_client().unwrap();
    world
        .sim
        .script(Fault::once(Target::Api, Action::Spurious401));
    let body = r#"{"name":"refrain"}"#;
    let path = url(&world, "/v1/me/playlists");
    let answer = http.post(&path).body(body).send().await.unwrap();
    assert_eq!(
        answer.status(),
        403,
        "the body arrived, the scope is missing"
    );

    world
        .sim
        .script(Fault::once(Target::Api, Action::Spurious401));
    let stream = reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from_static(b"{}")));
    let answer = http.post(&path).body(stream).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn a_second_401_is_passed_on() {
    let (world, alice) = signed_in(Profile::default()).await;
    let http = alice.http_client().unwrap();
    let always = Fault {
        on: Target::Api,
        times: u32::MAX,
        share: None,
        action: Action::Spurious401,
    };
    world.sim.script(always);
    let calls = world.sim.counts().api_calls;
    let answer = world
        .in_time(http.get(url(&world, "/v1/me")).send())
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        (world.sim.counts().api_calls - calls, world.refreshes()),
        (2, 1)
    );
    // Again at once: the token was renewed moments ago, so it is tried again and not renewed.
    world
        .in_time(http.get(url(&world, "/v1/me")).send())
        .await
        .unwrap();
    assert_eq!(
        (world.sim.counts().api_calls - calls, world.refreshes()),
        (4, 1)
    );
}

#[tokio::test]
async fn the_bearer_leaves_for_the_api_alone() {
    let (world, alice) = signed_in(Profile::default()).await;
    let http = alice.http_client().unwrap();
    for elsewhere in [
        format!("{}/v1/me", world.sim.accounts_url()),
        world.sim.api_url().replace("http://", "https://"),
        world.sim.api_url().replace("127.0.0.1", "127.0.0.2"),
        "https://api.spotify.com/v1/me".to_owned(),
    ] {
        let error = http.get(&elsewhere).send().await.unwrap_err();
        assert!(
            format!("{error:?}").contains("the token is for"),
            "{elsewhere}: {error:?}"
        );
    }
    assert_eq!(world.sim.counts().stray_credentials, 0);
}

#[tokio::test]
async fn a_redirect_is_handed_to_the_caller_and_not_followed() {
    let (world, alice) = signed_in(Profile::default()).await;
    let headers = [(
        "location".to_owned(),
        format!("{}/v1/me", world.sim.accounts_url()),
    )];
    world.sim.script(Fault::once(
        Target::Api,
        Action::Body {
            status: 307,
            content_type: String::new(),
            body: String::new(),
            headers: headers.into(),
        },
    ));
    let answer = alice
        .http_client()
        .unwrap()
        .get(url(&world, "/v1/me"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(world.sim.counts().stray_credentials, 0);
}

#[tokio::test]
async fn a_429_is_remembered_and_answered_here_until_its_end() {
    let (world, alice) = signed_in(Profile::default()).await;
    let http = alice.http_client().unwrap();
    let limit = Action::Throttle {
        retry_after: Some("80000".to_owned()),
        quota: true,
    };
    world.sim.script(Fault::once(Target::Api, limit));
    let path = url(&world, "/v1/me");
    let first = http.get(&path).send().await.unwrap();
    assert_eq!(first.status(), 429);
    assert!(first.extensions().get::<Limited>().is_none());
    let body = first.text().await.unwrap();
    assert!(body.contains("QUOTA_EXCEEDED"), "whole: {body}");
    let calls = world.sim.counts().api_calls;
    for _ in 0..3 {
        let local = http.get(&path).send().await.unwrap();
        assert_eq!(
            (local.status().as_u16(), &local.headers()["retry-after"]),
            (429, &"80000".parse().unwrap())
        );
        assert!(local.extensions().get::<Limited>().is_some());
        let body: serde_json::Value =
            serde_json::from_slice(&local.bytes().await.unwrap()).unwrap();
        assert_eq!(
            (&body["error"]["status"], &body["error"]["reason"]),
            (&429.into(), &"QUOTA_EXCEEDED".into())
        );
    }
    assert_eq!(world.sim.counts().api_calls, calls, "Spotify is left alone");
    world.pass(Duration::from_secs(80_000));
    assert_eq!(http.get(&path).send().await.unwrap().status(), 200);
    assert_eq!(http.get(&path).send().await.unwrap().status(), 200);
}
