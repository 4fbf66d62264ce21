//! The web app beside the API, and what it does not share an origin with.

use std::{fs, path::Path};

use refrain::{config::SessionKeep, session::Whose};
use refrain_sim::Profile;
use reqwest::{Method, StatusCode};

use crate::{
    browser::Browser,
    world::{World, client},
};

fn app(folder: &Path) {
    fs::write(
        folder.join("index.html"),
        "<!doctype html><title>the app</title>",
    )
    .unwrap();
    fs::write(folder.join("app.js"), "let it;").unwrap();
}

async fn world() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    app(folder.path());
    (
        World::with_web_app(
            Profile::default(),
            folder.path(),
            SessionKeep::Store,
            |it| it,
        )
        .await,
        folder,
    )
}

/// The same server under another name of this machine.
fn beside(world: &World, path: &str) -> String {
    world.url(path).replace("127.0.0.1", "localhost")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_is_at_the_origin_where_its_users_sign_in_and_at_no_other() {
    let (world, _folder) = world().await;
    let browser = Browser::new();
    for path in ["/", "/index.html", "/playlists/7"] {
        let seen = browser.visit(&world.url(path)).await;
        assert!(
            seen.status == StatusCode::OK && seen.body.contains("the app"),
            "{path} {seen:?}"
        );
        let policy = seen.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    for path in ["/app.js", "/index.html"] {
        let seen = client().get(beside(&world, path)).send().await.unwrap();
        assert_eq!(seen.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/v1/me", "/refrain/v1/grants", "/refrain/x"] {
        let seen = client().get(world.url(path)).send().await.unwrap();
        assert_eq!(seen.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_runs_does_not_reach_the_dashboard() {
    let (world, _folder) = world().await;
    let (link, _) = world.refrain.open_session(Whose::SignIn).await.unwrap();
    let sign_in = format!("/sign-in/{}", link.expose());
    let browser = Browser::new();
    for path in [sign_in.as_str(), "/dashboard", "/dashboard/keys"] {
        let seen = browser.visit(&world.url(path)).await;
        let got = (seen.status, seen.code());
        assert_eq!(
            got,
            (StatusCode::FORBIDDEN, "dashboard_elsewhere"),
            "{path}"
        );
    }
    let pressed = browser.press(&world.url(&sign_in)).await;
    assert_eq!(pressed.code(), "dashboard_elsewhere");
    let pressed = browser.press(&beside(&world, &sign_in)).await;
    assert_eq!(pressed.location(), "/dashboard");
    let given = pressed.header("set-cookie");
    assert!(
        !given.contains("Domain") && !given.contains("Secure"),
        "{given}"
    );
    let seen = browser.visit(&beside(&world, "/dashboard")).await;
    assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
    // A script of the app is of another origin than the dashboard.
    for method in [Method::GET, Method::POST] {
        let request = browser.request(method, &beside(&world, "/dashboard/keys"));
        let request = request
            .header("origin", world.url(""))
            .header("sec-fetch-site", "same-site")
            .header("sec-fetch-mode", "cors");
        let seen = browser.send(request).await;
        assert_eq!(seen.code(), "foreign_page");
    }
}
