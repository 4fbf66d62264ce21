//! What happens behind a page of the app that stays open.

use std::{collections::BTreeMap, time::Duration};

use refrain::config::SessionKeep;
use refrain_sim::{Action, Fault, Target};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    both::both_ways,
    chromium::{Chromium, Setup},
    connect::decide,
    site::{HOUR, Site},
    world::client,
};

both_ways! {
    a_page_goes_on_while_its_token_expires_and_is_replaced_behind_it,
    fifty_calls_of_a_page_at_once_are_one_exchange,
    two_tabs_that_sign_in_at_once_are_both_signed_in,
    whoever_signs_out_in_one_tab_is_out_in_the_other,
    a_page_that_was_left_open_for_a_month_is_signed_out,
}

/// Whether all calls that were begun have been answered with what they asked for.
const ALL_WELL: &str = "return window.answers.then(it => it.every(status => status === 200))";

/// Begins so many calls of the page's at once. None of them waits in the browser's cache for another.
fn begin(count: u32) -> String {
    format!(
        "window.answers = Promise.all(Array.from({{length: {count}}}, () => fetch('/v1/me', {{cache: \
         'no-store'}}).then(it => it.status))); return true"
    )
}

/// How so many calls at once are answered.
async fn calls(browser: &Chromium, count: u32) -> Value {
    browser.script(&begin(count)).await;
    let answers = "return window.answers.then(it => [...new Set(it)])";
    browser.script(answers).await
}

/// How a program is answered that has got hold of a cookie.
async fn call_with(site: &Site, cookie: &Value) -> StatusCode {
    let text = |part: &str| cookie[part].as_str().unwrap().to_owned();
    let cookie = format!("{}={}", text("name"), text("value"));
    let asked = client().get(site.url("/v1/me")).header("cookie", cookie);
    asked.send().await.unwrap().status()
}

/// Its user comes back to the page.
async fn come_back(browser: &Chromium) {
    let back = "document.dispatchEvent(new Event('visibilitychange'))";
    browser.script(back).await;
}

async fn shows_nobody(browser: &Chromium) {
    browser.find("#sign-in:not([hidden])").await;
    assert!(!browser.has("#tracks li").await);
    assert!(browser.text().await.contains("You are not signed in"));
}

async fn a_page_goes_on_while_its_token_expires_and_is_replaced_behind_it(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    site.enter(&browser).await;
    browser.script("window.mark = 'the same page'").await;
    let (login, first) = site.generation(&browser).await;
    // Spotify replaces each refresh token, and whoever showed an old one would lose all of them.
    for round in 1..=3 {
        site.world.pass(HOUR + Duration::from_secs(60));
        let before = site.world.refreshes();
        let answers = site.world.in_time(calls(&browser, 20)).await;
        assert_eq!(answers, json!([200]), "round {round}");
        assert_eq!(site.world.refreshes(), before + 1, "round {round}");
        // Of a login that nobody has made anew.
        assert_eq!(site.generation(&browser).await, (login, first + round));
    }
    assert_eq!(browser.script("return window.mark").await, "the same page");
    browser.close().await;
}

async fn fifty_calls_of_a_page_at_once_are_one_exchange(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::with(Setup {
        overheard: true,
        ..Setup::default()
    })
    .await;
    site.enter(&browser).await;
    browser.find("#tracks li").await;
    let old = site.session_cookie(&browser).await;
    site.world.pass(HOUR + Duration::from_secs(60));
    browser.overheard().await;
    let before = site.world.refreshes();
    let held = Fault::once(Target::TokenRefresh, Action::HoldAnswer);
    site.world.sim.script(held);
    browser.script(&begin(50)).await;
    // As many as a browser has under way at a time; what waits behind them may hear of the successor already.
    let mut heard = Vec::new();
    let under_way = async {
        while calls_in(&heard).len() < 6 || site.world.sim.unread_scripts() > 0 {
            heard.extend(browser.overheard().await);
        }
    };
    site.world.in_time(under_way).await;
    site.world.sim.release();
    assert_eq!(site.world.in_time(browser.script(ALL_WELL)).await, true);
    assert_eq!(site.world.refreshes(), before + 1);
    let written_down = async {
        while calls_in(&heard).iter().filter(|it| it.answered).count() < 50 {
            heard.extend(browser.overheard().await);
        }
    };
    site.world.in_time(written_down).await;
    let new = site.session_cookie(&browser).await;
    let pair = |cookie: &Value| {
        let (name, value) = (&cookie["name"], &cookie["value"]);
        format!("{}={}", name.as_str().unwrap(), value.as_str().unwrap())
    };
    let (old, new) = (pair(&old), pair(&new));
    assert_eq!(old != new, keep == SessionKeep::Cookie);
    let calls = calls_in(&heard);
    assert!(calls.iter().filter(|it| it.shown == old).count() >= 6);
    for call in calls {
        // Whoever has shown the old one gets the one successor, and nobody gets anything else.
        let due = (call.shown != new).then(|| new.clone());
        let given = call.given.split_once(';').map(|(pair, _)| pair.to_owned());
        assert_eq!(given, due, "{call:?}");
        assert!(call.shown == old || call.shown == new, "{call:?}");
    }
    browser.close().await;
}

