//! What can be done about grants and keys.

use reqwest::StatusCode;

use crate::{site::Site, world::client};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_refreshed() {
    let site = Site::new().await;
    let browser = site.browser().await;
    browser.press("alice").await;
    browser.heading("alice").await;
    let before = site.world.refreshes();
    browser.press("Refresh now").await;
    browser.find(".notice.done").await;
    assert!(browser.text().await.contains("gave a new access token"));
    assert_eq!(site.world.refreshes(), before + 1);
    // What came of it is told once.
    browser.client.refresh().await.unwrap();
    browser.heading("alice").await;
    assert!(!browser.has(".notice").await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_is_asked_twice_and_tells_the_truth() {
    let site = Site::new().await;
    let browser = site.browser().await;
    browser.press("alice").await;
    browser.press("Sign alice out").await;
    browser.heading("Sign alice out?").await;
    browser.picture("sign-out-asked").await;
    browser.press("Keep it").await;
    browser.heading("alice").await;
    assert!(
        site.world
            .refrain
            .grant("alice")
            .await
            .unwrap()
            .access_token()
            .await
            .is_ok()
    );
    browser.press("Sign alice out").await;
    browser.heading("Sign alice out?").await;
    browser.find("button.danger").await.click().await.unwrap();
    browser.heading("alice is signed out").await;
    let text = browser.text().await;
    for told in [
        "The refresh token, the access token, and the key that sealed them",
        "The revocation endpoint was asked",
        "still works at Spotify until",
        "https://www.spotify.com/account/apps/",
        "asks for consent anew",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    browser.picture("signed-out").await;
    assert!(
        site.world
            .refrain
            .grant("alice")
            .await
            .unwrap()
            .access_token()
            .await
            .is_err()
    );
    browser.press("Back to the grants").await;
    browser.heading("Nobody is signed in").await;
    browser.picture("nobody-signed-in").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_shown_once_and_revoked() {
    let site = Site::new().await;
    let browser = site.browser().await;
    browser.press("Keys").await;
    browser.heading("Keys").await;
    browser.picture("keys-none").await;
    browser
        .find("#name")
        .await
        .send_keys("laptop")
        .await
        .unwrap();
    browser.find("#grant-alice").await.click().await.unwrap();
    browser.press("Make the key").await;
    browser.heading("The key laptop is made").await;
    let key = browser
        .find("#key")
        .await
        .prop("value")
        .await
        .unwrap()
        .unwrap();
    assert!(key.starts_with("rfk_"), "{key}");
    let me = || async {
        let asked = client().get(site.url("/v1/me")).bearer_auth(&key);
        asked.send().await.unwrap().status()
    };
    assert_eq!(me().await, StatusCode::OK);
    browser.press("I have it").await;
    browser.heading("Keys").await;
    let (_, secret) = key.split_at(16);
    assert!(!browser.source().await.contains(secret), "it is shown once");
    browser.picture("keys").await;
    browser.press("Revoke").await;
    browser.heading("Revoke the key laptop?").await;
    browser.picture("key-revoke").await;
    browser.press("Revoke it").await;
    browser.find(".notice.done").await;
    browser.heading("Keys").await;
    assert_eq!(me().await, StatusCode::UNAUTHORIZED);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_made_is_explained() {
    let site = Site::new().await;
    let browser = site.browser().await;
    for reason in ["no grant", "this name"] {
        browser.open(&site.url("/dashboard/keys")).await;
        browser
            .find("#name")
            .await
            .send_keys("twice")
            .await
            .unwrap();
        if reason == "this name" {
            browser.find("#all_grants-yes").await.click().await.unwrap();
            browser.press("Make the key").await;
            browser.heading("The key twice is made").await;
            browser.open(&site.url("/dashboard/keys")).await;
            browser
                .find("#name")
                .await
                .send_keys("twice")
                .await
                .unwrap();
            browser.find("#all_grants-yes").await.click().await.unwrap();
        }
        browser.press("Make the key").await;
        browser.heading("That did not work").await;
        assert!(browser.text().await.contains(reason));
    }
    browser.picture("error").await;
    browser.close().await;
}
