//! What pages of somebody else's have a browser do that is signed in.

use refrain_sim::Profile;
use reqwest::{Method, StatusCode};

use super::{fetch, session_cookie, sign_in, two_users};
use crate::{browser::Browser, world::World};

async fn send(
    world: &World,
    browser: &Browser,
    (method, path): (Method, &str),
    lines: &[(&str, &str)],
) -> (StatusCode, String) {
    let mut request = browser.request(method, &world.url(path));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let seen = browser.send(request).await;
    (seen.status, seen.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_page_calls_the_api_with_the_cookie() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let own = world.url("");
    let same = ("sec-fetch-site", "same-origin");
    let cross = ("sec-fetch-site", "cross-site");
    let site = ("sec-fetch-site", "same-site");
    let evil = ("origin", "https://evil.example");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let queue = "/v1/me/player/queue?uri=x";
    let refused = (StatusCode::FORBIDDEN, "foreign_page".to_owned());
    for lines in [
        &[cross][..],
        &[site],
        &[evil],
        &[evil, cross],
        &[("origin", "null")],
        &[("origin", "null"), cross],
        &[("origin", "http://localhost:1")],
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let got = send(&world, &browser, (method.clone(), queue), lines).await;
            assert_eq!(got, refused, "{method} {lines:?}");
        }
    }
    // Silence is not enough for what changes something, and a form is not either.
    for lines in [&[][..], &[("sec-fetch-site", "none")]] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let got = send(&world, &browser, (method.clone(), queue), lines).await;
            assert_eq!(got, refused, "{method} {lines:?}");
        }
    }
    let got = send(&world, &browser, (Method::POST, queue), &[same, form]).await;
    assert_eq!(got, (StatusCode::FORBIDDEN, "form_refused".to_owned()));
    let before = world.sim.counts().api_calls;
    let proven = [same, form, ("refrain-csrf", "1"), ("origin", own.as_str())];
    send(&world, &browser, (Method::POST, queue), &proven).await;
    assert_eq!(
        world.sim.counts().api_calls,
        before + 1,
        "a page of ours may"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_page_signs_anybody_in_or_out() {
    let world = two_users().await;
    let browser = Browser::new();
    sign_in(&world, &browser).await;
    let evil = ("origin", "https://evil.example");
    for path in [
        "/session/login",
        "/session/logout",
        "/session/logout?everywhere=1",
    ] {
        for lines in [&[][..], &[evil], &[("sec-fetch-site", "cross-site")]] {
            let got = send(&world, &browser, (Method::POST, path), lines).await;
            assert_eq!(got.0, StatusCode::FORBIDDEN, "{path} {lines:?}");
        }
        for method in [Method::GET, Method::HEAD] {
            send(&world, &browser, (method, path), &[]).await;
        }
    }
    let seen = fetch(&world, &browser, Method::GET, "/v1/me").await;
    assert_eq!(seen.status, StatusCode::OK, "and still it is signed in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_has_put_there_is_nobodys_and_is_replaced() {
    let world = two_users().await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    sign_in(&world, &attacker).await;
    let planted = attacker.cookies();
    let (name, value) = planted.iter().next().unwrap();
    victim.plant(name, value);
    world.sim.sign_in_as("bob");
    sign_in(&world, &victim).await;
    let given = &victim.cookies()[&session_cookie(&world)];
    assert_ne!(given, value, "whoever signs in gets a new one");
    let seen = fetch(&world, &attacker, Method::GET, "/v1/me").await;
    assert!(!seen.body.contains("bob"), "{seen:?}");
    let made_up = Browser::new();
    for value in [&"0".repeat(37), "x", "\"", ""] {
        made_up.plant(name, value);
        let seen = fetch(&world, &made_up, Method::GET, "/v1/me").await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_origin() {
    let world = two_users().await;
    let browser = Browser::new();
    for place in [
        "//evil.example",
        "///evil.example",
        "/%5Cevil.example",
        "%2F%2Fevil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/%0d%0aset-cookie:a=b",
        "%20//evil.example",
        "evil.example",
        "@evil.example",
        "/%EF%BC%8Fevil.example",
        "/a%00",
    ] {
        let url = world.url(&format!("/session/login?return_to={place}"));
        for seen in [browser.visit(&url).await, browser.press(&url).await] {
            let got = (seen.status, seen.code());
            assert_eq!(
                got,
                (StatusCode::BAD_REQUEST, "return_to_not_allowed"),
                "{place}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_app_is_for_it_nobody_signs_in() {
    let world = World::new(Profile::default()).await;
    let browser = Browser::new();
    for (method, path) in [
        (Method::GET, "/session"),
        (Method::GET, "/session/login"),
        (Method::POST, "/session/login"),
        (Method::POST, "/session/logout"),
    ] {
        let seen = fetch(&world, &browser, method, path).await;
        assert_eq!(
            (seen.status, seen.code()),
            (StatusCode::NOT_FOUND, "no_sessions")
        );
    }
}
