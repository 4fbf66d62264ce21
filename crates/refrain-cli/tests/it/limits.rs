//! What `doctor`, `list` and `why` tell of Spotify's limits.

use std::time::Duration;

use refrain::{
    Config, Refrain,
    config::Sources,
    limit::{Kind, Limit, Outcome},
};

use crate::home::{Home, write_private};

/// Another process on the same store is told to wait, and ends.
async fn limited(home: &Home, kind: Kind, seconds: u64) {
    let folder = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let sources = Sources {
        file: Some(home.config_file()),
        env: [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
        ]
        .map(|(name, value)| (name.to_owned(), folder(value)))
        .into(),
        home: None,
    };
    let config = Config::load_from(&sources).unwrap();
    let refrain = Refrain::open_idle(config).await.unwrap();
    let limit = Limit {
        kind,
        wait: Duration::from_secs(seconds),
        told: Some(Duration::from_secs(seconds)),
    };
    let gates = refrain.gates().await.unwrap();
    gates.report(&"default".parse().unwrap(), None, Outcome::Limited(limit));
    assert!(refrain.close(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_told_with_its_end_and_whose_it_is() {
    let home = Home::new().await;
    let file = std::fs::read_to_string(home.config_file()).unwrap();
    let file = file.replacen("client_id", "developer = \"us\"\nclient_id", 1);
    write_private(&home.config_file(), &file);
    home.login("alice");
    assert!(home.run(&["why", "--json"]).ok().json()["limit"].is_null());
    assert!(home.run(&["list", "--json"]).ok().json()[0]["limit"].is_null());

    limited(&home, Kind::Quota, 80_000).await;
    for told in [
        home.run(&["why", "--json"]).ok().json()["limit"].clone(),
        home.run(&["list", "--json"]).ok().json()[0]["limit"].clone(),
    ] {
        assert_eq!(told["kind"], "quota", "{told}");
        assert_eq!(told["whose"], "developer:us", "{told}");
        assert!(told["until"].as_str().unwrap().ends_with('Z'), "{told}");
        let left = told["seconds_left"].as_u64().unwrap();
        assert!((79_000..=80_000).contains(&left), "{told}");
    }
    let part = "the quota of the developer account us is used up";
    assert!(home.run(&["why"]).ok().stdout.contains(part));
    let list = home.run(&["list"]).ok();
    assert!(list.stderr.contains(part), "{list:?}");
    assert_eq!(list.stdout.lines().count(), 2, "{list:?}");

    let doctor = home.run(&["doctor", "--json"]).ok();
    let findings = doctor.json();
    let finding = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["code"] == "api_quota_exceeded");
    let finding = finding.unwrap_or_else(|| panic!("{doctor:?}"));
    assert_eq!(finding["level"], "warn");
    assert!(finding["detail"].as_str().unwrap().contains(part));
    // It is no refresh that has to wait.
    home.run(&["token"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_told_while_it_lasts_and_no_longer() {
    let home = Home::new().await;
    home.login("alice");
    limited(&home, Kind::Rate, 8).await;
    let doctor = home.run(&["doctor"]).ok();
    assert!(
        doctor
            .stdout
            .contains("the app default has asked too often"),
        "{doctor:?}"
    );
    tokio::time::sleep(Duration::from_secs(8)).await;
    let doctor = home.run(&["doctor"]).ok();
    assert!(!doctor.stdout.contains("too often"), "{doctor:?}");
    assert!(home.run(&["why", "--json"]).ok().json()["limit"].is_null());
}
