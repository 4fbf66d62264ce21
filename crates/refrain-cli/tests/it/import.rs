//! `refrain import`: tokens that other programs hold.

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    time::{Duration, SystemTime},
};

use refrain_sim::{Action, App, EventKind, Fault, Profile, Rotation, Target, TokenCall, User};
use serde_json::{Value, json};

use crate::home::{Home, Output, SCOPES, chmod, write_private};

/// A token that another program has obtained, for the first user.
fn token(home: &Home) -> String {
    let app = home.sim.default_app();
    let user = home.sim.profile().users[0].id.clone();
    home.sim
        .seed_grant(&app.client_id, &user, SCOPES)
        .refresh_token
}

fn refreshes(home: &Home) -> usize {
    let calls = home.sim.token_calls();
    calls
        .iter()
        .filter(|call: &&TokenCall| call.grant_type == "refresh_token")
        .count()
}

fn spotipy(home: &Home, token: &str) {
    let text = json!({
        "access_token": "BQCold", "token_type": "Bearer", "expires_in": 3600, "scope": SCOPES,
        "expires_at": home.sim.now_unix_ms() / 1000 - 86_400, "refresh_token": token,
    });
    write_private(&home.path().join(".cache"), &text.to_string());
}

fn import(home: &Home, args: &[&str]) -> Output {
    home.run(&[&["import", "--json"], args].concat())
}

