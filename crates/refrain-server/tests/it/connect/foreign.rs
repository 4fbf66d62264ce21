//! Other browsers, other pages, other names: none of them gets anywhere.

use refrain::access::{Grants, Permission};
use refrain_sim::Profile;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{App, is_closed};
use crate::{browser::Browser, world::World};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_browsers_at_once_one_is_sent_on_and_it_alone_comes_back() {
    let app = App::new().await;
    let url = app.link_back("bob").await;
    let (one, two) = (Browser::new(), Browser::new());
    let (first, second) = tokio::join!(one.press(&url), two.press(&url));
    let (winner, loser, sent, refused) = if first.status == StatusCode::SEE_OTHER {
        (one, two, first, second)
    } else {
        (two, one, second, first)
    };
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::GONE, "link_used")
    );
    assert_eq!(refused.header("set-cookie"), "");
    let before = app.asked();
    let callback = app.world.sim.consent(&sent.location()).unwrap();
    let stranger = loser.visit(&callback).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    // Also one that has a login of its own.
    loser.begin(&app.link_back("carol").await).await;
    let stranger = loser.visit(&callback).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.asked(), before);
    assert!(
        winner
            .visit(&callback)
            .await
            .location()
            .contains("refrain=connected")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_logins_in_one_browser_do_not_take_each_others_answers() {
    let app = App::new().await;
    let browser = Browser::new();
    let mut callbacks = Vec::new();
    for grant in ["bob", "carol"] {
        let at_spotify = browser.begin(&app.link_back(grant).await).await;
        callbacks.push(app.world.sim.consent(&at_spotify).unwrap());
    }
    assert_eq!(browser.cookies().len(), 2);
    for callback in callbacks {
        let seen = browser.visit(&callback).await;
        assert!(seen.location().contains("refrain=connected"), "{seen:?}");
    }
    assert!(app.works("bob").await && app.works("carol").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_this_browsers_is_shown_away_and_not_used_up() {
    let app = App::new().await;
    let browser = Browser::new();
    let at_spotify = browser.begin(&app.link_back("bob").await).await;
    let callback = app.world.sim.consent(&at_spotify).unwrap();
    let before = app.asked();
    let (place, query) = callback.split_once('?').unwrap();
    let state = query
        .split('&')
        .find(|it| it.starts_with("state="))
        .unwrap();
    let code = query.split('&').find(|it| it.starts_with("code=")).unwrap();
    let longer = "x".repeat(9000);
    for foreign in [
        String::new(),
        code.to_owned(),
        state.to_owned(),
        format!("{code}&state=0123456789abcdefghijklmnopqrstuvwxyz"),
        format!("{code}&state=x"),
        format!("{code}&{state}x"),
        format!("{code}&{code}&{state}"),
        format!("{code}&{state}&{state}"),
        format!("{code}&{state}&error=access_denied"),
        format!("code={longer}&{state}"),
        format!("{query}&iss=https%3A%2F%2Fevil.example"),
    ] {
        let seen = browser.visit(&format!("{place}?{foreign}")).await;
        is_closed(&seen);
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{foreign}");
    }
    let nobody = Browser::new().visit(&callback).await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
    assert!(nobody.body.contains("belongs to another login"));
    let looked = browser.send(browser.request(Method::HEAD, &callback)).await;
    assert_eq!(looked.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.asked(), before, "Spotify was asked nothing");
    assert!(
        browser
            .visit(&callback)
            .await
            .location()
            .contains("refrain=connected")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_somebody_elses_does_not_press_the_button() {
    let app = App::new().await;
    let (url, browser) = (app.link_back("bob").await, Browser::new());
    let own = app.world.url("");
    for (method, headers) in [
        (Method::POST, vec![("origin", "https://evil.example")]),
        (Method::POST, vec![("origin", "null")]),
        (
            Method::POST,
            vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
        ),
        (
            Method::POST,
            vec![("origin", &own), ("sec-fetch-site", "same-site")],
        ),
        (
            Method::POST,
            vec![
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
        ),
        (
            Method::GET,
            vec![
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ],
        ),
        (
            Method::GET,
            vec![
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ],
        ),
        (Method::GET, vec![("origin", "https://evil.example")]),
    ] {
        let request = browser.request(method.clone(), &url);
        let request = headers
            .iter()
            .fold(request, |it, (name, value)| it.header(*name, *value));
        let seen = browser.send(request).await;
        is_closed(&seen);
        let told = (seen.status, seen.code());
        assert_eq!(
            told,
            (StatusCode::FORBIDDEN, "foreign_page"),
            "{method} {headers:?}"
        );
    }
    // Behind a Unix socket no name is checked; the button is all the same.
    let local = url.replacen(&own, "http://localhost", 1);
    let (host, peer) = (own.replace("http://", ""), app.world.peer());
    for (origin, status) in [
        ("https://evil.example", StatusCode::FORBIDDEN),
        (&*own, StatusCode::SEE_OTHER),
    ] {
        let request = peer
            .post(&local)
            .header("host", &host)
            .header("origin", origin);
        assert_eq!(request.send().await.unwrap().status(), status, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_opened_where_its_answer_comes() {
    let app = App::new().await;
    let (url, browser) = (app.link_back("bob").await, Browser::new());
    let elsewhere = url.replacen("127.0.0.1", "localhost", 1);
    for method in [Method::GET, Method::POST] {
        let seen = browser.send(browser.request(method, &elsewhere)).await;
        is_closed(&seen);
        assert_eq!(
            (seen.status, seen.code()),
            (StatusCode::MISDIRECTED_REQUEST, "wrong_host")
        );
        assert!(seen.body.contains(&app.world.url("")), "{}", seen.body);
    }
    browser.begin(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_ends_tls_the_cookie_is_for_https_alone() {
    let world = World::with_apps(Profile::default(), |apps| {
        let mut public = apps.values().next().unwrap().clone();
        public.name = "public".parse().unwrap();
        public.redirect_uri = "https://music.example/callback".parse().unwrap();
        apps.insert(public.name.clone(), public);
    })
    .await;
    let key = world.key_for(Grants::All, &[Permission::Manage]).await;
    let app = App { world, key };
    let url = app.link(json!({"grant": "bob", "app": "public"})).await;
    let path = url.strip_prefix("https://music.example").unwrap();
    let browser = Browser::new();
    let request = browser.request(Method::POST, &app.world.url(path));
    let request = request
        .header("host", "music.example")
        .header("origin", "https://music.example")
        .header("sec-fetch-site", "same-origin");
    let sent = browser.send(request).await;
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with("__Host-refrain-connect-"), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain"));
    assert!(
        sent.location()
            .contains("redirect_uri=https%3A%2F%2Fmusic.example%2Fcallback")
    );
}
