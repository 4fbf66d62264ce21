//! A user consents in a browser: the whole round, and everything that can come in between.

mod foreign;
mod markup;

use std::time::Duration;

use refrain::{
    access::{Grants, Permission},
    keeper::links::{NewLink, USUAL_LIFE},
};
use refrain_sim::{Profile, User};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Seen},
    world::{World, client},
};

const DONE: &str = "https://app.example/done?session=7";

/// A world, and a program that has its users consent.
struct App {
    world: World,
    key: String,
}

impl App {
    async fn new() -> Self {
        Self::with(Profile::default()).await
    }

    async fn with(profile: Profile) -> Self {
        let world = World::new(profile).await;
        let all = [Permission::Manage, Permission::ProxyRead];
        let key = world.key_for(Grants::All, &all).await;
        Self { world, key }
    }

    /// A link as the program gets it.
    async fn link(&self, asked: Value) -> String {
        let url = self.world.url("/refrain/v1/connect-links");
        let request = client().post(url).bearer_auth(&self.key).json(&asked);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let link: Value = answer.json().await.unwrap();
        link.get("url").unwrap().as_str().unwrap().to_owned()
    }

    async fn link_back(&self, grant: &str) -> String {
        self.link(json!({"grant": grant, "return_to": DONE})).await
    }

    /// What was noted about browsers: the grant and the result.
    async fn connected(&self) -> Vec<String> {
        let url = self.world.url("/refrain/v1/events");
        let answer = client().get(url).bearer_auth(&self.key).send().await;
        let page: Value = answer.unwrap().json().await.unwrap();
        let events = page.get("events").unwrap().as_array().unwrap().iter();
        let text = |it: &Value, name: &str| it.get(name).unwrap().as_str().map(str::to_owned);
        let events = events
            .filter(|it| text(it, "action").unwrap() == "connected")
            .map(|it| {
                let link = text(it, "link").unwrap();
                assert_eq!(text(it, "caller").unwrap(), format!("link:{link}"));
                let (grant, result) = (text(it, "grant"), text(it, "result"));
                format!("{} {}", grant.unwrap(), result.unwrap())
            });
        events.collect()
    }

    async fn works(&self, grant: &str) -> bool {
        let request = client()
            .get(self.world.url("/v1/me"))
            .bearer_auth(&self.key);
        let answer = request.header("refrain-grant", grant).send().await.unwrap();
        answer.status() == StatusCode::OK
    }

    fn asked(&self) -> u64 {
        self.world.sim.counts().token_calls
    }
}