fn status(home: &Home, grant: &str) -> Value {
    let list = home.run(&["list", "--json"]).ok().json();
    let all = list.as_array().unwrap();
    let found = all.iter().find(|it| it["grant"] == grant);
    found.cloned().unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn spotipys_token_is_taken_over_and_told_with_its_bounds() {
    let home = Home::with(Profile::rotating(Rotation::Omit)).await;
    let token = token(&home);
    spotipy(&home, &token);
    let before = fs::read(home.path().join(".cache")).unwrap();
    let output = home.run(&["import", "spotipy", ".cache", "alice"]).ok();
    assert!(
        output
            .stdout
            .starts_with("alice is imported from spotipy, and works as Alice\n"),
        "{output:?}"
    );
    assert!(output.stderr.contains("Two programs hold this token now"));
    assert!(output.stderr.contains("delete .cache"), "{output:?}");
    assert!(!format!("{output:?}").contains(&token));
    // It was verified by one refresh, and the file is as it was.
    assert_eq!(refreshes(&home), 1);
    assert_eq!(fs::read(home.path().join(".cache")).unwrap(), before);
    home.run(&["token", "alice"]).ok();
    assert_eq!(refreshes(&home), 1);

    let alice = status(&home, "alice");
    assert_eq!(alice["status"], "active");
    assert_eq!(alice["user"], "Alice");
    assert_eq!(alice["days_left"], 0);
    // Between six months ago and the hour before the cached token ended.
    let text = |name: &str| alice[name].as_str().unwrap().to_owned();
    assert!(text("authorized_at") < text("authorized_at_latest"));
    assert!(text("reauthorize_by") < text("reauthorize_by_latest"));
    let list = home.run(&["list"]).ok().stdout;
    assert!(list.contains(" (0 to 1"), "{list}");
    let why = home.run(&["why", "alice"]).ok().stdout;
    assert!(why.contains("nobody knows the instant"), "{why}");
    assert!(why.contains("imported from spotipy; when the user consented is not known"));
    assert!(why.contains("in 0 days at the earliest"), "{why}");
    let doctor = home.run(&["doctor", "--json"]).json();
    let found = doctor.as_array().unwrap().iter();
    let grants: Vec<_> = found.filter(|it| it["check"] == "grants").collect();
    assert_eq!(grants[0]["code"], "grant_consent_unknown", "{doctor}");
    // A login ends the doubt.
    home.login("alice");
    assert_eq!(status(&home, "alice")["authorized_at_latest"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_is_read() {
    let home = Home::with(Profile::rotating(Rotation::Static)).await;
    let client = home.sim.default_app().client_id;
    let at = |name: &str| home.path().join(name);
    let cache = |token: &str| {
        json!({
            "access_token": "BQCold", "expires_in": 3600, "expires_at": "2026-11-01T10:00:00.5Z",
            "refresh_token": token, "scope": SCOPES,
        })
        .to_string()
    };
    write_private(&at(".spotify_token_cache.json"), &cache(&token(&home)));
    let done = import(&home, &["rspotify"]).ok().json();
    assert_eq!(
        (&done["grant"], &done["source"]),
        (&json!("default"), &json!("rspotify"))
    );
    assert_eq!(done["account"]["name"], "Alice");
    assert_eq!(done["scope"].as_array().unwrap().len(), 3);
    assert_eq!(done["replaced"], false);

    let player = at(".cache/spotify-player/user_client_token.json");
    fs::create_dir_all(player.parent().unwrap()).unwrap();
    write_private(&player, &cache(&token(&home)));
    let player = player.to_str().unwrap();
    import(&home, &["spotify-player", player, "player"]).ok();

    let users = format!(
        "{}\n{}\n",
        json!({"_id": {"$oid": "6900a1b02f1d3c0012ab34cd"}, "username": "alice", "spotifyId": "a1",
            "expiresIn": {"$numberLong": "1794000000000"}, "accessToken": "B", "refreshToken": token(&home)}),
        json!({"_id": {"$oid": "6900a1b02f1d3c0012ab34ce"}, "username": "bob", "spotifyId": "b2",
            "expiresIn": 0, "accessToken": null, "refreshToken": "AQDother"}),
    );
    write_private(&at("users.json"), &users);
    import(&home, &["your-spotify", "users.json", "yours"]).failed(2, "import_several");
    let done = import(
        &home,
        &["your-spotify", "users.json", "yours", "--user", "a1"],
    )
    .ok();
    assert_eq!(done.json()["source"], "your_spotify");

    let entries = json!({"version": 1, "key": "core.config_entries", "data": {"entries": [
        {"domain": "sun", "data": {"id": 7, "token": "odd"}},
        {"domain": "spotify", "title": "Alice", "created_at": "2026-11-01T10:00:00+00:00", "data": {
            "auth_implementation": "home", "id": "a1", "name": "Alice", "token": {
                "access_token": "B", "expires_in": 3600, "expires_at": 1_794_000_000.25,
                "refresh_token": token(&home), "scope": SCOPES, "token_type": "Bearer"}}},
    ]}});
    let apps = |client: &str| {
        json!({"version": 1, "data": {"items": [
            {"domain": "spotify", "client_id": client, "client_secret": "x", "id": "home"}]}})
        .to_string()
    };
    fs::create_dir(at(".storage")).unwrap();
    write_private(&at(".storage/core.config_entries"), &entries.to_string());
    write_private(&at(".storage/application_credentials"), &apps("another"));
    let calls = refreshes(&home);
    let wrong = import(&home, &["home-assistant", ".storage", "house"]);
    let wrong = wrong.failed(6, "import_other_client");
    assert!(
        wrong["message"]
            .as_str()
            .unwrap()
            .contains("client id another")
    );
    assert_eq!(refreshes(&home), calls, "nothing was sent");
    write_private(&at(".storage/application_credentials"), &apps(&client));
    let done = import(&home, &["home-assistant", ".storage", "house"]).ok();
    assert_eq!(done.json()["source"], "Home Assistant");

    let mut command = home.command(&["import", "--json", "env", "env"]);
    let command = command.env("SPOTIFY_REFRESH_TOKEN", token(&home));
    let done = Output::of(
        command
            .env("SPOTIFY_CLIENT_ID", &client)
            .stdin(Stdio::null()),
    );
    assert!(
        done.ok().json()["old_owner"]
            .as_str()
            .unwrap()
            .contains("SPOTIFY_REFRESH_TOKEN")
    );

    let piped = home.run_with(
        &["import", "--json", "stdin", "typed"],
        &(token(&home) + "\n"),
    );
    assert_eq!(piped.ok().json()["source"], "standard input");

    for grant in ["default", "player", "yours", "house", "env", "typed"] {
        assert_eq!(status(&home, grant)["status"], "active", "{grant}");
    }
    for program in ["ncspot", "librespot"] {
        let error = import(&home, &[program]).failed(2, "import_not_possible");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("credentials.json")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_leaves_nothing_behind() {
    let home = Home::new().await;
    let dead = token(&home);
    let app = home.sim.default_app();
    let user = home.sim.profile().users[0].id.clone();
    home.sim.revoke_user(&app.client_id, &user);
    spotipy(&home, &dead);
    let error = import(&home, &["spotipy", ".cache", "alice"]).failed(3, "import_refused");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("Refresh token revoked")
    );
    assert!(
        error["fix"]
            .as_str()
            .unwrap()
            .contains("refrain login alice")
    );
    assert_eq!(status(&home, "alice")["status"], "signed_out");
    home.run(&["token", "alice", "--json"])
        .failed(3, "signed_out");
    // The name is free for another try.
    spotipy(&home, &token(&home));
    import(&home, &["spotipy", ".cache", "alice"]).ok();
    assert_eq!(status(&home, "alice")["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_another_client_is_told_from_a_wrong_secret() {
    let home = Home::new().await;
    let other = App {
        client_id: "fedcba9876543210fedcba9876543210".to_owned(),
        ..App::default()
    };
    home.sim.register_app(other.clone());
    let user = home.sim.profile().users[0].id.clone();
    let foreign = home.sim.seed_grant(&other.client_id, &user, SCOPES);
    spotipy(&home, &foreign.refresh_token);
    let error = import(&home, &["spotipy", ".cache", "alice"]).failed(3, "import_refused");
    assert!(
        error["fix"].as_str().unwrap().contains("another client id"),
        "{error}"
    );
    // Where the client itself is refused, the token was not even looked at.
    spotipy(&home, &token(&home));
    home.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::Body {
            status: 400,
            content_type: "application/json".to_owned(),
            body: r#"{"error":"invalid_client","error_description":"Invalid client secret"}"#
                .to_owned(),
            headers: BTreeMap::default(),
        },
    ));
    let error = import(&home, &["spotipy", ".cache", "alice"]).failed(6, "import_unverified");
    let fix = error["fix"].as_str().unwrap();
    assert!(fix.contains("client secret"), "{error}");
    assert_eq!(status(&home, "alice")["status"], "suspect");
    import(&home, &["spotipy", ".cache", "alice"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_exists_is_replaced_when_it_is_said_and_of_the_same_account() {
    let home = Home::with(Profile {
        users: vec![User::default(), User::new("bob")],
        ..Profile::rotating(Rotation::Strict)
    })
    .await;
    home.login("alice");
    let epoch = home.run(&["why", "alice", "--json"]).ok().json()["events"]
        .as_array()
        .unwrap()
        .len();
    spotipy(&home, &token(&home));
    let calls = refreshes(&home);
    let error = import(&home, &["spotipy", ".cache", "alice"]).failed(2, "import_exists");
    assert!(error["fix"].as_str().unwrap().contains("--replace"));
    assert_eq!(refreshes(&home), calls, "nothing was sent");
    let done = import(&home, &["spotipy", ".cache", "alice", "--replace"]).ok();
    assert_eq!(done.json()["replaced"], true);
    assert!(
        done.stderr.contains("Spotify has replaced the token"),
        "{done:?}"
    );
    let alice = status(&home, "alice");
    assert_eq!(alice["status"], "active");
    assert_ne!(alice["authorized_at_latest"], Value::Null);
    assert_eq!(status(&home, "alice.imported")["status"], "signed_out");
    home.run(&["refresh", "alice"]).ok();
    let events = home.run(&["why", "alice", "--json"]).ok().json()["events"].clone();
    assert!(events.as_array().unwrap().len() > epoch);

    // Somebody else's token is refused there, and is not lost: the old one is dead by now.
    let app = home.sim.default_app();
    let bobs = home.sim.seed_grant(&app.client_id, "bob", SCOPES);
    spotipy(&home, &bobs.refresh_token);
    let error = import(&home, &["spotipy", ".cache", "alice", "--replace"]);
    let error = error.failed(4, "import_other_account");
    assert!(
        error["fix"].as_str().unwrap().contains("alice.imported"),
        "{error}"
    );
    assert_eq!(status(&home, "alice")["user"], "Alice");
    assert_eq!(status(&home, "alice.imported")["user"], "Bob");
    home.run(&["refresh", "alice"]).ok();
    home.run(&["refresh", "alice.imported"]).ok();
    // A third one does not take the place of what is kept there.
    spotipy(&home, &token(&home));
    import(&home, &["spotipy", ".cache", "alice", "--replace"]).failed(2, "import_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_knows_the_token_also_after_it_was_replaced() {
    let home = Home::with(Profile::rotating(Rotation::FamilyKill)).await;
    spotipy(&home, &token(&home));
    let first = import(&home, &["spotipy", ".cache", "alice"]).ok().json();
    assert_eq!(
        (&first["again"], &first["replaced"]),
        (&json!(false), &json!(true))
    );
    // The file has the dead one; presented again it would end the authorization.
    let second = import(&home, &["spotipy", ".cache", "alice", "--replace"])
        .ok()
        .json();
    assert_eq!(second["again"], true);
    assert_eq!(second["authorized_at"], first["authorized_at"]);
    // Under another name it would end it too.
    let error = import(&home, &["spotipy", ".cache", "bob"]).failed(2, "import_already_here");
    assert!(error["message"].as_str().unwrap().contains("alice"));
    assert_eq!(status(&home, "bob"), Value::Null);
    home.run(&["refresh", "alice"]).ok();
    assert_eq!(status(&home, "alice")["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_verified_is_kept_and_presented_by_a_person_alone() {
    let home = Home::with(Profile::rotating(Rotation::UntilUsed)).await;
    spotipy(&home, &token(&home));
    let cut = Fault::times(Target::TokenRefresh, 8, Action::CutAfterCommit);
    home.sim.script(cut);
    let error = import(&home, &["spotipy", ".cache", "alice"]).failed(5, "import_unverified");
    assert!(
        error["safe"]
            .as_str()
            .unwrap()
            .contains("kept here, sealed")
    );
    home.sim.clear_scripts();
    let alice = status(&home, "alice");
    assert_eq!(
        (&alice["status"], &alice["imported"]),
        (&json!("suspect"), &json!(true))
    );
    let list = home.run(&["list"]).ok().stdout;
    assert!(list.contains("suspect (imported)"), "{list}");
    let calls = refreshes(&home);
    home.run(&["token", "alice", "--json"])
        .failed(5, "imported");
    assert_eq!(refreshes(&home), calls, "nobody else presents it");
    let done = import(&home, &["spotipy", ".cache", "alice"]).ok().json();
    assert_eq!(
        (&done["grant"], &done["account"]["name"]),
        (&json!("alice"), &json!("Alice"))
    );
    home.run(&["token", "alice"]).ok();
}

/// Between the provider's answer and its commit: what came of it nobody here knows.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_is_verified_it_goes_on_with_what_the_provider_leaves() {
    for (rotation, kept) in [
        (Rotation::Omit, true),
        (Rotation::UntilUsed, true),
        (Rotation::Strict, false),
    ] {
        let home = Home::with(Profile::rotating(rotation)).await;
        spotipy(&home, &token(&home));
        let hold = Fault::once(Target::TokenRefresh, Action::HoldAnswer);
        home.sim.script(hold);
        let running = home.start(&["import", "spotipy", ".cache", "alice"]);
        while !home
            .sim
            .history()
            .iter()
            .any(|event| matches!(event.kind, EventKind::Held { .. }))
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Another token does not take the place of one whose answer is on its way.
        let other = home.path().join("other");
        let text = json!({"access_token": "B", "refresh_token": token(&home)});
        write_private(&other, &text.to_string());
        import(&home, &["spotipy", "other", "alice"]).failed(2, "import_exists");
        // Dropped, it is killed.
        drop(running);
        home.sim.release();
        let list = home.run(&["list"]).ok().stdout;
        assert!(list.contains("suspect (imported)"), "{rotation:?}: {list}");
        let again = import(&home, &["spotipy", ".cache", "alice"]);
        if kept {
            assert_eq!(
                again.ok().json()["account"]["name"],
                "Alice",
                "{rotation:?}"
            );
            home.run(&["refresh", "alice"]).ok();
        } else {
            let error = again.failed(3, "import_refused");
            let fix = error["fix"].as_str().unwrap();
            assert!(fix.contains("was lost"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_told_costs_no_token() {
    let home = Home::with(Profile::rotating(Rotation::Strict)).await;
    spotipy(&home, &token(&home));
    let down = || Fault::times(Target::Me, 3, Action::Html { status: 503 });
    home.sim.script(down());
    let done = import(&home, &["spotipy", ".cache", "alice"]).ok();
    assert_eq!(done.json()["account"], Value::Null);
    assert!(done.stderr.contains("did not say"), "{done:?}");
    home.run(&["refresh", "alice"]).ok();
    // The next run asks again.
    let done = import(&home, &["spotipy", ".cache", "alice"]).ok().json();
    assert_eq!(done["account"]["name"], "Alice");
    // Over a grant that exists it waits aside, until somebody says whose it is.
    home.login("bertha");
    spotipy(&home, &token(&home));
    home.sim.script(down());
    let args = ["spotipy", ".cache", "bertha", "--replace"];
    import(&home, &args).failed(5, "import_account_unknown");
    assert_eq!(status(&home, "bertha.imported")["status"], "active");
    import(&home, &args).ok();
    assert_eq!(status(&home, "bertha.imported")["status"], "signed_out");
    home.run(&["refresh", "bertha"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_places_are_told_and_nothing_is_sent() {
    let home = Home::new().await;
    let cache = home.path().join(".cache");
    let spotipy = ["spotipy", ".cache", "alice"];
    import(&home, &spotipy).failed(2, "import_unreadable");
    fs::create_dir(&cache).unwrap();
    import(&home, &spotipy).failed(2, "import_unreadable");
    fs::remove_dir(&cache).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(&cache).status();
    assert!(pipe.unwrap().success());
    import(&home, &spotipy).failed(2, "import_unreadable");
    fs::remove_file(&cache).unwrap();
    let huge = fs::File::create(&cache).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    import(&home, &spotipy).failed(2, "import_not_understood");
    for odd in [
        "",
        "{\"refresh_token\": \"AQDcanary",
        "\u{0}",
        "{\"refresh_token\": \"AQD canary\"}",
    ] {
        write_private(&cache, odd);
        let output = import(&home, &spotipy);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(!format!("{output:?}").contains("canary"), "{output:?}");
    }
    import(&home, &["env", "alice"]).failed(2, "import_no_token");
    home.run_with(&["import", "--json", "stdin", "alice"], "")
        .failed(2, "import_no_token");
    assert_eq!(refreshes(&home), 0);
    assert!(!home.database().exists() || home.run(&["list", "--json"]).json() == json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_may_read_is_told_and_its_age_counts() {
    let home = Home::with(Profile::rotating(Rotation::Omit)).await;
    let text = json!({"access_token": "B", "refresh_token": token(&home)}).to_string();
    let cache = home.path().join(".cache");
    write_private(&cache, &text);
    chmod(&cache, 0o644);
    let now = SystemTime::UNIX_EPOCH + millis(home.sim.now_unix_ms());
    let file = fs::File::options().append(true).open(&cache).unwrap();
    file.set_modified(now - Duration::from_secs(30 * 86_400))
        .unwrap();
    let output = home.run(&["import", "spotipy", ".cache", "alice"]).ok();
    assert!(output.stderr.contains("its mode is 0644"), "{output:?}");
    // Six months from a month ago at the latest.
    let list = home.run(&["list"]).ok().stdout;
    assert!(list.contains("(0 to 15"), "{list}");
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}
