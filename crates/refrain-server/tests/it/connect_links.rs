//! Links by which users consent, as programs make them.

use refrain::access::{Grants, Permission};
use refrain_sim::Profile;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{World, client, only};

async fn make(world: &World, key: &str, body: &Value) -> (StatusCode, Value) {
    let url = world.url("/refrain/v1/connect-links");
    let request = client().post(url).bearer_auth(key).json(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.status(), answer.json().await.unwrap())
}

async fn manager(world: &World) -> String {
    world.key_for(Grants::All, &[Permission::Manage]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_told_once_and_noted_without_its_secret() {
    let world = World::new(Profile::default()).await;
    let key = manager(&world).await;
    let (status, link) = make(&world, &key, &json!({"grant": "bob"})).await;
    assert_eq!(status, StatusCode::CREATED, "{link}");
    let url = link["url"].as_str().unwrap();
    let text = url.strip_prefix(&world.url("/connect/")).unwrap();
    assert_eq!(text.len(), 37);
    let (id, secret) = text.split_at(10);
    assert_eq!(link["link"], id);
    assert_eq!(
        (&link["grant"], &link["app"]),
        (&json!("bob"), &json!("default"))
    );
    assert_eq!(link["reconnect"], false);
    let scopes = json!(["user-read-private", "user-read-recently-played"]);
    assert_eq!(link["scopes"], scopes);
    let made = world.clock_wall();
    let expires = made.after(std::time::Duration::from_secs(600)).to_string();
    assert_eq!(link["expires_at"], expires);
    let asked = json!({
        "grant": "alice", "app": "default", "scopes": ["streaming"], "expires_in": 3600,
        "return_to": "https://app.example/done?session=7",
    });
    let (status, again) = make(&world, &key, &asked).await;
    assert_eq!(
        (status, &again["reconnect"]),
        (StatusCode::CREATED, &json!(true))
    );
    assert_eq!(again["scopes"], json!(["streaming"]));
    let events = client()
        .get(world.url("/refrain/v1/events"))
        .bearer_auth(&key);
    let events: Value = events.send().await.unwrap().json().await.unwrap();
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["action"], "link_created");
    assert_eq!(
        (&events[0]["grant"], &events[0]["link"]),
        (&json!("bob"), &link["link"])
    );
    assert!(
        !format!("{events:?}").contains(secret),
        "its secret is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_for_a_grant_that_the_key_reaches() {
    let world = World::new(Profile::default()).await.with_bob().await;
    let key = world.key_for(only(["bob"]), &[Permission::Manage]).await;
    let (status, _) = make(&world, &key, &json!({"grant": "bob"})).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut told = Vec::new();
    for grant in ["alice", "carol"] {
        told.push(make(&world, &key, &json!({"grant": grant})).await);
    }
    assert_eq!(told[0].0, StatusCode::FORBIDDEN);
    assert_eq!(told[0], told[1], "whether it is there or not");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_sent_where_the_configuration_says_and_nowhere_else() {
    let world = World::new(Profile::default()).await;
    let key = manager(&world).await;
    for (place, allowed) in [
        ("https://app.example/done", true),
        ("https://app.example/done?a=b", true),
        ("http://127.0.0.1:3000/any/where", true),
        ("https://app.example/", false),
        ("https://app.example/done/er", false),
        ("https://app.example/done/../evil", false),
        ("https://app.example/%2e%2e/done", false),
        ("https://app.example.evil.example/done", false),
        ("https://app.example@evil.example/done", false),
        ("https://evil.example/done", false),
        ("http://app.example/done", false),
        ("http://127.0.0.1:3001/", false),
        ("http://localhost:3000/", false),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("https:\\\\app.example\\done", false),
        ("/done", false),
        ("javascript:alert(1)", false),
        ("https://app.example/done#x", false),
        ("https://app.example/done?error=x", false),
        ("", false),
    ] {
        let asked = json!({"grant": "bob", "return_to": place});
        let (status, answer) = make(&world, &key, &asked).await;
        assert_eq!(status == StatusCode::CREATED, allowed, "{place}: {answer}");
        if !allowed {
            assert_eq!(status, StatusCode::BAD_REQUEST, "{place}");
            assert_eq!(answer["code"], "return_to_not_allowed", "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_said_with_its_reason() {
    let world = World::new(Profile::default()).await;
    let key = manager(&world).await;
    for (asked, status, code) in [
        (json!({}), 400, "bad_body"),
        (json!({"grant": "a b"}), 400, "bad_body"),
        (json!({"grant": "bob", "user": "x"}), 400, "bad_body"),
        (json!({"grant": "bob", "scopes": ["a b"]}), 400, "bad_body"),
        (
            json!({"grant": "bob", "scopes": "streaming"}),
            400,
            "bad_body",
        ),
        (
            json!({"grant": "bob", "expires_in": 0}),
            400,
            "link_lifetime",
        ),
        (
            json!({"grant": "bob", "expires_in": 3601}),
            400,
            "link_lifetime",
        ),
        (json!({"grant": "bob", "app": "other"}), 409, "unknown_app"),
        (
            json!({"grant": "bob", "reconnect": true}),
            404,
            "unknown_grant",
        ),
        (
            json!({"grant": "alice", "reconnect": false}),
            409,
            "grant_exists",
        ),
    ] {
        let (is, answer) = make(&world, &key, &asked).await;
        assert_eq!(
            (is.as_u16(), &answer["code"]),
            (status, &json!(code)),
            "{asked}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_uri_that_leads_elsewhere_is_found_before_a_user_is_sent_there() {
    for (redirect, code) in [
        ("http://127.0.0.1:1/callback", "redirect_elsewhere"),
        ("http://127.0.0.1/", "redirect_elsewhere"),
        ("http://127.0.0.1/elsewhere", "redirect_elsewhere"),
        ("http://127.0.0.2/callback", "redirect_elsewhere"),
        ("https://other.example/callback", "redirect_elsewhere"),
        ("http://localhost:4280/callback", "redirect_localhost"),
    ] {
        let world = World::with_apps(Profile::default(), |apps| {
            let mut other = apps.values().next().unwrap().clone();
            other.name = "other".parse().unwrap();
            other.redirect_uri = redirect.parse().unwrap();
            apps.insert(other.name.clone(), other);
        })
        .await;
        let key = manager(&world).await;
        let asked = json!({"grant": "bob", "app": "other"});
        let (status, answer) = make(&world, &key, &asked).await;
        let told = (status, answer["code"].as_str().unwrap());
        assert_eq!(told, (StatusCode::CONFLICT, code), "{answer}");
        assert!(
            answer["title"].as_str().unwrap().contains("redirect URI"),
            "{answer}"
        );
        assert!(
            answer["detail"].as_str().unwrap().contains("/callback"),
            "{answer}"
        );
        // Nothing is known of it, and there is another: nobody guesses.
        let (status, _) = make(&world, &key, &json!({"grant": "bob"})).await;
        assert_eq!(status, StatusCode::CREATED, "the app default is as it was");
    }
}
