//! What is typed wrongly, and what `--help` says.

use refrain_sim::Profile;

use crate::home::{Home, write_private};

const COMMANDS: [&[&str]; 20] = [
    &["demo"],
    &["init"],
    &["login"],
    &["token"],
    &["api"],
    &["list"],
    &["why"],
    &["refresh"],
    &["logout"],
    &["key"],
    &["key", "create"],
    &["key", "list"],
    &["key", "revoke"],
    &["doctor"],
    &["sim"],
    &["config"],
    &["config", "show"],
    &["completions"],
    &["man"],
    &[],
];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let home = Home::new().await;
    let token = "AQDq1xXcanarycanarycanarycanarycanarycanary-_x";
    let given = format!("--user={token}");
    for args in [
        &["import", "stdin", token][..],
        &["import", "spotipy", ".cache", "alice", token],
        &["import", "spotipy", &given],
        &["--json", "import", "stdin", token],
    ] {
        let output = home.run(args);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(!format!("{output:?}").contains(token), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_help() {
    let home = Home::bare(Profile::default()).await;
    for command in COMMANDS {
        let mut args = command.to_vec();
        args.push("--help");
        let output = home.run(&args).ok();
        assert!(output.stdout.contains("Usage: refrain"), "{output:?}");
        assert!(output.stdout.contains("--json"), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        if command.is_empty() {
            assert!(output.stdout.contains("130"), "{output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_exit_code_2() {
    let home = Home::new().await;
    for args in [
        &["nothing"] as &[&str],
        &[],
        &["login", "a/b"],
        &["login", "--wait", "0"],
        &["login", "--wait", "601"],
        &["login", "--scope", "a\"b"],
        &["token", "--min-ttl", "-1"],
        &["token", "--unknown"],
        &["api"],
        &["api", "me"],
        &["list", "more"],
        &["why", "a", "b"],
        &["refresh", "a b"],
        &["logout", "a", "b"],
        &["doctor", "more"],
        &["init", "--client-secret-file", "a", "--client-secret-stdin"],
        &["completions", "tcsh"],
    ] {
        let output = home.run(args);
        assert_eq!(output.code, 2, "{args:?} {output:?}");
        assert!(output.stdout.is_empty(), "{args:?} {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?} {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_not_there_is_told() {
    let home = Home::new().await;
    home.found();
    for command in ["token", "why", "refresh", "logout"] {
        home.run(&[command, "--json"]).failed(3, "no_grant");
        home.run(&[command, "nobody", "--json"])
            .failed(2, "unknown_grant");
    }
    home.run(&["api", "/v1/me", "--json"]).failed(3, "no_grant");
    home.run(&["login", "--app", "other", "--no-browser", "--json"])
        .failed(6, "unknown_app");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["token", "--min-ttl", "9000"]).ok();
    assert!(
        output.stderr.contains("warning: this token works for"),
        "{output:?}"
    );
    assert!(
        home.run(&["token", "--min-ttl", "600"])
            .ok()
            .stderr
            .is_empty()
    );
    let config = std::fs::read_to_string(home.config_file()).unwrap();
    let nowhere = config.replace(home.sim.api_url(), "http://127.0.0.1:9");
    write_private(&home.config_file(), &nowhere);
    let told = home
        .run(&["api", "/v1/me", "--json"])
        .failed(5, "api_unreachable");
    assert!(
        told["safe"].as_str().unwrap().contains("nothing was sent"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_asks_makes_neither_store_nor_key() {
    let home = Home::new().await;
    let asking: [&[&str]; 10] = [
        &["list"],
        &["why"],
        &["token"],
        &["refresh"],
        &["logout"],
        &["api", "/v1/me"],
        &["key", "list"],
        &["key", "create", "x", "--all-grants"],
        &["dashboard"],
        &["sealing", "rotate"],
    ];
    let refused = |home: &Home| {
        for args in asking {
            let told = home
                .run(&[args, &["--json"]].concat())
                .failed(6, "no_store");
            assert!(told["fix"].as_str().unwrap().contains("refrain init"));
        }
        assert!(!home.key_file().exists());
        assert!(!home.path().join("state").exists());
    };
    refused(&home);
    assert!(!home.path().join("data").exists());
    // An empty file is no store either.
    write_private(&home.database(), "");
    refused(&home);
    assert_eq!(std::fs::metadata(home.database()).unwrap().len(), 0);
    home.login("alice");
    home.run(&["list"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_missing_or_wrong_is_exit_code_6() {
    let home = Home::bare(Profile::default()).await;
    for command in ["token", "list", "why", "refresh", "logout"] {
        home.run(&[command, "--config", "none.toml", "--json"])
            .failed(6, "config_not_found");
    }
    home.run(&["login", "--no-browser", "--json"])
        .failed(6, "unknown_app");
    home.configure("http://localhost/callback", "");
    home.run(&["login", "--no-browser", "--json"])
        .failed(6, "redirect_localhost");
}
