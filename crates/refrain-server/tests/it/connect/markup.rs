//! Whatever comes from elsewhere and is shown.

use std::time::Duration;

use refrain_sim::{Profile, User};
use reqwest::StatusCode;
use serde_json::json;

use super::{App, is_closed};
use crate::browser::{Browser, Seen};

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_whatever_is_shown_stays_text() {
    let payloads = [
        "<script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "'><img/src=x/onerror=alert(1)>",
        "</title><script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "<svg/onload=alert(1)>",
        "&lt;script&gt;<b>",
        "javascript:alert(1)//<a>",
        "--><script>alert(1)</script><!--",
        "{{7*7}}${7*7}<%=7%>",
    ];
    let mut evil = User::new("evil");
    evil.display_name = payloads.concat();
    let app = App::with(Profile {
        users: vec![User::new("alice"), evil],
        ..Profile::default()
    })
    .await;
    let browser = Browser::new();
    let is_text = |seen: &Seen| {
        is_closed(seen);
        // Our own markup has none of these.
        for markup in [
            "<script",
            "<img",
            "<svg/",
            "<b>",
            "<a>",
            "<%",
            "<!--",
            "</title><s",
            "</style><s",
        ] {
            assert!(!seen.body.contains(markup), "{markup}: {}", seen.body);
        }
        assert_eq!(seen.body.matches("</title>").count(), 1);
    };
    let scopes = payloads.map(|it| it.replace(['"', '\\', ' '], ""));
    let page = browser
        .visit(&app.link(json!({"grant": "bob", "scopes": scopes})).await)
        .await;
    is_text(&page);
    assert!(
        page.body.contains("&lt;svg/onload=alert(1)&gt;"),
        "{}",
        page.body
    );
    for payload in payloads {
        let at_spotify = browser
            .begin(&app.link(json!({"grant": "bob"})).await)
            .await;
        let callback = app.world.sim.deny(&at_spotify).unwrap();
        let mut callback: reqwest::Url = callback.parse().unwrap();
        let state = callback.query_pairs().find(|(name, _)| name == "state");
        let state = state.unwrap().1.into_owned();
        callback
            .query_pairs_mut()
            .clear()
            .append_pair("error", payload)
            .append_pair("error_description", payload)
            .append_pair(payload, payload)
            .append_pair("state", &state);
        let page = browser.visit(callback.as_str()).await;
        assert_eq!(page.code(), "login_reported", "{payload}");
        is_text(&page);
        // And where nothing of it is known.
        callback.query_pairs_mut().append_pair("state", payload);
        is_text(&browser.visit(callback.as_str()).await);
        let beside = format!("{}{payload}", app.world.url("/connect/"));
        let beside: reqwest::Url = beside
            .replace(['/', '\\'], "_")
            .replacen("http:__", "http://", 1)
            .replacen("_connect_", "/connect/", 1)
            .parse()
            .unwrap();
        is_text(&browser.visit(beside.as_str()).await);
        app.world.pass(Duration::from_secs(5));
    }
    app.world.sim.sign_in_as("evil");
    let at_spotify = browser
        .begin(&app.link(json!({"grant": "bob"})).await)
        .await;
    let page = browser
        .visit(&app.world.sim.consent(&at_spotify).unwrap())
        .await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    is_text(&page);
    assert!(
        page.body.contains("Signed in as &lt;script&gt;"),
        "{}",
        page.body
    );
}
