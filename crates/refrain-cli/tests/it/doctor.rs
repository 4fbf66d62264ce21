//! `refrain doctor`: healthy, and with each thing broken.

use std::{fs, net::TcpListener};

use refrain_sim::{Action, Fault, Profile, Target};
use serde_json::Value;

use crate::home::{Home, Output, REDIRECT, chmod, write_private};

/// The codes of what is not well.
fn complaints(output: &Output) -> Vec<String> {
    let findings = output.json();
    let findings = findings.as_array().unwrap();
    for finding in findings {
        for member in ["check", "level", "code", "detail", "fix"] {
            assert!(finding[member].is_string(), "{finding}");
        }
        // Whatever is wrong comes with what to do.
        let well = finding["level"] == "ok";
        assert_eq!(
            finding["fix"].as_str().unwrap().is_empty(),
            well,
            "{finding}"
        );
    }
    let bad = findings.iter().filter(|finding| finding["level"] != "ok");
    bad.map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn expect(home: &Home, exit: i32, code: &str) -> Output {
    let output = home.run(&["doctor", "--json"]);
    assert_eq!(output.code, exit, "{output:?}");
    let complaints = complaints(&output);
    assert!(
        complaints.iter().any(|found| found == code),
        "{code}: {complaints:?}"
    );
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_setup_is_told_so() {
    let home = Home::new().await;
    let fresh = home.run(&["doctor", "--json"]).ok();
    assert_eq!(complaints(&fresh), [""; 0]);
    assert!(!home.database().exists(), "the doctor made a store");
    home.login("alice");
    let output = home.run(&["doctor", "--json"]).ok();
    assert_eq!(complaints(&output), [""; 0], "{output:?}");
    let text = home.run(&["doctor"]).ok().stdout;
    assert!(text.lines().all(|line| line.starts_with("ok  ")), "{text}");
    let secret = home.sim.default_app().client_secret.unwrap();
    assert!(!text.contains(&secret) && !output.stdout.contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configuration_init_is_the_next_step() {
    let home = Home::bare(Profile::default()).await;
    let mut command = home.command(&["doctor", "--json"]);
    command
        .env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url())
        .env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let output = Output::of(&mut command);
    output.failed(6, "doctor_failed");
    assert!(output.stdout.contains("refrain init"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_does_not_hide_the_rest() {
    let home = Home::new().await;
    home.login("alice");
    let secret = home.config_folder().join("client-secret");
    chmod(&secret, 0o644);
    let output = expect(&home, 6, "secret_file_permissions");
    let found = output.json();
    let checks: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["check"].clone())
        .collect();
    for check in ["redirect", "key", "store", "network", "grants"] {
        assert!(checks.contains(&Value::from(check)), "{check}: {checks:?}");
    }
    write_private(&home.config_file(), "[apps.default]\nclient_idd = \"x\"\n");
    expect(&home, 6, "config_unknown_field");
    write_private(&home.config_file(), "store = ");
    let mut command = home.command(&["doctor", "--json"]);
    // The defaults lead to the real Spotify, which no test may ask.
    command.env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url());
    command.env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let output = Output::of(&mut command);
    assert!(
        complaints(&output).contains(&"config_syntax".to_owned()),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_will_not_work_are_found() {
    let home = Home::new().await;
    home.configure("http://localhost:4280/callback", "");
    expect(&home, 6, "redirect_localhost");
    home.configure("http://nas.lan/callback", "");
    expect(&home, 6, "redirect_insecure");
    home.configure("http://127.0.0.1/call-back", "");
    expect(&home, 0, "redirect_hyphen");
    home.configure("https://music.example/callback", "");
    expect(&home, 0, "redirect_elsewhere");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    home.configure(
        &format!("http://{}/callback", taken.local_addr().unwrap()),
        "",
    );
    expect(&home, 0, "port_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_values_are_looked_at() {
    let home = Home::new().await;
    let config = fs::read_to_string(home.config_file()).unwrap();
    write_private(
        &home.config_file(),
        &config.replace("user-read-private", "user-read-pirvate"),
    );
    expect(&home, 0, "scope_unknown");
    let id = home.sim.default_app().client_id;
    write_private(&home.config_file(), &config.replace(&id, "Me"));
    expect(&home, 6, "client_id_shape");
    write_private(&home.config_folder().join("client-secret"), "guess");
    expect(&home, 6, "client_secret_shape");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_about() {
    let home = Home::new().await;
    let secret_file = home.config_folder().join("client-secret");
    write_private(&secret_file, "00000000000000000000000000000000");
    expect(&home, 6, "client_refused");
    let app = home.sim.default_app();
    let config = fs::read_to_string(home.config_file()).unwrap();
    let secret = app.client_secret.unwrap();
    write_private(
        &home.config_file(),
        &config.replace(&app.client_id, &secret),
    );
    write_private(&secret_file, &app.client_id);
    let output = expect(&home, 6, "client_swapped");
    assert!(!output.stdout.contains(&secret), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_looked_at() {
    let home = Home::new().await;
    home.login("alice");
    chmod(&home.key_file(), 0o640);
    expect(&home, 6, "key_file_mode");
    let key = fs::read_to_string(home.key_file()).unwrap();
    fs::remove_file(home.key_file()).unwrap();
    expect(&home, 6, "key_file_missing");
    write_private(
        &home.key_file(),
        "rfmk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    );
    expect(&home, 6, "key_wrong");
    write_private(&home.key_file(), "no key\n");
    expect(&home, 6, "key_file_line");
    write_private(&home.key_file(), &key);
    home.run(&["doctor"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_are_looked_at() {
    let home = Home::new().await;
    home.login("alice");
    chmod(&home.database(), 0o644);
    expect(&home, 6, "file_mode");
    chmod(&home.database(), 0o600);
    let folder = home.config_folder();
    chmod(&folder, 0o755);
    expect(&home, 0, "folder_mode");
    chmod(&folder, 0o777);
    expect(&home, 6, "file_mode");
    chmod(&folder, 0o700);
    chmod(&home.config_file(), 0o644);
    expect(&home, 0, "file_mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_none_is_found() {
    let home = Home::new().await;
    write_private(
        &home.database(),
        "this is a letter to my mother, and no database\n",
    );
    write_private(
        &home.key_file(),
        "rfmk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    );
    expect(&home, 6, "storage_damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_spotify_and_unused_proxies_are_found() {
    let home = Home::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let config = fs::read_to_string(home.config_file()).unwrap();
    write_private(
        &home.config_file(),
        &config.replace(home.sim.api_url(), &url),
    );
    expect(&home, 6, "provider_unreachable");
    home.configure(REDIRECT, "");
    let mut command = home.command(&["doctor", "--json"]);
    command.env("HTTPS_PROXY", "http://u:canary@127.0.0.1:1");
    let output = Output::of(&mut command).ok();
    assert_eq!(complaints(&output), ["proxy_not_used"]);
    assert!(!output.stdout.contains("canary"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_need_a_login_are_found() {
    let profile = Profile::default();
    let home = Home::with(profile).await;
    home.login("alice");
    home.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::FalseRefusal { description: None },
    ));
    home.run(&["refresh", "--json"]).failed(5, "refused_early");
    expect(&home, 0, "grant_suspect");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_spotify_makes_wait_is_shown() {
    let home = Home::new().await;
    home.login("alice");
    let retry_after = Some("80000".to_owned());
    let action = Action::Throttle {
        retry_after,
        quota: false,
    };
    home.sim.script(Fault::once(Target::TokenRefresh, action));
    home.run(&["--json", "refresh"]).failed(5, "throttled");
    let found = home.run(&["--json", "doctor"]).json();
    let codes: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["code"])
        .collect();
    assert!(
        codes.iter().any(|code| *code == "app_throttled"),
        "{codes:?}"
    );
}
