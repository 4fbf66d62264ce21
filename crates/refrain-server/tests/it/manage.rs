//! The management API: what it tells, and what it does.

use std::time::Duration;

use refrain::access::{Grants, Permission};
use refrain_sim::Profile;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{World, client, only};

struct Managed {
    world: World,
    key: String,
}

impl Managed {
    async fn new() -> Self {
        let world = World::new(Profile::default()).await.with_bob().await;
        let key = world
            .key_for(Grants::All, &[Permission::Manage, Permission::Token])
            .await;
        Self { world, key }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.ask_with(&self.key, method, path, body).await
    }

    async fn ask_with(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = self.world.url(&format!("/refrain/v1{path}"));
        let mut request = client().request(method, url).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_given_that_works_and_lives_as_long_as_is_asked() {
    let here = Managed::new().await;
    for (seconds, refreshed) in [(60, 0), (300, 0), (3600, 1), (3600, 1)] {
        here.world.pass(Duration::from_secs(600));
        let path = format!("/grants/alice/token?min_ttl={seconds}");
        let token = here.get(&path).await;
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["grant"], "alice");
        let lives = token["expires_in"].as_u64().unwrap();
        assert!(lives >= seconds.min(3240), "{seconds}: {lives}");
        let url = format!("{}/v1/me", here.world.sim.api_url());
        let me = client()
            .get(url)
            .bearer_auth(token["access_token"].as_str().unwrap());
        assert_eq!(me.send().await.unwrap().status(), StatusCode::OK);
        assert!(here.world.refreshes() >= refreshed, "{seconds}");
    }
    let (_, posted) = here
        .ask(
            Method::POST,
            "/grants/alice/token",
            Some(json!({"min_ttl": 60})),
        )
        .await;
    let got = here.get("/grants/alice/token").await;
    assert_eq!(posted["access_token"], got["access_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_json_of_the_known_fields_and_short() {
    let here = Managed::new().await;
    let post = |kind: &str, body: String| {
        let url = here.world.url("/refrain/v1/keys");
        let request = client().post(url).bearer_auth(&here.key);
        request.header("content-type", kind).body(body).send()
    };
    let json = "application/json";
    let new = |more: &str| format!(r#"{{"name":"x","grants":["alice"]{more}}}"#);
    let long = format!(r#","padding":"{}""#, "x".repeat(64 * 1024));
    for (kind, body, status, code) in [
        (json, new(r#","admin":true"#), 400, "bad_body"),
        (json, new(r#","permissions":["root"]"#), 400, "bad_body"),
        (
            json,
            new(r#","permissions":[]"#),
            400,
            "key_without_permission",
        ),
        (json, new(r#","all_grants":true"#), 400, "bad_body"),
        (json, new(r#","expires_in":0"#), 400, "bad_body"),
        (json, new(r#","expires_in":-1"#), 400, "bad_body"),
        (json, r#"{"name":"x"}"#.to_owned(), 400, "key_without_grant"),
        (json, r#"{"name":"a b"}"#.to_owned(), 400, "bad_body"),
        (json, "[".to_owned(), 400, "bad_body"),
        (json, String::new(), 400, "bad_body"),
        (json, new(&long), 413, "body_too_long"),
        ("text/plain", new(""), 415, "bad_content_type"),
        (
            json,
            r#"{"name":"x","grants":["nobody"]}"#.to_owned(),
            409,
            "unknown_grant",
        ),
        (json, new(""), 201, ""),
        (json, new(""), 409, "key_name_taken"),
    ] {
        let shown: String = body.chars().take(80).collect();
        let answer = post(kind, body).await.unwrap();
        assert_eq!(answer.status(), status, "{shown}");
        if !code.is_empty() {
            assert_eq!(answer.headers()["refrain-error"], code, "{shown}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert!(answer.headers().contains_key("refrain-request-id"));
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], code);
            assert_eq!(problem["status"], status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_known_and_within_bounds() {
    let here = Managed::new().await;
    for query in [
        "min_ttl=-1",
        "min_ttl=3601",
        "min_ttl=x",
        "min_ttl=",
        "ttl=5",
    ] {
        let path = format!("/grants/alice/token?{query}");
        let (status, problem) = here.ask(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(problem["code"], "bad_query", "{query}");
    }
    let path = format!("/grants/alice/token?min_ttl=5&api_key={}", here.key);
    let (status, problem) = here.ask(Method::GET, &path, None).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (400, &json!("key_in_url"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_and_refused_from_the_moment_it_is_revoked() {
    let here = Managed::new().await;
    let new = json!({"name": "phone", "grants": ["alice"], "permissions": ["token"]});
    let (status, made) = here.ask(Method::POST, "/keys", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let listed = here.get("/keys").await;
    assert!(!listed.to_string().contains("rfk_"), "{listed}");
    let listed = listed["keys"].as_array().unwrap();
    assert!(
        listed
            .iter()
            .any(|it| it["id"] == id && it["status"] == "valid")
    );
    // On one connection, which remembers the key.
    let client = client();
    let use_it = || {
        let url = here.world.url("/refrain/v1/grants/alice/token");
        client.get(url).bearer_auth(key).send()
    };
    assert_eq!(use_it().await.unwrap().status(), StatusCode::OK);
    let path = format!("/keys/{id}");
    let (status, revoked) = here.ask(Method::DELETE, &path, None).await;
    assert_eq!(
        (status, &revoked["was_revoked"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(use_it().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let (_, again) = here.ask(Method::DELETE, &path, None).await;
    assert_eq!(again["was_revoked"], true);
    let (status, _) = here.ask(Method::DELETE, "/keys/0000000000", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_or_sees_a_key_that_reaches_further_than_his_own() {
    let here = Managed::new().await;
    let (alice, manage) = (only(["alice"]), [Permission::Manage]);
    let key = here.world.key_for(alice, &manage).await;
    let make = |new: Value| here.ask_with(&key, Method::POST, "/keys", Some(new));
    for (number, (reach, status)) in [
        (json!({"grants": ["alice"]}), 201),
        (json!({"grants": ["alice", "bob"]}), 403),
        (json!({"grants": ["nobody"]}), 403),
        (json!({"all_grants": true}), 403),
    ]
    .into_iter()
    .enumerate()
    {
        let mut new = reach.clone();
        new["name"] = format!("made-{number}").into();
        let (told, _) = make(new).await;
        assert_eq!(told, status, "{reach}");
    }
    let (_, keys) = here.ask_with(&key, Method::GET, "/keys", None).await;
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "his own, and the one that he made: {keys:?}");
    let (_, grants) = here.ask_with(&key, Method::GET, "/grants", None).await;
    let grants = grants["grants"].as_array().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0]["grant"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_told_refreshed_and_signed_out() {
    let here = Managed::new().await;
    let all = here.get("/grants").await;
    assert_eq!(all["grants"].as_array().unwrap().len(), 2);
    let alice = here.get("/grants/alice").await;
    assert_eq!(all["grants"][0], alice);
    assert_eq!(alice["status"], "active");
    assert!(
        (179..=184).contains(&alice["days_left"].as_u64().unwrap()),
        "{alice}"
    );
    let before = here.world.refreshes();
    let (status, refreshed) = here.ask(Method::POST, "/grants/alice/refresh", None).await;
    assert_eq!(
        (status, here.world.refreshes()),
        (StatusCode::OK, before + 1)
    );
    let story = here.get("/grants/alice/story").await;
    assert_eq!(story["token_expires_at"], refreshed["token_expires_at"]);
    let events = story["events"].as_array().unwrap();
    let words: Vec<_> = events
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["consented", "refreshed"]);
    let (status, out) = here.ask(Method::DELETE, "/grants/alice", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        out["destroyed"],
        json!(["refresh_token", "access_token", "data_key"])
    );
    assert_eq!(out["access_until"], refreshed["token_expires_at"]);
    assert!(
        out["remove_app_at"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    // That a grant needs a login is nothing about the caller's key.
    for path in ["/grants/alice/token", "/grants/alice/token?min_ttl=60"] {
        let (status, problem) = here.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::CONFLICT, "{path}");
        assert_eq!(problem["code"], "signed_out");
    }
    assert_eq!(here.get("/grants/alice").await["status"], "signed_out");
    let (status, _) = here.ask(Method::GET, "/grants/nobody", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_can_be_read_by_those_whom_it_concerns() {
    let here = Managed::new().await;
    let start = here.get("/events").await["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = here.get("/grants/alice/token").await;
    let client = client();
    for _ in 0..5 {
        // Read to its end, so that the connection is used again.
        let url = here.world.url("/refrain/v1/grants/bob/token");
        let answer = client.get(url).bearer_auth(&here.key).send().await;
        answer.unwrap().bytes().await.unwrap();
    }
    let (_, made) = here
        .ask(
            Method::POST,
            "/keys",
            Some(json!({"name": "x", "grants": ["bob"]})),
        )
        .await;
    here.ask(Method::POST, "/grants/alice/refresh", None).await;
    here.ask(Method::DELETE, "/grants/alice", None).await;
    here.ask(Method::DELETE, "/grants/alice", None).await;
    let told = here.get(&format!("/events?after={start}")).await;
    let events = told["events"].as_array().unwrap();
    let lines: Vec<_> = events
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
            assert!(text("caller").starts_with("key:"), "{it}");
            format!("{} {} {}", text("action"), text("grant"), text("result"))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "token_given alice done",
            "token_given bob done",
            "key_created - done",
            "refresh alice done",
            "logout alice done",
            "logout alice signed_out",
        ]
    );
    for secret in [&token["access_token"], &made["key"], &json!(here.key)] {
        let secret = secret.as_str().unwrap();
        assert!(!told.to_string().contains(secret), "a secret is told");
    }
    let bob = here
        .world
        .key_for(only(["bob"]), &[Permission::Manage])
        .await;
    let (_, told) = here.ask_with(&bob, Method::GET, "/events", None).await;
    let events = told["events"].as_array().unwrap();
    let actions: Vec<_> = events
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["token_given", "key_created"]);
}