/// A call of a page, as it went over the network.
#[derive(Debug)]
struct Call {
    /// The cookie that came with it.
    shown: String,
    /// The cookie that it was answered with.
    given: String,
    answered: bool,
}

/// The calls among all that went over the network.
fn calls_in(heard: &[Value]) -> Vec<Call> {
    let of = |method: &str| -> BTreeMap<&str, &Value> {
        let events = heard.iter().map(|it| &it["message"]);
        let events = events.filter(|it| it["method"] == method);
        let parameters = events.map(|it| &it["params"]);
        parameters
            .map(|it| (it["requestId"].as_str().unwrap(), it))
            .collect()
    };
    let mut calls = of("Network.requestWillBeSent");
    calls.retain(|_, it| it["request"]["url"].as_str().unwrap().ends_with("/v1/me"));
    let shown = of("Network.requestWillBeSentExtraInfo");
    let given = of("Network.responseReceivedExtraInfo");
    // Requests have the names of their headers as the browser writes them, answers as the server does.
    let text = |event: &Value, header: &str| {
        let value = event["headers"][header].as_str();
        value.unwrap_or_default().to_owned()
    };
    let calls = calls.keys().filter_map(|id| {
        let given = given.get(id);
        Some(Call {
            shown: text(shown.get(id)?, "Cookie"),
            given: given.map_or_else(String::new, |it| text(it, "set-cookie")),
            answered: given.is_some(),
        })
    });
    calls.collect()
}

async fn two_tabs_that_sign_in_at_once_are_both_signed_in(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    site.begin(&browser, "bob").await;
    browser.find("button[value=allow]").await;
    let (one, other) = browser.another_tab().await;
    site.begin(&browser, "bob").await;
    browser.find("button[value=allow]").await;
    // Both are at Spotify; whoever began first comes back last.
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    let replaced = site.session_cookie(&browser).await;
    assert_eq!(call_with(&site, &replaced).await, StatusCode::OK);
    browser.client.switch_to_window(one.clone()).await.unwrap();
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    // A browser has one session, and one cookie.
    let held = site.session_cookie(&browser).await;
    assert_eq!(call_with(&site, &held).await, StatusCode::OK);
    assert_eq!(call_with(&site, &replaced).await, StatusCode::UNAUTHORIZED);
    site.world.pass(HOUR + Duration::from_secs(60));
    let before = site.world.refreshes();
    // Each begins before the other is answered.
    for tab in [&one, &other] {
        browser.client.switch_to_window(tab.clone()).await.unwrap();
        browser.script(&begin(10)).await;
    }
    for tab in [&one, &other] {
        browser.client.switch_to_window(tab.clone()).await.unwrap();
        let answered = site.world.in_time(browser.script(ALL_WELL)).await;
        assert_eq!(answered, true);
    }
    assert_eq!(site.world.refreshes(), before + 1);
    browser.close().await;
}

async fn whoever_signs_out_in_one_tab_is_out_in_the_other(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    site.enter(&browser).await;
    let (one, other) = browser.another_tab().await;
    browser.open(&site.url("/")).await;
    browser.find("#tracks li").await;
    assert_eq!(calls(&browser, 1).await, json!([200]));
    let copy = site.session_cookie(&browser).await;
    browser.client.switch_to_window(one).await.unwrap();
    browser.press("Sign out").await;
    browser.heading("You are signed out").await;
    browser.client.switch_to_window(other).await.unwrap();
    let sent = site.world.sim.counts().api_calls;
    assert_eq!(calls(&browser, 5).await, json!([401]));
    assert_eq!(call_with(&site, &copy).await, StatusCode::UNAUTHORIZED);
    assert_eq!(site.world.sim.counts().api_calls, sent);
    come_back(&browser).await;
    shows_nobody(&browser).await;
    browser.close().await;
}

async fn a_page_that_was_left_open_for_a_month_is_signed_out(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    site.enter(&browser).await;
    browser.find("#tracks li").await;
    site.world.pass(HOUR * 24 * 31);
    let sent = site.world.sim.counts().api_calls;
    let answers = site.world.in_time(calls(&browser, 5)).await;
    assert_eq!(answers, json!([401]));
    assert_eq!(site.world.sim.counts().api_calls, sent);
    come_back(&browser).await;
    shows_nobody(&browser).await;
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
    come_back(&other).await;
    shows_nobody(&other).await;
    one.close().await;
    other.close().await;
}
