//! A user is connected: in the browser of whoever runs refrain, and by a link in another.

use refrain_sim::{Profile, User};

use crate::{chromium::Chromium, site::Site};

/// The page of the simulated Spotify.
pub async fn decide(browser: &Chromium, user: &str, decision: &str) {
    let choice = format!("select[name=user] option[value={user}]");
    browser.find(&choice).await.click().await.unwrap();
    let button = format!("button[name=decision][value={decision}]");
    browser.find(&button).await.click().await.unwrap();
}

async fn site() -> Site {
    let mut profile = Profile::default();
    let mut bob = User::new("bob");
    "Bob".clone_into(&mut bob.display_name);
    profile.users.push(bob);
    let site = Site::with(profile).await;
    // Whom the browser is signed in as at Spotify.
    site.world.sim.sign_in_as("bob");
    site
}

async fn works(site: &Site, name: &str) -> bool {
    match site.world.refrain.grant(name).await {
        Ok(grant) => grant.access_token().await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_from_the_dashboard() {
    let site = site().await;
    let browser = site.browser().await;
    browser.press("Connect").await;
    browser.heading("Connect an account").await;
    browser.find("#grant").await.send_keys("bob").await.unwrap();
    browser.picture("connect").await;
    browser.press("Connect in this browser").await;
    decide(&browser, "bob", "allow").await;
    browser.heading("All 2 grants are connected").await;
    assert_eq!(browser.path().await, "/dashboard");
    assert!(browser.text().await.contains("bob is connected."));
    assert!(works(&site, "bob").await);
    browser.picture("connected").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_cancel_comes_back_and_is_told_so() {
    let site = site().await;
    let browser = site.browser().await;
    browser.open(&site.url("/dashboard/connect")).await;
    browser.find("#grant").await.send_keys("bob").await.unwrap();
    browser.press("Connect in this browser").await;
    decide(&browser, "bob", "cancel").await;
    browser.find(".notice.failed").await;
    assert!(
        browser
            .text()
            .await
            .contains("The login of bob came to nothing: at Spotify somebody pressed Cancel")
    );
    assert!(!works(&site, "bob").await);
    browser.picture("connect-denied").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_renewed_by_its_own_account_and_no_other() {
    let site = site().await;
    let browser = site.browser().await;
    browser.open(&site.url("/dashboard/grants/alice")).await;
    browser.press("Reconnect in this browser").await;
    decide(&browser, "bob", "allow").await;
    browser.heading("alice").await;
    assert_eq!(browser.path().await, "/dashboard/grants/alice");
    assert!(browser.text().await.contains("another Spotify account"));
    browser.picture("reconnect-other-account").await;
    assert!(works(&site, "alice").await);
    // Spotify knows alice's consent, and asks nothing.
    site.world.sim.sign_in_as("alice");
    browser.press("Reconnect in this browser").await;
    browser.find(".notice.done").await;
    assert!(browser.text().await.contains("alice is connected."));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_there_is_not_taken_by_mistake() {
    let site = site().await;
    let browser = site.browser().await;
    browser.open(&site.url("/dashboard/connect")).await;
    browser
        .find("#grant")
        .await
        .send_keys("alice")
        .await
        .unwrap();
    browser.press("Connect in this browser").await;
    browser.heading("That did not work").await;
    browser.picture("connect-name-taken").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_connected_by_a_link_that_is_sent() {
    let site = site().await;
    let browser = site.browser().await;
    browser.open(&site.url("/dashboard/connect")).await;
    browser.find("#grant").await.send_keys("bob").await.unwrap();
    browser.press("Make a link to send").await;
    browser.heading("A link to connect bob").await;
    browser.picture("connect-link").await;
    let link = browser
        .find("#link")
        .await
        .prop("value")
        .await
        .unwrap()
        .unwrap();
    for decision in ["cancel", "allow"] {
        let link = if decision == "cancel" {
            link.clone()
        } else {
            browser.open(&site.url("/dashboard/connect")).await;
            browser.find("#grant").await.send_keys("bob").await.unwrap();
            browser.press("Make a link to send").await;
            browser
                .find("#link")
                .await
                .prop("value")
                .await
                .unwrap()
                .unwrap()
        };
        let theirs = Chromium::start().await;
        theirs.open(&link).await;
        theirs.heading("Connect your Spotify account").await;
        theirs.picture("connect-asked").await;
        theirs.press("Go on to Spotify").await;
        decide(&theirs, "bob", decision).await;
        if decision == "cancel" {
            theirs.heading("The login came to nothing").await;
        } else {
            theirs.heading("Signed in as Bob").await;
        }
        theirs.picture(&format!("connect-asked-{decision}")).await;
        assert_eq!(works(&site, "bob").await, decision == "allow");
        // It is used up, whatever came of it.
        theirs.open(&link).await;
        assert!(!theirs.has("form").await);
        theirs.close().await;
    }
    browser.close().await;
}
