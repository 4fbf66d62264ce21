//! With a keyboard alone one gets everywhere, and sees where one is.

use std::collections::BTreeSet;

use fantoccini::key::Key;

use crate::{chromium::Chromium, site::Site};

/// Everything that can be used.
const CONTROLS: &str = "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), \
     select, summary')].filter(it => it.getClientRects().length && !it.disabled).map(it => it.outerHTML)";
/// What has the focus, and whether that can be seen.
const FOCUSED: &str = "const it = document.activeElement, style = getComputedStyle(it); return \
     [it.outerHTML, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, \
     it.getBoundingClientRect().top >= 0]";

async fn tab(browser: &Chromium) {
    let key = String::from(char::from(Key::Tab));
    let at = browser.client.active_element().await.unwrap();
    at.send_keys(&key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_control_is_reached_with_the_tabulator_and_shows_it() {
    let site = Site::full().await;
    let browser = site.browser().await;
    for path in [
        "/dashboard",
        "/dashboard/grants/alice",
        "/dashboard/grants/alice/sign-out",
        "/dashboard/connect",
        "/dashboard/keys",
    ] {
        browser.open(&site.url(path)).await;
        browser.find("main h1").await;
        let controls = browser.script(CONTROLS).await;
        let controls: Vec<String> = serde_json::from_value(controls).unwrap();
        let mut reached = BTreeSet::new();
        for step in 0..=controls.len() {
            tab(&browser).await;
            let focused = browser.script(FOCUSED).await;
            let markup = focused[0].as_str().unwrap().to_owned();
            if markup.starts_with("<body") {
                break;
            }
            assert_eq!(focused[1], true, "{path}: no focus to be seen at {markup}");
            assert_eq!(focused[2], true, "{path}: out of sight: {markup}");
            if step == 0 {
                assert!(markup.contains("Skip to the content"), "{path}: {markup}");
            }
            reached.insert(markup);
        }
        // Of radio buttons the one that is chosen is reached, and the others with the arrows.
        let left = controls.iter().filter(|it| !reached.contains(*it));
        let left: Vec<_> = left.filter(|it| !it.contains("type=\"radio\"")).collect();
        assert!(left.is_empty(), "{path}: {left:#?}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_refreshed_with_the_keyboard_alone() {
    let site = Site::new().await;
    let browser = site.browser().await;
    let enter = String::from(char::from(Key::Enter));
    let go = async |text: &str| {
        for _ in 0..20 {
            tab(&browser).await;
            let at = browser.client.active_element().await.unwrap();
            if at.text().await.unwrap() == text {
                at.send_keys(&enter).await.unwrap();
                return;
            }
        }
        panic!("{text} is not reached");
    };
    go("alice").await;
    browser.heading("alice").await;
    let before = site.world.refreshes();
    go("Refresh now").await;
    browser.find(".notice.done").await;
    assert_eq!(site.world.refreshes(), before + 1);
    browser.close().await;
}
