//! What happens behind a page of the app that stays open.

use std::time::Duration;

use serde_json::json;

use crate::{
    chromium::Chromium,
    connect::decide,
    site::{HOUR, Site},
};

/// So many calls of the page's at once, and how they were answered.
async fn calls(browser: &Chromium, count: u32) -> serde_json::Value {
    let script = format!(
        "return Promise.all(Array.from({{length: {count}}}, () => fetch('/v1/me').then(it => \
         it.status))).then(it => [...new Set(it)])"
    );
    browser.script(&script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_while_its_token_expires_and_is_replaced_behind_it() {
    let site = Site::with_app().await;
    let browser = Chromium::start().await;
    site.enter(&browser).await;
    browser.script("window.mark = 'the same page'").await;
    let row = site.users_grant().await.row().await.unwrap();
    // Spotify replaces each refresh token, and whoever showed an old one would lose all of them.
    for round in 1..=3 {
        site.world.pass(HOUR + Duration::from_secs(60));
        let before = site.world.refreshes();
        let answers = site.world.in_time(calls(&browser, 20)).await;
        assert_eq!(answers, json!([200]), "round {round}");
        assert_eq!(site.world.refreshes(), before + 1, "round {round}");
    }
    let after = site.users_grant().await.row().await.unwrap();
    assert_eq!(after.epoch, row.epoch, "and nobody has signed in again");
    assert_eq!(after.generation.0, row.generation.0 + 3);
    assert_eq!(browser.script("return window.mark").await, "the same page");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_sign_in_at_once_are_both_signed_in() {
    let site = Site::with_app().await;
    let browser = Chromium::start().await;
    site.begin(&browser, "bob").await;
    browser.find("button[value=allow]").await;
    let one = browser.client.window().await.unwrap();
    let other = browser.client.new_window(true).await.unwrap().handle;
    browser
        .client
        .switch_to_window(other.clone())
        .await
        .unwrap();
    site.begin(&browser, "bob").await;
    browser.find("button[value=allow]").await;
    // Both are at Spotify; whoever began first comes back last.
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    browser.client.switch_to_window(one.clone()).await.unwrap();
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    let grant = site.users_grant().await;
    let sessions = site.world.refrain.sessions_of(grant.name()).await.unwrap();
    assert_eq!(sessions, 1, "a browser has one session, and one cookie");
    site.world.pass(HOUR + Duration::from_secs(60));
    let before = site.world.refreshes();
    // Each begins before the other is answered.
    for tab in [&one, &other] {
        browser.client.switch_to_window(tab.clone()).await.unwrap();
        let begin = "window.answers = Promise.all(Array.from({length: 10}, () => \
                     fetch('/v1/me').then(it => it.status))); return true";
        browser.script(begin).await;
    }
    for tab in [&one, &other] {
        browser.client.switch_to_window(tab.clone()).await.unwrap();
        let all = "return window.answers.then(it => it.every(status => status === 200))";
        let answered = site.world.in_time(browser.script(all)).await;
        assert_eq!(answered, true);
    }
    assert_eq!(site.world.refreshes(), before + 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_everywhere_is_out_in_another_browser_within_five_seconds() {
    let site = Site::with_app().await;
    let (one, other) = (Chromium::start().await, Chromium::start().await);
    site.enter(&one).await;
    site.enter(&other).await;
    let grant = site.users_grant().await;
    let sessions = site.world.refrain.sessions_of(grant.name()).await.unwrap();
    assert_eq!(sessions, 2);
    assert_eq!(calls(&other, 1).await, json!([200]));
    one.press("Sign out everywhere").await;
    one.heading("You are signed out").await;
    site.world.pass(Duration::from_secs(5));
    let sent = site.world.sim.counts().api_calls;
    assert_eq!(calls(&other, 5).await, json!([401]));
    assert_eq!(site.world.sim.counts().api_calls, sent);
    // The page that is open finds out when its user comes back to it.
    other
        .script("document.dispatchEvent(new Event('visibilitychange'))")
        .await;
    other.find("#sign-in:not([hidden])").await;
    assert!(!other.has("#tracks li").await);
    assert!(other.text().await.contains("You are not signed in"));
    one.close().await;
    other.close().await;
}
