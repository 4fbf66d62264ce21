//! What the pages look like: as wide as a phone and as a desk, light and dark.

use std::time::Duration;

use refrain::{
    access::Permission,
    lifecycle::{
        Change,
        row::{Status, Suspicion},
    },
    time::{Clock as _, Deadline},
};
use refrain_sim::{Action, Fault, Target};

use crate::{chromium::Chromium, site::Site, world::client};

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
async fn a_limit_in_force_and_a_search_in_vain_are_told() {
    let site = Site::new().await;
    let key = site.world.key(&[Permission::ProxyRead]).await;
    let retry_after = Some("7200".to_owned());
    let quota = true;
    let throttled = Action::Throttle { retry_after, quota };
    site.world.sim.script(Fault::once(Target::Api, throttled));
    let asked = client().get(site.url("/v1/me")).bearer_auth(key);
    assert_eq!(asked.send().await.unwrap().status(), 429);
    let browser = site.browser().await;
    browser.heading("alice is connected, and Spotify").await;
    let text = browser.text().await;
    assert!(
        text.contains("the quota of the developer account"),
        "{text}"
    );
    seen(&browser, "overview-limited").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_connected_the_first_step_is_told() {
    let site = Site::empty().await;
    let browser = site.browser().await;
    let text = browser.text().await;
    assert!(text.contains("Nobody is connected"), "{text}");
    assert!(browser.has("a[href='/dashboard/connect']").await);
    seen(&browser, "empty").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_that_end_soon_and_grants_of_a_backup_are_told() {
    let site = Site::new().await;
    site.world.with_many("soon-", 40).await;
    site.sign_in_as("bob").await;
    let refrain = &site.world.refrain;
    let store = &refrain.parts().store;
    let found = store.grant(&"bob".parse().unwrap()).await.unwrap().unwrap();
    let (mut row, now) = (found.value, site.world.clock.now());
    row.status = Status::Suspect(Suspicion {
        since: now.wall,
        refusals: 0,
        next_probe: Deadline::after(&now, Duration::ZERO),
        restored: true,
        imported: false,
    });
    let change = Change {
        row,
        events: Vec::new(),
        forgets: false,
    };
    store.replace(found.version, &change).await.unwrap();
    let browser = site.browser().await;
    let text = browser.text().await;
    assert!(text.contains("Restored"), "{text}");
    seen(&browser, "overview-restored").await;
    for grant in ["bob", "soon-00039"] {
        let path = format!("/dashboard/grants/{grant}");
        browser.open(&site.url(&path)).await;
        browser.find("main h1").await;
        seen(&browser, grant).await;
    }
    browser.close().await;
}

/// At a desk and on a phone.
async fn seen(browser: &Chromium, name: &str) {
    for (width, at) in [(1280, "desk"), (390, "phone")] {
        browser.width(width).await;
        fits(browser, name).await;
        browser.picture(&format!("{name}-{at}")).await;
    }
}
