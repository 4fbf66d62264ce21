//! `refrain dashboard`.

use refrain_sim::Profile;

use crate::home::Home;

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_is_alone_on_standard_output_and_another_each_time() {
    let home = Home::with(Profile::default()).await;
    home.found();
    // Where nobody listens, whatever else runs on this machine.
    let nobody = "[server]\nlisten = \"127.0.0.1:9\"\n";
    home.configure("http://127.0.0.1:9/callback", nobody);
    let printed = home.run(&["dashboard"]).ok();
    let link = |text: &str| -> String {
        let secret = text.strip_prefix("http://127.0.0.1:9/sign-in/").unwrap();
        assert!(secret.len() == 37 && secret.bytes().all(|it| it.is_ascii_alphanumeric()));
        secret.to_owned()
    };
    let first = link(printed.stdout.strip_suffix('\n').unwrap());
    assert!(!printed.stderr.contains(&first), "{printed:?}");
    assert!(printed.stderr.contains("works once, and for 10 minutes"));
    assert!(printed.stderr.contains("refrain serve"), "nothing listens");
    let json = home.run(&["dashboard", "--json"]).ok().json();
    let second = link(json.get("url").unwrap().as_str().unwrap());
    assert_ne!(first, second);
    assert!(
        json.get("expires_at")
            .unwrap()
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_signed_out_and_no_link_is_left() {
    let home = Home::with(Profile::default()).await;
    home.found();
    for _ in 0..2 {
        home.run(&["dashboard"]).ok();
    }
    let ended = home.run(&["dashboard", "--sign-out-all", "--json"]).ok();
    assert_eq!(ended.json()["ended"], 2);
    let ended = home.run(&["dashboard", "--sign-out-all"]).ok();
    assert!(
        ended
            .stdout
            .starts_with("nobody is signed in to the dashboard any more")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_no_browser_reaches_has_no_link() {
    let home = Home::with(Profile::default()).await;
    home.found();
    home.configure(
        "http://127.0.0.1:4280/callback",
        "[server]\nlisten = \"\"\nsocket = \"/tmp/refrain.sock\"\n",
    );
    home.run(&["dashboard", "--json"])
        .failed(6, "listens_nowhere");
}
