//! What a browser holds of a user who is signed in to the app, and what it was ever sent.

use refrain::config::SessionKeep;
use serde_json::{Value, json};

use crate::{
    both::both_ways,
    chromium::{Chromium, Setup},
    connect::decide,
    site::{HOUR, Site},
};

both_ways! {
    the_cookie_of_a_session_is_for_this_host_and_for_no_script,
    no_token_ever_reaches_the_browser,
}

async fn the_cookie_of_a_session_is_for_this_host_and_for_no_script(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    site.enter(&browser).await;
    let held = browser.devtools("Network.getAllCookies", json!({})).await;
    let ours = held["cookies"].as_array().unwrap().iter();
    let ours: Vec<_> = ours.filter(|it| it["value"] != "").collect();
    let [cookie] = ours.as_slice() else {
        panic!("{ours:?}");
    };
    let port = site.world.address.port();
    assert_eq!(cookie["name"], format!("refrain-session-{port}"));
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Lax");
    assert_eq!(cookie["path"], "/");
    // A name with a dot in front would be for other hosts too; one without is that of the host alone.
    assert_eq!(cookie["domain"], "127.0.0.1");
    assert_eq!(cookie["session"], false);
    // Name and value.
    let length = cookie["size"].as_u64().unwrap();
    assert!(length <= 4096, "{length}");
    // On plain loopback it can be neither Secure nor have the prefix that demands it.
    assert_eq!(cookie["secure"], false);
    assert_eq!(browser.script("return document.cookie").await, "");
    let read = "return cookieStore.getAll().then(it => it.length)";
    assert_eq!(browser.script(read).await, 0);
    browser.close().await;
}

async fn no_token_ever_reaches_the_browser(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::with(Setup {
        overheard: true,
        ..Setup::default()
    })
    .await;
    let mut seen = Vec::new();
    site.begin(&browser, "bob").await;
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    let before = site.tokens().len();
    seen.extend(heard(&browser).await);
    // And those that come in their place.
    site.world.pass(HOUR);
    let call = "return fetch('/v1/me').then(it => it.text())";
    site.world.in_time(browser.script(call)).await;
    seen.extend(heard(&browser).await);
    let mut secrets = site.tokens();
    assert_eq!(secrets.len(), before + 2);
    secrets.extend(site.world.sim.default_app().client_secret);
    let session = site.session_cookie(&browser).await;
    let session = session["value"].as_str().unwrap().to_owned();
    // Whoever listens hears what there is to be heard.
    let all = seen.concat();
    for there in ["recently-played", "Simulated Album", &session] {
        assert!(all.contains(there), "{there}");
    }
    for secret in &secrets {
        assert!(!all.contains(secret.as_str()), "{secret}");
    }
    secrets.push(session.split_at(16).1.to_owned());
    let kept = "return indexedDB.databases().then(async bases => JSON.stringify([bases, await \
                caches.keys(), {...localStorage}, {...sessionStorage}, document.cookie, name, history.state, \
                location.href, performance.getEntries().map(it => it.name)]))";
    let kept = browser.script(kept).await;
    let page = format!("{}{}{kept}", browser.source().await, browser.text().await);
    for secret in &secrets {
        assert!(!page.contains(secret.as_str()), "{secret}");
    }
    browser.close().await;
}

/// What has gone over the network, heads and bodies; but the bodies of a page that is left are gone with it.
async fn heard(browser: &Chromium) -> Vec<String> {
    let mut all = Vec::new();
    for event in browser.overheard().await {
        let event = &event["message"];
        let ended = event["method"] == "Network.loadingFinished";
        if let Some(id) = event["params"]["requestId"].as_str().filter(|_| ended) {
            let asked = json!({ "requestId": id });
            let body: Value = browser.ask("Network.getResponseBody", asked).await;
            all.push(body.to_string());
        }
        all.push(event.to_string());
    }
    all
}