/// What every page and every redirect of these says to the browser.
fn is_closed(seen: &Seen) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(seen.header(name), value, "{seen:?}");
    }
    let policy = seen.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.contains("base-uri 'none'; frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !seen.body.contains("<script"));
    assert_eq!(seen.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_connected_and_goes_back_to_the_app() {
    let app = App::with(Profile {
        auto_consent: true,
        ..Profile::default()
    })
    .await;
    let asked = json!({"grant": "bob", "return_to": DONE, "scopes": ["user-read-private"]});
    let (url, browser) = (app.link(asked).await, Browser::new());
    let page = browser.visit(&url).await;
    is_closed(&page);
    for words in [
        "<strong>default</strong>",
        "<strong>bob</strong>",
        "see your country",
        "https://app.example",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    // The form may lead to all places of the round, for a user whom Spotify asks nothing.
    let places = format!(
        "form-action 'self' {} https://app.example",
        app.world.sim.accounts_url()
    );
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with(&places), "{policy}");
    assert!(browser.cookies().is_empty(), "to look changes nothing");
    let sent = browser.press(&url).await;
    is_closed(&sent);
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with("refrain-connect-"), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let at_spotify = sent.location();
    assert!(at_spotify.starts_with(app.world.sim.accounts_url()));
    assert!(at_spotify.contains("code_challenge_method=S256") && at_spotify.contains("state="));
    let answer = client().get(&at_spotify).send().await.unwrap();
    let callback = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        callback.starts_with(&app.world.url("/callback?")),
        "{callback}"
    );
    let back = browser.visit(&callback).await;
    is_closed(&back);
    let place = format!("{DONE}&refrain=connected&grant=bob");
    assert_eq!(back.location(), place);
    assert!(browser.cookies().is_empty());
    assert!(app.works("bob").await);
    assert_eq!(app.connected().await, ["bob done"]);
    // Nothing of it works twice.
    assert_eq!(
        browser.visit(&callback).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(browser.visit(&url).await.code(), "link_used");
    assert_eq!(browser.press(&url).await.code(), "link_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_to_go_back_to_a_page_says_how_it_ended() {
    let app = App::new().await;
    let browser = Browser::new();
    let at_spotify = browser
        .begin(&app.link(json!({"grant": "bob"})).await)
        .await;
    let page = browser
        .visit(&app.world.sim.consent(&at_spotify).unwrap())
        .await;
    is_closed(&page);
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("<h1>Signed in as "), "{}", page.body);
    let at_spotify = browser
        .begin(&app.link(json!({"grant": "carol"})).await)
        .await;
    let page = browser
        .visit(&app.world.sim.deny(&at_spotify).unwrap())
        .await;
    is_closed(&page);
    assert_eq!(
        (page.status, page.code()),
        (StatusCode::FORBIDDEN, "login_denied")
    );
    assert!(
        page.body.contains("choose Agree at Spotify"),
        "{}",
        page.body
    );
    assert!(!app.works("carol").await);
    assert_eq!(app.connected().await, ["bob done", "carol login_denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_nothing_is_told_by_its_code() {
    let app = App::with(Profile {
        users: vec![User::new("alice"), User::new("mallory")],
        ..Profile::default()
    })
    .await;
    let sim = &app.world.sim;
    let browser = Browser::new();
    let back = async |grant: &str, how: &str| {
        let at_spotify = browser.begin(&app.link_back(grant).await).await;
        let callback = match how {
            "deny" => sim.deny(&at_spotify),
            _ => sim.consent(&at_spotify),
        };
        let seen = browser.visit(&callback.unwrap()).await;
        let place = seen.location();
        place.strip_prefix(&format!("{DONE}&")).unwrap().to_owned()
    };
    assert_eq!(back("bob", "deny").await, "error=login_denied&grant=bob");
    sim.sign_in_as("mallory");
    assert_eq!(
        back("alice", "").await,
        "error=login_other_account&grant=alice"
    );
    assert!(app.works("alice").await, "she is as she was");
    let registered = sim.default_app();
    sim.register_app(refrain_sim::App {
        allowlist: Some(vec!["alice".to_owned()]),
        ..registered.clone()
    });
    assert_eq!(
        back("bob", "").await,
        "error=login_not_allowlisted&grant=bob"
    );
    sim.register_app(refrain_sim::App {
        owner_premium: false,
        ..registered
    });
    assert_eq!(
        back("bob", "").await,
        "error=login_owner_not_premium&grant=bob"
    );
    assert!(!app.works("bob").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_over_is_said_to_be() {
    let app = App::new().await;
    let browser = Browser::new();
    let late = app.link_back("bob").await;
    let at_spotify = browser.begin(&app.link_back("carol").await).await;
    app.world.pass(USUAL_LIFE);
    for seen in [browser.visit(&late).await, browser.press(&late).await] {
        is_closed(&seen);
        assert_eq!(
            (seen.status, seen.code()),
            (StatusCode::GONE, "link_expired")
        );
        assert!(seen.body.contains("get a new link"), "{}", seen.body);
    }
    // Who took too long at Spotify.
    let callback = app.world.sim.consent(&at_spotify).unwrap();
    let seen = browser.visit(&callback).await;
    assert_eq!(
        (seen.status, seen.code()),
        (StatusCode::BAD_REQUEST, "login_over")
    );
    let before = app.asked();
    let end = late.split_at(late.len() - 1).0;
    for unknown in [
        end.to_owned(),
        format!("{end}-"),
        format!("{late}0"),
        late.replace("/connect/", "/connect/%20"),
    ] {
        let seen = browser.visit(&unknown).await;
        is_closed(&seen);
        assert_eq!(
            (seen.status, seen.code()),
            (StatusCode::GONE, "link_unknown"),
            "{unknown}"
        );
    }
    for _ in 0..20 {
        browser.visit(&format!("{end}-")).await;
    }
    let held_up = browser.visit(&format!("{end}-")).await;
    assert_eq!(held_up.status, StatusCode::TOO_MANY_REQUESTS);
    let good = app.link_back("bob").await;
    assert_eq!(
        browser.visit(&good).await.status,
        StatusCode::OK,
        "a good one is not"
    );
    assert_eq!(app.asked(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_a_place_that_is_not_allowed_any_more() {
    let app = App::new().await;
    let new = NewLink {
        grant: "bob".parse().unwrap(),
        app: None,
        scope: None,
        return_to: Some("https://evil.example/".parse().unwrap()),
        reconnect: None,
        lifetime: Duration::from_secs(60),
    };
    let (link, _) = app.world.refrain.create_link(new).await.unwrap();
    let browser = Browser::new();
    let url = app.world.url(&format!("/connect/{}", link.expose()));
    let at_spotify = browser.begin(&url).await;
    let seen = browser
        .visit(&app.world.sim.consent(&at_spotify).unwrap())
        .await;
    assert_eq!((seen.status, seen.header("location")), (StatusCode::OK, ""));
    assert!(seen.body.contains("Signed in") && app.works("bob").await);
}
