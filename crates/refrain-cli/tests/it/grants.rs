//! `token`, `refresh`, `list`, `why`, `logout`.

use refrain_sim::{Action, Fault, Profile, RevokeMode, Rotation, Target};

use crate::home::{Home, REDIRECT};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_alone_on_its_line() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["token"]).ok();
    assert_eq!(output.stdout.lines().count(), 1);
    assert!(output.stderr.is_empty(), "{output:?}");
    let json = home
        .run(&["token", "alice", "--json", "--min-ttl", "300"])
        .ok()
        .json();
    assert_eq!(json["access_token"], output.stdout.trim());
    assert_eq!(json["token_type"], "Bearer");
    assert!(
        json["scope"]
            .as_str()
            .unwrap()
            .contains("user-read-private")
    );
    assert!(json["expires_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_brings_another_token() {
    let home = Home::with(Profile::rotating(Rotation::FamilyKill)).await;
    home.login("alice");
    let before = home.run(&["token"]).ok().stdout;
    let json = home.run(&["refresh", "--json"]).ok().json();
    assert_eq!(json["grant"], "alice");
    assert_ne!(home.run(&["token"]).ok().stdout, before);
    let output = home.run(&["refresh", "alice"]).ok();
    assert!(output.stdout.contains("good until"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_every_grant() {
    let home = Home::new().await;
    home.found();
    let output = home.run(&["list"]).ok();
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(output.stderr.contains("refrain login"), "{output:?}");
    assert_eq!(home.run(&["list", "--json"]).ok().stdout, "[]\n");
    home.login("alice");
    home.login("bob");
    let json = home.run(&["list", "--json"]).ok().json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[0]["grant"], "alice");
    assert_eq!(json[0]["status"], "active");
    assert!(json[0]["days_left"].as_u64().unwrap() > 175);
    let output = home.run(&["list"]).ok();
    assert_eq!(output.stdout.lines().count(), 3, "{output:?}");
    home.run(&["token", "--json"]).failed(2, "several_grants");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_the_story() {
    let home = Home::with(Profile::rotating(Rotation::FamilyKill)).await;
    home.login("alice");
    for _ in 0..3 {
        home.run(&["refresh"]).ok();
    }
    home.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::FalseRefusal { description: None },
    ));
    home.run(&["refresh", "--json"]).failed(5, "refused_early");
    let output = home.run(&["why", "alice"]).ok();
    for part in [
        "alice",
        "Alice (",
        "suspect: Spotify refused it",
        "the user consented; Spotify honours it until 20",
        "refreshed 3 times until 20",
        "a new refresh token each time",
        "invalid_grant",
        "asked again from 20",
        "the same token is presented again",
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
    let json = home.run(&["why", "--json"]).ok().json();
    assert_eq!(json["grant"], "alice");
    assert_eq!(json["status"], "suspect");
    assert_eq!(json["events"][0]["event"], "consented");
    let events = json["events"].as_array().unwrap();
    assert_eq!(events.len(), 5);
    assert_eq!(events[4]["event"], "refused");
    for event in events {
        assert!(event["at"].as_str().unwrap().ends_with('Z'));
    }
    assert!(json["next"]["at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_says_what_happens_next() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["why"]).ok();
    assert!(
        output.stdout.contains("active: refreshes work"),
        "{output:?}"
    );
    assert!(
        output
            .stdout
            .contains("it is refreshed, when asked for, from"),
        "{output:?}"
    );
    home.run(&["logout"]).ok();
    let output = home.run(&["why"]).ok();
    assert!(
        output
            .stdout
            .contains("until somebody runs `refrain login alice`"),
        "{output:?}"
    );
    assert_eq!(
        home.run(&["why", "--json"]).ok().json()["status"],
        "signed_out"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_says_what_it_does_not_reach() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["logout"]).ok();
    for part in [
        "alice is signed out",
        "was not asked to revoke",
        "still works at Spotify until 20",
        "https://www.spotify.com/account/apps/",
        "asks for consent anew",
    ] {
        assert!(output.stdout.contains(part), "{part}: {output:?}");
    }
    home.run(&["token", "--json"]).failed(3, "signed_out");
    home.run(&["logout", "--json"]).failed(3, "signed_out");
    let mut login = home.start(&["login", "--no-browser"]);
    assert!(login.line().contains("show_dialog=true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_reported_as_it_was_answered() {
    let profile = Profile {
        revoke: RevokeMode::Noop,
        ..Profile::default()
    };
    let home = Home::with(profile).await;
    let endpoint = format!("{}/oauth2/revoke/v1", home.sim.accounts_url());
    home.configure(REDIRECT, &format!("revocation_url = \"{endpoint}\"\n"));
    home.login("alice");
    let json = home.run(&["logout", "--json"]).ok().json();
    assert_eq!(json["grant"], "alice");
    assert_eq!(json["revocation"], "answered");
    assert_eq!(json["revocation_status"], 200);
    assert!(json["access_minutes"].as_u64().unwrap() > 50);
    assert_eq!(json["next_login_asks_for_consent"], true);
}
