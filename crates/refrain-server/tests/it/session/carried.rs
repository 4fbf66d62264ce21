//! Users whose browsers carry their refresh token themselves.

mod trouble;

use std::{sync::Arc, time::Duration};

use refrain_sim::{Profile, Rotation, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{fetch, session_cookie, sign_in, told};
use crate::{
    browser::{Browser, Seen},
    overheard::Overheard,
    world::{World, client},
};

const HOUR: Duration = Duration::from_secs(3700);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn carrying(rotation: Rotation) -> World {
    World::carrying(two(rotation), |transport| transport).await
}

fn two(rotation: Rotation) -> Profile {
    Profile {
        users: vec![User::new("alice"), User::new("bob")],
        ..Profile::rotating(rotation)
    }
}

async fn signed_in(world: &World) -> Browser {
    let browser = Browser::new();
    let back = sign_in(world, &browser).await;
    assert_eq!(back.location(), "/app?a=b");
    browser
}

fn held(world: &World, browser: &Browser) -> String {
    browser.cookies()[&session_cookie(world)].clone()
}

/// Calls the Web API with a cookie, and answers how that went and which one is to take its place.
async fn call(world: &World, cookie: &str) -> (StatusCode, Option<String>) {
    call_by(&client(), world, cookie).await
}

async fn call_by(
    client: &reqwest::Client,
    world: &World,
    cookie: &str,
) -> (StatusCode, Option<String>) {
    let name = session_cookie(world);
    let request = client
        .get(world.url("/v1/me"))
        .header("cookie", format!("{name}={cookie}"));
    let answer = world.in_time(request.send()).await.unwrap();
    let given = answer.headers().get_all("set-cookie").iter();
    let given: Vec<_> = given.map(|it| it.to_str().unwrap().to_owned()).collect();
    assert!(given.len() <= 1, "{given:?}");
    if !given.is_empty() {
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    let newer = given.first().map(|it| {
        let (pair, attributes) = it.split_once("; ").unwrap();
        assert!(attributes.starts_with("Path=/; Max-Age="), "{attributes}");
        assert!(attributes.ends_with("; HttpOnly; SameSite=Lax"));
        assert!(!attributes.contains("Max-Age=0"), "it is never taken away");
        pair.strip_prefix(&format!("{name}=")).unwrap().to_owned()
    });
    (answer.status(), newer)
}

async fn log_out(world: &World, browser: &Browser, path: &str) -> Value {
    let out = fetch(world, browser, Method::POST, path).await;
    assert_eq!(out.status, StatusCode::OK, "{out:?}");
    serde_json::from_str(&out.body).unwrap()
}

fn step(cookie: &str) -> (u64, u64, u64) {
    let parts: Vec<&str> = cookie.split('.').collect();
    let number = |at: usize| parts[at].parse().unwrap();
    (number(2), number(3), number(4))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_calls_the_api_and_signs_out() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let first = held(&world, &browser);
    assert!(first.len() < 4096, "{}", first.len());
    assert_eq!(step(&first), (1, 0, 0));
    let before = world.refreshes();
    assert_eq!(call(&world, &first).await, (StatusCode::OK, None));
    assert_eq!(world.refreshes(), before, "the token came with the cookie");
    let me = told(&world, &browser).await;
    assert_eq!(me["signed_in"], json!(true));
    assert_eq!(me["needs_login"], json!(false));
    assert!(me["days_left"].as_u64().unwrap() >= 180, "{me}");
    let seen = fetch(&world, &browser, Method::GET, "/v1/me").await;
    let account: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(me["account_id"], account["account_id"]);
    let grant = seen.header("refrain-grant").to_owned();
    let request = browser.request(Method::GET, &world.url("/v1/me"));
    let seen = browser.send(request.header("refrain-grant", grant)).await;
    assert_eq!(seen.status, StatusCode::OK, "its own grant may be named");

    let out = log_out(&world, &browser, "/session/logout").await;
    assert_eq!(out["sessions_left"], Value::Null);
    assert_eq!(out["disconnected"]["revocation"], json!("answered"));
    assert!(!browser.cookies().contains_key(&session_cookie(&world)));
    assert_eq!(call(&world, &first).await, (StatusCode::UNAUTHORIZED, None));
    assert_eq!(told(&world, &browser).await["signed_in"], json!(false));
    let anew = browser.begin(&world.url("/session/login")).await;
    assert!(anew.contains("show_dialog=true"), "{anew}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_refresh_goes_to_the_browser_with_the_answer_that_needed_it() {
    for rotation in [Rotation::FamilyKill, Rotation::Omit] {
        let world = carrying(rotation).await;
        let browser = signed_in(&world).await;
        let mut cookie = held(&world, &browser);
        for round in 1..=3 {
            world.pass(HOUR);
            let (status, newer) = call(&world, &cookie).await;
            assert_eq!(status, StatusCode::OK, "{rotation:?}");
            cookie = newer.unwrap();
            let generation = if rotation.rotates() { round } else { 0 };
            assert_eq!(step(&cookie), (1, generation, round));
            assert_eq!(call(&world, &cookie).await, (StatusCode::OK, None));
        }
        // Not only the Web API's answers bring it.
        world.pass(HOUR);
        let (_, newer) = call(&world, &cookie).await;
        let seen = fetch(&world, &browser, Method::GET, "/session").await;
        assert_eq!(held(&world, &browser), newer.unwrap(), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_with_one_old_cookie_are_one_exchange_and_have_one_successor() {
    let world = Arc::new(carrying(Rotation::FamilyKill).await);
    let browser = signed_in(&world).await;
    let mut cookie = held(&world, &browser);
    let name = session_cookie(&world);
    for round in 0..100 {
        world.pass(HOUR);
        let before = world.refreshes();
        let mut tabs = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let request = client()
                .get(world.url("/v1/me"))
                .header("cookie", format!("{name}={cookie}"));
            tabs.spawn(async move {
                let answer = request.send().await.unwrap();
                let given = answer.headers().get("set-cookie");
                let given = given.map(|it| it.to_str().unwrap().to_owned());
                (answer.status(), given)
            });
        }
        let answers = world.in_time(tabs.join_all()).await;
        assert_eq!(world.refreshes() - before, 1, "round {round}");
        let (status, given) = &answers[0];
        assert_eq!(*status, StatusCode::OK, "round {round}");
        assert!(answers.iter().all(|it| it == &answers[0]), "{answers:?}");
        let given = given.as_deref().unwrap();
        // Every third is lost on its way, also several of them in a row.
        if round % 9 < 6 {
            let (pair, _) = given.split_once(';').unwrap();
            cookie = pair.split_once('=').unwrap().1.to_owned();
        }
    }
    assert_eq!(told(&world, &browser).await["signed_in"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_cookie_takes_nothing_back() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let mut cookies = vec![held(&world, &browser)];
    for _ in 0..3 {
        world.pass(HOUR);
        let (_, newer) = call(&world, cookies.last().unwrap()).await;
        cookies.push(newer.unwrap());
    }
    let before = world.refreshes();
    let newest = cookies.pop().unwrap();
    for old in &cookies {
        let (status, newer) = call(&world, old).await;
        assert_eq!((status, newer.as_deref()), (StatusCode::OK, Some(&*newest)));
    }
    assert_eq!(call(&world, &newest).await, (StatusCode::OK, None));
    assert_eq!(world.refreshes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_of_the_api_is_repaired_and_the_browser_gets_what_came_of_it() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    world.sim.expire_access_tokens();
    let cookie = held(&world, &browser);
    let (status, newer) = call(&world, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(step(&newer.unwrap()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_process_and_nothing_of_it_is_in_the_store() {
    let heard = Overheard::default();
    let mut world = World::carrying(two(Rotation::FamilyKill), |inner| heard.over(inner)).await;
    let browser = signed_in(&world).await;
    world.pass(HOUR);
    let (_, newer) = call(&world, &held(&world, &browser)).await;
    let cookie = newer.unwrap();
    world.restart_carrying().await;
    assert_eq!(call(&world, &cookie).await, (StatusCode::OK, None));
    world.pass(HOUR);
    let (status, newer) = call(&world, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    let newest = newer.unwrap();
    assert_eq!(step(&newest), (1, 2, 2));

    let names = super::grants(&world).await;
    assert_eq!(names.len(), 1, "that of alice's key: {names:?}");
    let store = format!("{:?}", world.refrain.parts().store);
    assert!(
        !store.contains("web-") && !store.contains("\"bob\""),
        "{store}"
    );
    assert_eq!(store.matches("Tokens {").count(), 1);
    // Nor is it in any page, header or cookie as it is.
    let seen = browser.seen().into_iter().map(|it| format!("{it:?}"));
    let haystack = seen.chain([store, cookie, newest]).collect::<String>();
    let tokens = heard.tokens();
    assert!(tokens.len() >= 8, "{}", tokens.len());
    for token in tokens {
        assert!(!haystack.contains(&token), "a token is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_final_for_every_copy_wherever_it_is_shown() {
    let mut world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let old = held(&world, &browser);
    let (_, _stop, _server) = world.carry_beside().await;
    let socket = world.folder().join("another-socket");
    let beside = reqwest::Client::builder().unix_socket(socket);
    let beside = beside.build().unwrap();
    world.pass(HOUR);
    let seen = fetch(&world, &browser, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    let newest = held(&world, &browser);
    assert_ne!(old, newest);
    assert_eq!(
        call_by(&beside, &world, &newest).await,
        (StatusCode::OK, None)
    );

    log_out(&world, &browser, "/session/logout?everywhere=true").await;
    let over = (StatusCode::UNAUTHORIZED, None);
    for copy in [&old, &newest] {
        assert_eq!(call(&world, copy).await, over);
    }
    world.pass(Duration::from_secs(5));
    assert_eq!(call_by(&beside, &world, &newest).await, over);
    world.restart_carrying().await;
    for copy in [&old, &newest] {
        assert_eq!(call(&world, copy).await, over);
    }
    // For as long as a copy could be shown.
    world.pass(DAY * 29);
    signed_in(&world).await;
    assert_eq!(call(&world, &newest).await, over);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_once_more_gets_a_new_session_and_the_one_before_is_over() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let before = held(&world, &browser);
    call(&world, &before).await;
    world.sim.sign_in_as("bob");
    sign_in(&world, &browser).await;
    let after = held(&world, &browser);
    assert_eq!(call(&world, &before).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&world, &after).await, (StatusCode::OK, None));
    // Another browser of theirs is none of this one's business.
    let other = signed_in(&world).await;
    log_out(&world, &browser, "/session/logout?everywhere=true").await;
    let seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_its_time_whatever_the_browser_says() {
    let world = carrying(Rotation::Omit).await;
    let browser = signed_in(&world).await;
    let first = held(&world, &browser);
    world.pass(DAY * 29);
    let me = world.in_time(told(&world, &browser)).await;
    assert_eq!(me["signed_in"], json!(true));
    let second = held(&world, &browser);
    assert_ne!(first, second, "it lives while it is used");
    world.pass(DAY * 2);
    assert_eq!(call(&world, &first).await.0, StatusCode::UNAUTHORIZED);
    let (status, newer) = call(&world, &second).await;
    assert_eq!(status, StatusCode::OK);
    assert!(newer.is_some());
    let (_, again) = call(&world, &newer.unwrap()).await;
    assert_eq!(again, None, "once a day is enough");
    world.pass(DAY * 31);
    assert_eq!(told(&world, &browser).await["signed_in"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_used_is_forgotten_and_comes_back_with_its_cookie() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let cookie = held(&world, &browser);
    assert_eq!(call(&world, &cookie).await.0, StatusCode::OK);
    world.pass(DAY);
    // Somebody else comes, and what is idle is looked for.
    let other = signed_in(&world).await;
    let seen: Seen = fetch(&world, &other, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK);
    let (status, newer) = call(&world, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(step(&newer.unwrap()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_up_signs_nobody_in_and_is_answered_with_no_cookie() {
    let world = carrying(Rotation::FamilyKill).await;
    let browser = signed_in(&world).await;
    let cookie = held(&world, &browser);
    let (front, _) = cookie.split_at(cookie.len() - 40);
    let ahead = cookie.replacen(".1.0.0.", ".1.9.9.", 1);
    let long = "x".repeat(5000);
    for made_up in [
        front,
        &ahead,
        "x",
        "1.0123456789.1.0.0.AAAA",
        &long,
        &"0".repeat(37),
    ] {
        let answer = call(&world, made_up).await;
        assert_eq!(answer, (StatusCode::UNAUTHORIZED, None), "{made_up}");
    }
    assert_eq!(call(&world, &cookie).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_fits_no_cookie_is_told_so_and_signs_nobody_in() {
    let heard = Overheard::making_refresh_tokens_longer();
    let world = World::carrying(two(Rotation::Omit), |inner| heard.over(inner)).await;
    let browser = Browser::new();
    let back = sign_in(&world, &browser).await;
    assert_eq!(back.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(back.code(), "session_too_large");
    assert!(back.body.contains("sessions.keep"), "{back:?}");
    assert!(!browser.cookies().contains_key(&session_cookie(&world)));
    assert_eq!(told(&world, &browser).await["signed_in"], json!(false));
}
