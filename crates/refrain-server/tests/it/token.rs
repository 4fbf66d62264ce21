//! `/api/token`: the endpoint for programs that refresh by themselves.

use refrain::access::Permission;
use refrain_sim::Profile;
use reqwest::StatusCode;
use serde_json::Value;

use crate::world::{World, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_a_refresh_token_to_those_who_need_one() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Token]).await;
    let body = format!("grant_type=refresh_token&refresh_token={key}&client_id=whatever");
    let answer = client()
        .post(world.url("/api/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .basic_auth("id", Some("secret"))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert!(body.get("refresh_token").is_none());
    assert!((3500..=3600).contains(&body["expires_in"].as_u64().unwrap()));
    let token = body["access_token"].as_str().unwrap();
    let me = client()
        .get(format!("{}/v1/me", world.sim.api_url()))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(me.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_long_form_held_before_he_has_shown_a_key() {
    let world = World::new(Profile::default()).await;
    let key = world.key(&[Permission::Token]).await;
    let form = format!("grant_type=refresh_token&refresh_token={key}&scope=");
    for (length, status) in [
        (15 * 1024, StatusCode::OK),
        (17 * 1024, StatusCode::BAD_REQUEST),
        (500 * 1024, StatusCode::BAD_REQUEST),
    ] {
        let answer = client()
            .post(world.url("/api/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("{form}{}", "x".repeat(length)))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{length}");
    }
}
