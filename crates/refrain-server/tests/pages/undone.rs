//! A login that comes to nothing leads on: to try again, or back.

use refrain::keeper::links::{NewLink, USUAL_LIFE};

use crate::{app::looks, chromium::Chromium, connect::decide, site::Site};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_cancel_can_try_again_from_the_page_that_says_so() {
    let site = Site::with_app().await;
    let browser = Chromium::start().await;
    site.begin(&browser, "bob").await;
    decide(&browser, "bob", "cancel").await;
    browser.heading("The login came to nothing").await;
    assert!(browser.text().await.contains("you pressed Cancel"));
    looks(&browser, "session-denied").await;
    browser.press("Back to the app").await;
    browser.find("#sign-in:not([hidden])").await;
    browser.client.back().await.unwrap();
    // What was answered once is over; the page says so, and leads on too.
    browser.press("Sign in").await;
    browser.heading("Sign in with Spotify").await;
    browser.press("Go on to Spotify").await;
    decide(&browser, "bob", "cancel").await;
    browser.heading("The login came to nothing").await;
    browser.press("Sign in again").await;
    browser.press("Go on to Spotify").await;
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    assert_eq!(browser.path().await, "/");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_too_long_at_spotify_can_begin_again_from_the_page_that_says_so() {
    let site = Site::with_app().await;
    let browser = Chromium::start().await;
    // Here the attempt is over, and the browser has its cookie still; then it has none any more.
    for (name, forget) in [("session-late", false), ("session-forgotten", true)] {
        site.begin(&browser, "bob").await;
        browser.find("button[value=allow]").await;
        if forget {
            let none = serde_json::json!({});
            browser.devtools("Network.clearBrowserCookies", none).await;
        } else {
            site.world.pass(USUAL_LIFE);
        }
        let exchanges = site.world.sim.counts().exchanges;
        decide(&browser, "bob", "allow").await;
        browser.find("main .way").await;
        looks(&browser, name).await;
        assert_eq!(site.world.sim.counts().exchanges, exchanges);
        browser.press("Sign in to the app").await;
        browser.heading("Sign in with Spotify").await;
        browser.press("Go on to Spotify").await;
        if forget {
            // Who has signed out before is asked again, also where this browser does not remember it.
            decide(&browser, "bob", "allow").await;
        }
        browser.find("#tracks li").await;
        browser.press("Sign out").await;
        browser.heading("You are signed out").await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_reconnect_is_for_the_account_that_was_connected() {
    let site = Site::with_app().await;
    let alice = site.world.refrain.grant("alice").await.unwrap();
    let before = alice.row().await.unwrap();
    let new = NewLink {
        grant: "alice".parse().unwrap(),
        app: None,
        scope: None,
        return_to: None,
        reconnect: Some(true),
        lifetime: USUAL_LIFE,
    };
    let (link, _) = site.world.refrain.create_link(new).await.unwrap();
    let browser = Chromium::start().await;
    site.world.sim.sign_in_as("bob");
    let link = site.url(&format!("/connect/{}", link.expose()));
    browser.open(&link).await;
    let asked = browser.text().await;
    assert!(asked.contains("It has to be the account"), "{asked}");
    browser.press("Go on to Spotify").await;
    decide(&browser, "bob", "allow").await;
    browser.heading("The login came to nothing").await;
    let told = browser.text().await;
    for words in [
        "another Spotify account than the one that was connected",
        "sign out at spotify.com",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    looks(&browser, "reconnect-by-link-other-account").await;
    let after = alice.row().await.unwrap();
    assert_eq!(
        (after.epoch, after.generation, after.account),
        (before.epoch, before.generation, before.account)
    );
    assert!(alice.access_token().await.is_ok());
    browser.close().await;
}
