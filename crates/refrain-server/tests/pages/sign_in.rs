//! Getting in, and out again.

use crate::{chromium::Chromium, site::Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_one_browser_in_once() {
    let site = Site::new().await;
    let (browser, link) = (Chromium::start().await, site.link().await);
    browser.open(&site.url("/dashboard")).await;
    browser.heading("Please sign in").await;
    assert!(browser.text().await.contains("refrain dashboard"));
    browser.picture("sign-in-needed").await;
    browser.open(&link).await;
    browser.picture("sign-in").await;
    browser.press("Sign in").await;
    browser.heading("alice is connected").await;
    assert_eq!(browser.path().await, "/dashboard");
    browser.open(&link).await;
    if browser.has("form").await {
        browser.press("Sign in").await;
    }
    browser.heading("The login came to nothing").await;
    assert!(browser.text().await.contains("used already"));
    browser.picture("sign-in-used").await;
    // Whoever is in stays in; whoever was late does not get in.
    browser.open(&site.url("/dashboard")).await;
    browser.heading("alice is connected").await;
    let late = Chromium::start().await;
    late.open(&site.url("/dashboard")).await;
    late.heading("Please sign in").await;
    late.close().await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_leads_to_the_dashboard_and_leaving_ends_the_session() {
    let site = Site::new().await;
    let browser = site.browser().await;
    browser.open(&site.url("/")).await;
    browser.heading("alice is connected").await;
    browser.press("Sign out").await;
    browser.heading("You have left").await;
    browser.picture("left").await;
    for path in ["/dashboard", "/dashboard/keys", "/dashboard/grants/alice"] {
        browser.open(&site.url(path)).await;
        browser.heading("Please sign in").await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_for_the_server_alone() {
    let site = Site::new().await;
    let browser = site.browser().await;
    let cookies = browser
        .devtools("Network.getAllCookies", serde_json::json!({}))
        .await;
    let cookies = cookies["cookies"].as_array().unwrap();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let cookie = &cookies[0];
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Lax");
    assert_eq!(cookie["path"], "/");
    assert_eq!(cookie["domain"], "127.0.0.1");
    // On plain loopback it can be neither Secure nor have the prefix that demands it.
    assert_eq!(cookie["secure"], false);
    assert_eq!(browser.script("return document.cookie").await, "");
    browser.close().await;
}
