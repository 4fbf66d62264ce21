//! What the pages look like: as wide as a phone and as a desk, light and dark, empty and full.

use crate::{chromium::Chromium, site::Site};

const PAGES: [(&str, &str); 8] = [
    ("overview", "/dashboard"),
    ("grant-active", "/dashboard/grants/alice"),
    ("grant-reauthorize", "/dashboard/grants/bob"),
    ("grant-suspect", "/dashboard/grants/dora"),
    ("grant-signed-out", "/dashboard/grants/erin"),
    ("connect-form", "/dashboard/connect"),
    ("reconnect-form", "/dashboard/connect?grant=bob"),
    ("keys-list", "/dashboard/keys"),
];

/// Nothing reaches over the edge.
async fn fits(browser: &Chromium, page: &str) {
    let script = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth, \
                  [...document.querySelectorAll('body *')].filter(it => it.getBoundingClientRect().right > \
                  root.clientWidth + 1 && !it.matches('.unseen, .unseen *, thead *, svg svg *')).map(it => it.outerHTML.slice(0, 200)).join('\\n')]";
    let seen = browser.script(script).await;
    assert_eq!(seen[2], "", "{page}");
    assert_eq!(seen[0], seen[1], "{page}: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_phone_and_a_desk_by_day_and_by_night() {
    let site = Site::full().await;
    let browser = site.browser().await;
    for (width, at) in [(1280, "desk"), (390, "phone"), (320, "small")] {
        browser.width(width).await;
        for (name, path) in PAGES {
            browser.open(&site.url(path)).await;
            browser.find("main h1").await;
            fits(&browser, &format!("{name} at {width}")).await;
            for dark in [false, true] {
                browser.dark(dark).await;
                contrasts(&browser, &format!("{name} at {width}, dark: {dark}")).await;
                let light = if dark { "dark" } else { "light" };
                browser.picture(&format!("{name}-{at}-{light}")).await;
            }
        }
    }
    browser.close().await;
}

/// Every text stands out from what is behind it (WCAG 2.2, 1.4.3).
async fn contrasts(browser: &Chromium, page: &str) {
    let found = browser.script(include_str!("contrast.js")).await;
    assert_eq!(found, "", "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_grant_tells_the_first_step() {
    let site = Site::new().await;
    // The store of the fixture has alice; a server whose store has nobody looks so.
    let browser = site.browser().await;
    browser
        .open(&site.url("/dashboard?name=nobody-of-this-name"))
        .await;
    assert!(
        browser
            .text()
            .await
            .contains("No grant and no user is called so")
    );
    browser.picture("found-nobody").await;
    browser.close().await;
}
