//! What users and callers call themselves runs nowhere.

use refrain_sim::{Profile, User};

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn no_script_in_a_name_is_run() {
    let payload = "</title></style></script>\"'><script>window.hit=1</script><img src=x onerror=window.hit=1>\
                   <svg onload=window.hit=1><details open ontoggle=window.hit=1>";
    let mut profile = Profile::default();
    let mut user = User::new("evil");
    user.display_name = payload.to_owned();
    profile.users.push(user);
    let site = Site::with(profile).await;
    site.sign_in_as("evil").await;
    let browser = site.browser().await;
    let encoded: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
    for path in [
        "/dashboard".to_owned(),
        "/dashboard/grants/evil".to_owned(),
        format!("/dashboard?name={encoded}"),
        format!("/dashboard?error={encoded}&grant={encoded}&done={encoded}"),
        format!("/dashboard/grants/{encoded}"),
        format!("/dashboard/connect?grant={encoded}"),
        format!("/dashboard/keys/{encoded}/revoke"),
    ] {
        browser.open(&site.url(&path)).await;
        browser.find("h1").await;
        assert_eq!(browser.script("return window.hit ?? 0").await, 0, "{path}");
        for inserted in [
            "main script",
            "main img",
            "[onload]",
            "[onerror]",
            "[ontoggle]",
        ] {
            assert!(!browser.has(inserted).await, "{path}: {inserted}");
        }
    }
    // As text it is there.
    browser.open(&site.url("/dashboard/grants/evil")).await;
    assert!(
        browser
            .text()
            .await
            .contains("<script>window.hit=1</script>")
    );
    browser.picture("evil-name").await;
    browser.close().await;
}
