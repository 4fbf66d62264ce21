//! `/metrics`: counted as it happens, and nobody's name in it.

use std::time::Duration;

use refrain::access::Permission;
use refrain_sim::{Action, Fault, Profile, Target};
use reqwest::StatusCode;

use crate::world::{World, client, only};

/// The value of a line.
fn value(text: &str, line: &str) -> Option<f64> {
    let value = text
        .lines()
        .find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

pub async fn read(world: &World, key: &str) -> String {
    let request = client().get(world.url("/metrics")).bearer_auth(key);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let world = World::new(Profile::default()).await.with_bob().await;
    let all = [Permission::ProxyRead, Permission::Token, Permission::Manage];
    let key = world.key_for(only(["alice"]), &all).await;
    let get = |path: &str| client().get(world.url(path)).bearer_auth(&key).send();
    get("/v1/me").await.unwrap();
    world.sim.expire_access_tokens();
    get("/v1/me").await.unwrap();
    get("/refrain/v1/grants/alice/token").await.unwrap();
    get("/nowhere").await.unwrap();
    let limit = Action::Throttle {
        retry_after: Some("300".to_owned()),
        quota: false,
    };
    world.sim.script(Fault::once(Target::Api, limit));
    for _ in 0..3 {
        get("/v1/me").await.unwrap();
    }
    let text = read(&world, &key).await;
    for (line, expected) in [
        (r#"refrain_requests_total{route="/v1/*",status="2xx"}"#, 2.0),
        (r#"refrain_requests_total{route="/v1/*",status="4xx"}"#, 3.0),
        (r#"refrain_requests_total{route="other",status="4xx"}"#, 1.0),
        ("refrain_tokens_given_total", 1.0),
        ("refrain_repairs_total", 1.0),
        (r#"refrain_refreshes_total{outcome="renewed"}"#, 1.0),
        (r#"refrain_limited_total{kind="rate"}"#, 2.0),
        (r#"refrain_gates_closed{kind="rate"}"#, 1.0),
        (r#"refrain_gates_closed{kind="quota"}"#, 0.0),
        (r#"refrain_grants{status="active"}"#, 2.0),
        (r#"refrain_grants{status="reauthorize"}"#, 0.0),
        ("refrain_proxy_request_duration_seconds_count", 3.0),
        ("refrain_proxy_upstream_duration_seconds_count", 4.0),
    ] {
        assert_eq!(value(&text, line), Some(expected), "{line}\n{text}");
    }
    let left = value(&text, "refrain_reauthorize_seconds").unwrap();
    assert!((178.0..=184.0).contains(&(left / 86_400.0)), "{left}");
    assert!(text.ends_with("# EOF\n"));
    for name in ["alice", "bob", "rfk_", "key-"] {
        assert!(!text.contains(name), "{name} is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_are_counted_once_a_minute() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::ProxyRead]).await;
    let active = r#"refrain_grants{status="active"}"#;
    assert_eq!(value(&read(&world, &key).await, active), Some(1.0));
    world
        .refrain
        .grant("alice")
        .await
        .unwrap()
        .logout()
        .await
        .unwrap();
    world.pass(Duration::from_secs(59));
    let text = read(&world, &key).await;
    assert_eq!(value(&text, active), Some(1.0), "as it was counted");
    assert_eq!(value(&text, "refrain_grants_read_seconds"), Some(59.0));
    world.pass(Duration::from_secs(1));
    let text = read(&world, &key).await;
    assert_eq!(value(&text, active), Some(0.0));
    assert_eq!(value(&text, "refrain_reauthorize_seconds"), None);
}
