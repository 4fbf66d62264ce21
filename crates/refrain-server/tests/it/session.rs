//! Users of a web app without a back end: they sign in with a browser, and call the Web API by its cookie.

mod carried;
mod foreign;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Refrain,
    id::GrantName,
    lifecycle::Status,
    session::SessionToken,
    store::{Store, StoreError},
};
use refrain_sim::{Profile, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    between::{Between, Call, Watched},
    browser::{Browser, Seen},
    world::World,
};

/// What a script of a page on this origin sends.
async fn fetch(world: &World, browser: &Browser, method: Method, path: &str) -> Seen {
    let request = browser
        .request(method, &world.url(path))
        .header("origin", world.url(""))
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-dest", "empty");
    browser.send(request).await
}

async fn told(world: &World, browser: &Browser) -> Value {
    let seen = fetch(world, browser, Method::GET, "/session").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    assert_eq!(seen.header("cache-control"), "no-store");
    serde_json::from_str(&seen.body).unwrap()
}

/// Signs the simulator's present user in, and answers where that has ended.
async fn sign_in(world: &World, browser: &Browser) -> Seen {
    let login = world.url("/session/login?return_to=/app%3Fa%3Db");
    let at_spotify = browser.begin(&login).await;
    let callback = world.sim.consent(&at_spotify).unwrap();
    browser.visit(&callback).await
}

async fn two_users() -> World {
    World::with_sessions(Profile {
        users: vec![User::new("alice"), User::new("bob")],
        ..Profile::default()
    })
    .await
}

fn session_cookie(world: &World) -> String {
    let port = world.url("").rsplit(':').next().unwrap().to_owned();
    format!("refrain-session-{port}")
}

fn grant_of(browser: &Browser, world: &World) -> SessionToken {
    SessionToken::parse(&browser.cookies()[&session_cookie(world)]).unwrap()
}

