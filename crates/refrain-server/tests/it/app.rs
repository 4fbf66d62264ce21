//! An app that is served beside the Web API.

use refrain_sim::Profile;
use reqwest::{Method, StatusCode};

use crate::{browser::Browser, world::World};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/web-app");

#[tokio::test(flavor = "multi_thread")]
async fn an_app_has_the_paths_that_are_left_and_says_how_it_may_be_used() {
    let mut world = World::new(Profile::default()).await;
    world.serve_app(EXAMPLE.into()).await;
    let browser = Browser::new();
    for path in ["/", "/playlists/7", "/app.js", "/app.css"] {
        let seen = browser.visit(&world.url(path)).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
        for (name, value) in [
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("access-control-allow-origin", ""),
            ("set-cookie", ""),
        ] {
            assert_eq!(seen.header(name), value, "{path}");
        }
        let policy = seen.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    for (path, status) in [
        ("/missing.js", StatusCode::NOT_FOUND),
        ("/dashboard", StatusCode::UNAUTHORIZED),
        ("/session", StatusCode::OK),
    ] {
        let seen = browser.visit(&world.url(path)).await;
        assert_eq!(seen.status, status, "{path}");
        assert!(!seen.body.contains("What I have listened to"), "{path}");
    }
    // A page of somebody else's may lead its user to the app, and load nothing of it.
    let request = browser.request(Method::GET, &world.url("/app.js"));
    let request = request
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-dest", "script");
    let seen = browser.send(request).await;
    assert_eq!(seen.code(), "foreign_page");
}
