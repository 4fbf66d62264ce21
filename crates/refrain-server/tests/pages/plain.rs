//! Without a script everything works, and nothing moves.

use crate::{chromium::Setup, site::Site};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_without_a_script() {
    let site = Site::new().await;
    let browser = site
        .browser_with(Setup {
            no_script: true,
            ..Setup::default()
        })
        .await;
    browser.heading("alice is connected").await;
    assert!(!browser.find("#live").await.is_displayed().await.unwrap());
    browser.press("alice").await;
    let before = site.world.refreshes();
    browser.press("Refresh now").await;
    browser.find(".notice.done").await;
    assert_eq!(site.world.refreshes(), before + 1);
    browser.press("Keys").await;
    browser
        .find("#name")
        .await
        .send_keys("laptop")
        .await
        .unwrap();
    browser.find("#all_grants-yes").await.click().await.unwrap();
    browser.press("Make the key").await;
    browser.heading("The key laptop is made").await;
    assert!(
        !browser
            .find("[data-copies]")
            .await
            .is_displayed()
            .await
            .unwrap()
    );
    browser.picture("key-made-no-script").await;
    browser.press("I have it").await;
    browser.press("Revoke").await;
    browser.press("Revoke it").await;
    browser.find(".notice.done").await;
    browser.open(&site.url("/dashboard/grants/alice")).await;
    browser.press("What it may do").await;
    assert!(
        browser
            .text()
            .await
            .contains("see what you have played lately")
    );
    browser.press("Sign alice out").await;
    browser.heading("Sign alice out?").await;
    browser.find("button.danger").await.click().await.unwrap();
    browser.heading("alice is signed out").await;
    browser.press("Sign out").await;
    browser.heading("You have left").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_script_an_open_page_follows_what_happens() {
    let site = Site::new().await;
    let browser = site.browser().await;
    browser.heading("alice is connected").await;
    assert!(browser.find("#live").await.is_displayed().await.unwrap());
    site.sign_in_as("alice").await;
    site.world.sign_in("another").await;
    // A look of its own comes after ten seconds; coming back to the page is one too.
    browser.find("h3 a").await.send_keys("").await.unwrap();
    browser
        .script("document.querySelector('h3 a').focus(); document.dispatchEvent(new Event('visibilitychange'))")
        .await;
    browser.heading("All 2 grants are connected").await;
    let focused = browser
        .script("return document.activeElement.textContent")
        .await;
    assert_eq!(focused, "alice", "what had the focus has it still");
    let news = browser
        .script("return document.getElementById('news').textContent")
        .await;
    assert_eq!(news, "All 2 grants are connected.");
    browser.close().await;
}