async fn grants(world: &World) -> Vec<GrantName> {
    let grants = world.refrain.grants().await.unwrap();
    grants.into_iter().map(|it| it.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_calls_the_api_and_signs_out() {
    let world = two_users().await;
    let browser = Browser::new();
    assert_eq!(told(&world, &browser).await["signed_in"], json!(false));
    let page = browser.visit(&world.url("/session/login")).await;
    assert!(page.body.contains("You sign in to the app"), "{page:?}");
    assert!(browser.cookies().is_empty(), "to look changes nothing");

    let back = sign_in(&world, &browser).await;
    assert_eq!(back.location(), "/app?a=b");
    let given = back.headers.iter().filter(|(name, _)| name == "set-cookie");
    let given = given
        .map(|(_, it)| it)
        .find(|it| it.starts_with("refrain-session-"));
    let given = given.unwrap();
    assert!(
        given.ends_with("; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax"),
        "{given}"
    );
    assert_eq!(browser.cookies().len(), 1, "that of the login is gone");

    let me = told(&world, &browser).await;
    assert_eq!(
        (&me["signed_in"], &me["needs_login"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(me["days_left"], json!(181));
    let seen = fetch(&world, &browser, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    let account: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(me["account_id"], account["account_id"]);
    // A client that insists on a token.
    let request = browser.request(Method::GET, &world.url("/v1/me"));
    let seen = browser.send(request.bearer_auth("session")).await;
    assert_eq!(seen.status, StatusCode::OK);
    let seen = fetch(&world, &browser, Method::PUT, "/v1/me/player/pause").await;
    assert_eq!(seen.status, StatusCode::NO_CONTENT, "{seen:?}");

    let out = fetch(&world, &browser, Method::POST, "/session/logout").await;
    let out: Value = serde_json::from_str(&out.body).unwrap();
    assert_eq!(
        (&out["signed_in"], &out["sessions_left"]),
        (&json!(false), &json!(0))
    );
    let done = &out["disconnected"];
    assert_eq!(done["revocation"], json!("answered"));
    assert_eq!(done["next_login_asks_for_consent"], json!(true));
    assert_eq!(
        done["remove_app_at"],
        json!("https://www.spotify.com/account/apps/")
    );
    let seen = fetch(&world, &browser, Method::GET, "/v1/me").await;
    assert_eq!(
        (seen.status, seen.code()),
        (StatusCode::UNAUTHORIZED, "session_over")
    );
    let anew = browser.begin(&world.url("/session/login")).await;
    assert!(anew.contains("show_dialog=true"), "{anew}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_user_who_is_signed_out_stays() {
    let world = two_users().await;
    world.sim.sign_in_as("bob");
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let name = grants(&world).await.pop().unwrap();
    let row = world.refrain.grant_named(&name).row().await.unwrap();
    let account = row.account.unwrap().id;
    let told = name.as_str().strip_prefix("web-").unwrap();
    assert!(!account.contains(told), "a name tells nobody who it is");
    fetch(&world, &browser, Method::POST, "/session/logout").await;
    let row = world.refrain.grant_named(&name).row().await.unwrap();
    assert!(row.account.is_none() && row.tokens.is_none(), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_browsers_of_one_user_share_a_grant_and_go_one_by_one() {
    let world = two_users().await;
    let (one, other) = (Browser::new(), Browser::new());
    sign_in(&world, &one).await;
    sign_in(&world, &other).await;
    let before = grants(&world).await;
    assert_eq!(
        before.len(),
        2,
        "that of alice's key, and that of her browsers"
    );
    for browser in [&one, &other] {
        let seen = fetch(&world, browser, Method::GET, "/v1/me").await;
        assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    }
    let out = fetch(&world, &one, Method::POST, "/session/logout").await;
    let out: Value = serde_json::from_str(&out.body).unwrap();
    assert_eq!(
        (&out["sessions_left"], &out["disconnected"]),
        (&json!(1), &Value::Null)
    );
    let seen = fetch(&world, &one, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    let seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everywhere_is_everywhere_at_once_here() {
    let world = two_users().await;
    let (one, other) = (Browser::new(), Browser::new());
    sign_in(&world, &one).await;
    sign_in(&world, &other).await;
    let seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    let path = "/session/logout?everywhere=true";
    let out = fetch(&world, &one, Method::POST, path).await;
    assert!(out.body.contains("\"disconnected\":{"), "{out:?}");
    world.pass(Duration::from_secs(5));
    let seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(
        (seen.status, seen.code()),
        (StatusCode::UNAUTHORIZED, "session_over")
    );
    assert_eq!(told(&world, &other).await["signed_in"], json!(false));
    // Whoever comes back begins anew, and does not wake up what was ended.
    sign_in(&world, &one).await;
    let seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(seen.code(), "session_over");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_signed_out_is_asked_again_in_every_browser() {
    let world = two_users().await;
    let (one, other) = (Browser::new(), Browser::new());
    sign_in(&world, &one).await;
    fetch(&world, &one, Method::POST, "/session/logout").await;
    let asked = sign_in(&world, &other).await.location();
    assert!(asked.starts_with(world.sim.accounts_url()) && asked.contains("show_dialog=true"));
    assert_eq!(told(&world, &other).await["signed_in"], json!(false));
    let callback = world.sim.consent(&asked).unwrap();
    assert_eq!(other.visit(&callback).await.location(), "/app?a=b");
    assert_eq!(told(&world, &other).await["signed_in"], json!(true));
}

/// Signs the user of a grant out before the write of a number.
#[derive(Debug, Clone, Default)]
struct SignsOut {
    left: Arc<AtomicU32>,
    whom: Arc<OnceLock<(Refrain, GrantName)>>,
}

#[async_trait]
impl Between for SignsOut {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        let counts = call == Call::Write && self.left.load(Ordering::SeqCst) > 0;
        if counts && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let (refrain, grant) = self.whom.get().unwrap();
            refrain.grant_named(grant).logout().await.unwrap();
        }
        Ok(())
    }
}

/// Their login is saved, and their session not begun.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_elsewhere_while_a_login_ends_is_asked_in_that_browser() {
    let between = SignsOut::default();
    let watched = {
        let between = between.clone();
        |inner| Arc::new(Watched { inner, between }) as Arc<dyn Store>
    };
    let world = World::with_sessions_behind(Profile::default(), watched).await;
    let (one, other) = (Browser::new(), Browser::new());
    sign_in(&world, &one).await;
    let grant = grants(&world).await.pop().unwrap();
    between.whom.set((world.refrain.clone(), grant)).unwrap();
    let at_spotify = other.begin(&world.url("/session/login")).await;
    let callback = world.sim.consent(&at_spotify).unwrap();
    // The attempt is taken, the login saved, and then its session would begin.
    between.left.store(3, Ordering::SeqCst);
    let asked = other.visit(&callback).await.location();
    assert_eq!(between.left.load(Ordering::SeqCst), 0);
    assert!(asked.starts_with(world.sim.accounts_url()) && asked.contains("show_dialog=true"));
    for browser in [&one, &other] {
        world.pass(Duration::from_secs(5));
        assert_eq!(told(&world, browser).await["signed_in"], json!(false));
    }
    let callback = world.sim.consent(&asked).unwrap();
    assert_eq!(other.visit(&callback).await.location(), "/");
    assert_eq!(told(&world, &other).await["signed_in"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_browser_that_signs_somebody_else_in_the_user_before_does_not_stay() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let before = browser.cookies();
    world.sim.sign_in_as("bob");
    sign_in(&world, &browser).await;
    let old = Browser::new();
    for (name, value) in &before {
        old.plant(name, value);
    }
    let seen = fetch(&world, &old, Method::GET, "/v1/me").await;
    assert_eq!(seen.code(), "session_over", "at once");
    let grants = world.refrain.grants().await.unwrap();
    let gone = grants
        .iter()
        .filter(|it| matches!(it.status, Status::SignedOut { .. }));
    assert_eq!(
        gone.count(),
        1,
        "nobody is left who could use what was kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reaches_the_web_api_and_nothing_else() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    for route in refrain_server::routes() {
        if route.path.starts_with("/v1/")
            || route.needs.contains("credentials")
            || route.needs == "nothing"
        {
            continue;
        }
        let path = route
            .path
            .replace("{name}", "alice")
            .replace("{id}", "0123456789");
        let seen = fetch(&world, &browser, route.method.parse().unwrap(), &path).await;
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&seen.status);
        assert!(refused, "{route:?} {seen:?}");
    }
    let token = grant_of(&browser, &world);
    let request = crate::world::client().get(world.url("/v1/me"));
    let seen = request.bearer_auth(token.expose()).send().await.unwrap();
    assert_eq!(seen.status(), StatusCode::UNAUTHORIZED, "it is no key");
    let request = browser.request(Method::GET, &world.url("/v1/me"));
    let seen = browser.send(request.header("refrain-grant", "alice")).await;
    assert_eq!(
        (seen.status, seen.code()),
        (StatusCode::FORBIDDEN, "not_allowed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_its_time_and_lives_while_it_is_used() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let day = Duration::from_secs(24 * 60 * 60);
    for _ in 0..3 {
        world.pass(day * 29);
        let me = world.in_time(told(&world, &browser)).await;
        assert_eq!(me["signed_in"], json!(true));
    }
    world.pass(day * 31);
    assert_eq!(told(&world, &browser).await["signed_in"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_has_to_do_is_told_to_the_page() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let token = grant_of(&browser, &world);
    let record = world.refrain.verify_session(&token).await.unwrap();
    let refrain::session::Whose::User(name) = record.whose else {
        panic!("{record:?}");
    };
    world.refrain.grant_named(&name).logout().await.unwrap();
    world.pass(Duration::from_secs(5));
    let me = told(&world, &browser).await;
    assert_eq!(
        me["signed_in"],
        json!(false),
        "whoever signs a grant out ends its sessions"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_at_once_with_a_token_that_has_expired_are_one_refresh() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    world.pass(Duration::from_secs(3700));
    let before = world.refreshes();
    let mut tabs = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let request = browser.request(Method::GET, &world.url("/v1/me"));
        tabs.spawn(async move { request.send().await.unwrap().status() });
    }
    let answers = world.in_time(tabs.join_all()).await;
    assert!(
        answers.iter().all(|it| *it == StatusCode::OK),
        "{answers:?}"
    );
    assert_eq!(world.refreshes() - before, 1);
}
