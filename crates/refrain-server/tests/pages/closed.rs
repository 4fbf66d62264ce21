//! What a page must not give away, and who may not show one.

use crate::{foreign::Foreign, site::Site};

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_no_key_is_in_a_page_or_in_what_a_browser_keeps() {
    let site = Site::full().await;
    let alice = site.world.refrain.grant("alice").await.unwrap();
    let key = site
        .world
        .key_for(
            crate::world::only(["alice"]),
            &[refrain::access::Permission::Manage],
        )
        .await;
    let access = alice.access_token().await.unwrap().expose().to_owned();
    let mut secrets: Vec<String> = vec![access, key.split_at(16).1.to_owned()];
    secrets.extend(site.world.sim.default_app().client_secret);
    secrets.push(site.refresh_token("alice").await);
    secrets.push(site.refresh_token("dora").await);
    assert!(secrets.len() > 4, "there is something to be found");
    let browser = site.browser().await;
    let held = browser
        .devtools("Network.getAllCookies", serde_json::json!({}))
        .await;
    let session = held["cookies"][0]["value"].as_str().unwrap().to_owned();
    secrets.push(session.split_at(16).1.to_owned());
    for path in [
        "/dashboard",
        "/dashboard/grants/alice",
        "/dashboard/grants/bob",
        "/dashboard/grants/dora",
        "/dashboard/connect",
        "/dashboard/keys",
        "/dashboard/grants/alice/sign-out",
    ] {
        browser.open(&site.url(path)).await;
        browser.find("main h1").await;
        let kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, \
                    performance.getEntries().map(it => it.name), history.state, location.href])";
        let kept = browser.script(kept).await;
        let seen = format!("{}{}{kept}", browser.source().await, browser.text().await);
        for secret in &secrets {
            assert!(!seen.contains(secret.as_str()), "{path}: {secret}");
        }
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_can_neither_frame_a_page_nor_press_a_button_of_one() {
    let site = Site::new().await;
    let browser = site.browser().await;
    let (page, action) = (
        site.url("/dashboard"),
        site.url("/dashboard/grants/alice/refresh"),
    );
    let body = format!(
        "<h1>Theirs</h1><iframe src=\"{page}\"></iframe><form method=\"post\" action=\"{action}\"><button>\
         Press</button></form>"
    );
    let theirs = Foreign::with(body).await.of_another_site();
    browser.open(&theirs).await;
    browser.heading("Theirs").await;
    browser.client.enter_frame(0).await.unwrap();
    let framed = browser.source().await;
    assert!(
        !framed.contains("alice") && !framed.contains("All grants"),
        "{framed}"
    );
    browser.client.enter_parent_frame().await.unwrap();
    let before = site.world.refreshes();
    browser.press("Press").await;
    browser.heading("That did not work").await;
    assert_eq!(site.world.refreshes(), before);
    // A fetch of theirs brings nothing either.
    browser.open(&theirs).await;
    let script = format!(
        "return fetch('{page}', {{credentials: 'include'}}).then(it => it.text(), it => 'refused')"
    );
    assert_eq!(browser.script(&script).await, "refused");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_session_is_refused_though_it_comes_from_a_page_of_ours() {
    let site = Site::new().await;
    let (one, other) = (site.browser().await, site.browser().await);
    one.open(&site.url("/dashboard/grants/alice")).await;
    other.open(&site.url("/dashboard/grants/alice")).await;
    let theirs = other.find("main input[name=csrf]").await;
    let theirs = theirs.attr("value").await.unwrap().unwrap();
    let before = site.world.refreshes();
    for value in [theirs, String::new()] {
        one.open(&site.url("/dashboard/grants/alice")).await;
        one.find("main h1").await;
        one.script(&format!(
            "for (const it of document.querySelectorAll('input[name=csrf]')) it.value = '{value}'"
        ))
        .await;
        one.press("Refresh now").await;
        one.heading("That did not work").await;
    }
    assert_eq!(site.world.refreshes(), before);
    one.close().await;
    other.close().await;
}
