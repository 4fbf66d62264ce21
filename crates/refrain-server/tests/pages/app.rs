//! The example app, which has no back end: what its users see of it.

use refrain::config::SessionKeep;

use crate::{
    both::both_ways,
    chromium::{Chromium, Setup},
    connect::decide,
    site::Site,
};

both_ways! {
    a_user_signs_in_sees_what_he_has_listened_to_and_signs_out,
    without_a_script_one_still_signs_in,
}

async fn a_user_signs_in_sees_what_he_has_listened_to_and_signs_out(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::start().await;
    browser.open(&site.url("/")).await;
    browser.find("#sign-in:not([hidden])").await;
    assert!(browser.text().await.contains("You are not signed in."));
    looks(&browser, "app-signed-out").await;
    site.begin(&browser, "bob").await;
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    let text = browser.text().await;
    assert!(text.contains("Signed in as Bob"), "{text}");
    assert!(text.contains("Simulated Track"), "{text}");
    assert!(text.contains("your consent again in 18"), "{text}");
    looks(&browser, "app-signed-in").await;
    browser.press("Sign out").await;
    browser.heading("You are signed out").await;
    let text = browser.text().await;
    assert!(
        text.contains("Everything that was kept of you here is destroyed"),
        "{text}"
    );
    looks(&browser, "app-left").await;
    let list = browser.find("main .way + .way a").await;
    let list = list.attr("href").await.unwrap().unwrap();
    assert_eq!(list, "https://www.spotify.com/account/apps/");
    browser.press("Back to the app").await;
    browser.find("#sign-in:not([hidden])").await;
    assert_eq!(browser.path().await, "/");
    // Spotify knows the consent, and asks all the same: its user has taken it back here.
    site.begin(&browser, "bob").await;
    decide(&browser, "bob", "allow").await;
    browser.find("#tracks li").await;
    browser.close().await;
}

async fn without_a_script_one_still_signs_in(keep: SessionKeep) {
    let site = Site::with_app_keeping(keep).await;
    let browser = Chromium::with(Setup {
        no_script: true,
        ..Setup::default()
    })
    .await;
    site.world.sim.sign_in_as("bob");
    browser.open(&site.url("/session/login")).await;
    browser.heading("Sign in with Spotify").await;
    looks(&browser, "sign-in-user").await;
    browser.press("Go on to Spotify").await;
    decide(&browser, "bob", "allow").await;
    browser.find("noscript p").await;
    assert!(browser.text().await.contains("This app needs JavaScript"));
    // Whoever types the address in.
    browser.open(&site.url("/v1/me")).await;
    let answered = browser.text().await;
    assert!(answered.contains("\"display_name\""), "{answered}");
    browser.close().await;
}

/// A picture by day and by night, as wide as a desk and as a phone; nothing reaches over the edge.
pub async fn looks(browser: &Chromium, name: &str) {
    for (width, at) in [(1280, "desk"), (390, "phone")] {
        browser.width(width).await;
        let edge =
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(browser.script(edge).await, true, "{name} at {width}");
        for (dark, by) in [(false, "light"), (true, "dark")] {
            browser.dark(dark).await;
            let found = browser.script(include_str!("contrast.js")).await;
            assert_eq!(found, "", "{name} at {width}, dark: {dark}");
            browser.picture(&format!("{name}-{at}-{by}")).await;
        }
    }
    browser.dark(false).await;
    browser.width(1280).await;
}
