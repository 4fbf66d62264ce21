//! `sealing rotate`, `backup`, `restore`.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use refrain_sim::{Profile, Rotation};
use serde_json::Value;

use crate::home::{Home, Output, chmod, write_private};

/// Access tokens that are over before anybody can rest on them.
fn short(rotation: Rotation) -> Profile {
    Profile {
        access_ttl: Duration::from_secs(1),
        ..Profile::rotating(rotation)
    }
}

/// A home with alice signed in and refreshed, so that it is known whether her token is replaced.
async fn home_of_alice(profile: Profile) -> Home {
    let home = Home::with(profile).await;
    home.login("alice");
    home.run(&["refresh", "alice"]).ok();
    home
}

fn backup(home: &Home) -> PathBuf {
    let file = home.path().join("copy");
    home.run(&["backup", file.to_str().unwrap()]).ok();
    file
}

fn restore(home: &Home, file: &Path) -> Output {
    home.run(&["restore", "--yes", "--json", file.to_str().unwrap()])
}

/// What lies in the folder of the store, without the folder of the processes.
fn beside_the_store(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.database().parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with("-instances"))
        .collect();
    names.sort();
    names
}

fn keys(home: &Home) -> usize {
    let text = fs::read_to_string(home.key_file()).unwrap();
    text.lines().filter(|it| it.starts_with("rfmk1_")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_key_replaces_the_old_one_at_once_where_nobody_is_in_the_way() {
    let home = home_of_alice(Profile::rotating(Rotation::FamilyKill)).await;
    home.login("bob");
    let before = fs::read_to_string(home.key_file()).unwrap();
    let json = home.run(&["sealing", "rotate", "--json"]).ok().json();
    assert_eq!(
        (&json["made"], &json["resealed"]),
        (&true.into(), &2.into())
    );
    assert_eq!(json["retired"].as_array().unwrap().len(), 1);
    assert_eq!(json["old"], Value::Array(vec![]));
    assert_eq!(json["grants"][json["key"].as_str().unwrap()], 2);
    let after = fs::read_to_string(home.key_file()).unwrap();
    let (old, new) = (
        before.lines().last().unwrap(),
        after.lines().last().unwrap(),
    );
    assert!(!after.contains(old) && new.starts_with("rfmk1_"));
    assert_eq!(keys(&home), 1);
    let mode = fs::metadata(home.key_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.run(&["refresh", "alice"]).ok();
    home.run(&["refresh", "bob"]).ok();
    let doctor = home.run(&["doctor", "--json"]);
    assert!(
        doctor.stdout.contains(json["key"].as_str().unwrap()),
        "{doctor:?}"
    );

    // The old key file is not the store's any more, and the store says which one is.
    let expected = json["key"].as_str().unwrap();
    write_private(&home.key_file(), &before);
    let error = home
        .run(&["token", "alice", "--json"])
        .failed(6, "key_wrong");
    assert!(
        error["message"].as_str().unwrap().contains(expected),
        "{error}"
    );
    for (text, code) in [
        ("rfmk1_garbled\n", "key_file_line"),
        ("", "key_file_empty"),
        (
            &after.replace(new, &format!("{new} sometimes")),
            "key_file_line",
        ),
    ] {
        write_private(&home.key_file(), text);
        let error = home.run(&["token", "alice", "--json"]).failed(6, code);
        assert!(
            error["message"].as_str().unwrap().contains(expected),
            "{error}"
        );
    }
    fs::remove_file(home.key_file()).unwrap();
    let error = home
        .run(&["token", "alice", "--json"])
        .failed(6, "key_missing");
    assert!(
        error["message"].as_str().unwrap().contains(expected),
        "{error}"
    );
    write_private(&home.key_file(), &after);
    home.run(&["refresh", "alice"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_stays_while_a_login_that_has_begun_with_it_may_come_back() {
    let home = home_of_alice(Profile::default()).await;
    let mut login = home.start(&["login", "bob", "--no-browser"]);
    let url = login.line();
    let json = home.run(&["sealing", "rotate", "--json"]).ok().json();
    assert_eq!(json["retired"], Value::Array(vec![]));
    assert!(json["old_until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(keys(&home), 2);
    // Again it is the same rotation, and no third key.
    let again = home.run(&["sealing", "rotate", "--json"]).ok().json();
    assert_eq!(
        (&again["made"], &again["key"]),
        (&false.into(), &json["key"])
    );
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    let output = login.wait();
    assert_eq!(output.code, 0, "{output:?}");
    // Bob's process had the old key alone, and sealed with the new one all the same.
    let json = home.run(&["sealing", "rotate", "--json"]).ok().json();
    assert_eq!(
        (&json["made"], &json["resealed"]),
        (&false.into(), &0.into())
    );
    assert_eq!(json["retired"].as_array().unwrap().len(), 1);
    assert_eq!(keys(&home), 1);
    home.run(&["refresh", "alice"]).ok();
    home.run(&["refresh", "bob"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_prepared_on_one_machine_and_copied_to_the_others() {
    let home = home_of_alice(Profile::default()).await;
    let old = fs::read_to_string(home.key_file()).unwrap();
    let json = home
        .run(&["sealing", "rotate", "--prepare", "--json"])
        .ok()
        .json();
    let (old_id, new_id) = (
        json["key"].as_str().unwrap(),
        json["next"].as_str().unwrap(),
    );
    let again = home
        .run(&["sealing", "rotate", "--prepare", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&again["made"], &again["next"]),
        (&false.into(), &json["next"])
    );
    home.login("bob");
    // Another machine is another copy of the key file.
    let other = home.path().join("other/master.key");
    let prepared = fs::read_to_string(home.key_file()).unwrap();
    write_private(&other, &prepared);
    let there = |args: &[&str]| {
        let mut command = home.command(args);
        Output::of(command.env("REFRAIN_SEALING_KEY_FILE", &other))
    };
    let done = home.run(&["sealing", "rotate", "--json"]).ok().json();
    assert_eq!(
        (&done["key"], &done["resealed"]),
        (&json["next"], &2.into())
    );
    assert_eq!(done["grants"].get(old_id), None);
    there(&["refresh", "alice"]).ok();
    // It also seals with the store's key, though its file has the old one first.
    let mut login = home.command(&["login", "carol", "--no-browser"]);
    let mut login = crate::home::Running::start(login.env("REFRAIN_SEALING_KEY_FILE", &other));
    let url = login.line();
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    assert_eq!(login.wait().code, 0);
    home.run(&["refresh", "carol"]).ok();
    // And one that was forgotten says which key it lacks.
    write_private(&other, &old);
    let error = there(&["token", "alice", "--json"]).failed(6, "key_wrong");
    assert!(
        error["message"].as_str().unwrap().contains(new_id),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_open_is_named_and_keeps_its_key_in_the_file() {
    let home = home_of_alice(Profile::default()).await;
    home.login("bob");
    let database = format!("sqlite:{}", home.database().display());
    let pool = sqlx::SqlitePool::connect(&database).await.unwrap();
    sqlx::raw_sql(
        "UPDATE grants SET data_key = cast(substr(data_key, 1, 60) || x'00' AS BLOB) WHERE name = 'bob'",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let output = home.run(&["sealing", "rotate", "--json"]);
    let error = output.failed(7, "sealed_row");
    assert!(
        error["message"].as_str().unwrap().contains("bob"),
        "{error}"
    );
    let json = output.json();
    assert_eq!(json["resealed"], 1);
    assert_eq!(json["damaged"][0]["grant"], "bob");
    assert_eq!((json["old"].as_array().unwrap().len(), keys(&home)), (1, 2));
    home.run(&["refresh", "alice"]).ok();
    home.login("bob");
    home.run(&["sealing", "rotate"]).ok();
    assert_eq!(keys(&home), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_tokens_that_stay_works_at_once() {
    let home = home_of_alice(short(Rotation::Static)).await;
    let refreshing: Vec<_> = (0..2).map(|_| home.start(&["refresh", "alice"])).collect();
    let file = backup(&home);
    for it in refreshing {
        assert_eq!(it.wait().code, 0);
    }
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = fs::read_to_string(home.key_file()).unwrap();
    let key = key.lines().last().unwrap().as_bytes();
    let copy = fs::read(&file).unwrap();
    assert!(!copy.windows(key.len()).any(|it| it == key));

    // A file that is there is not overwritten unasked, and what a killed run left is no obstacle.
    let name = file.to_str().unwrap();
    home.run(&["backup", name, "--json"])
        .failed(2, "file_exists");
    fs::write(home.path().join("copy.incomplete"), "half").unwrap();
    home.run(&["backup", name, "--force"]).ok();
    assert!(!home.path().join("copy.incomplete").exists());

    // Without anybody to ask nothing is replaced.
    home.run(&["restore", name, "--json"]).failed(2, "usage");
    for _ in 0..2 {
        home.run(&["refresh", "alice"]).ok();
    }
    let json = restore(&home, &file).ok().json();
    assert_eq!(
        (&json["usable"][0], &json["doubtful"]),
        (&"alice".into(), &Value::Array(vec![]))
    );
    assert!(Path::new(json["kept"].as_str().unwrap()).exists());
    home.run(&["token", "alice"]).ok();
    // A second restore does not overwrite what the first has kept; a missing store has nothing to keep.
    let again = restore(&home, &file).ok().json();
    assert_ne!(again["kept"], json["kept"]);
    fs::remove_dir_all(home.database().parent().unwrap()).unwrap();
    let output = home.run(&["restore", name, "--json"]).ok();
    assert_eq!(output.json()["kept"], Value::Null);
    home.run(&["token", "alice"]).ok();
    // A damaged one is replaced like any other.
    fs::write(home.database(), "a letter to a friend".repeat(500)).unwrap();
    restore(&home, &file).ok();
    home.run(&["token", "alice"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_from_a_backup_that_may_have_been_replaced_is_presented_unasked() {
    let home = home_of_alice(short(Rotation::FamilyKill)).await;
    home.login("bob");
    let file = backup(&home);
    home.run(&["refresh", "alice"]).ok();
    let json = restore(&home, &file).ok().json();
    assert_eq!(json["usable"], Value::Array(vec![]));
    assert_eq!(json["doubtful"], serde_json::json!(["alice", "bob"]));
    thread::sleep(Duration::from_millis(1100));

    let presented = || {
        let calls = home.sim.token_calls().into_iter();
        calls.filter(|call| call.presented.is_some()).count()
    };
    let before = presented();
    for grant in ["alice", "bob"] {
        let error = home.run(&["token", grant, "--json"]).failed(7, "restored");
        let fix = error["fix"].as_str().unwrap();
        assert!(fix.contains(&format!("refrain refresh {grant}")), "{error}");
        home.run(&["api", "-g", grant, "/v1/me", "--json"])
            .failed(7, "restored");
    }
    let list = home.run(&["list"]).ok().stdout;
    assert!(list.contains("suspect (restored)"), "{list}");
    let why = home.run(&["why", "alice"]).ok().stdout;
    assert!(why.contains("refrain refresh alice"), "{why}");
    assert!(
        home.run(&["doctor"])
            .stdout
            .contains("refrain refresh alice")
    );
    assert_eq!(presented(), before, "presented unasked");

    // Bob's token is the same as before: asked for, it works, and the mark is gone.
    home.run(&["refresh", "bob"]).ok();
    thread::sleep(Duration::from_millis(1100));
    home.run(&["token", "bob"]).ok();
    // Alice's had been replaced: once it is asked for, that is what she is told.
    home.run(&["refresh", "alice", "--json"])
        .failed(3, "reauthorize_restored");
    let why = home.run(&["why", "alice"]).ok().stdout;
    assert!(why.contains("after the backup that was restored"), "{why}");
    home.login("alice");
    home.run(&["refresh", "alice"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_backup_of_this_key_changes_nothing() {
    let home = home_of_alice(Profile::default()).await;
    let file = backup(&home);
    let sound = fs::read(&file).unwrap();
    let (before, names) = (fs::read(home.database()).unwrap(), beside_the_store(&home));
    let refused = |bytes: &[u8], exit: i32, code: &str| {
        let bad = home.path().join("bad");
        fs::write(&bad, bytes).unwrap();
        let error = restore(&home, &bad).failed(exit, code);
        assert_eq!(fs::read(home.database()).unwrap(), before, "{error}");
        assert_eq!(beside_the_store(&home), names, "{error}");
        error
    };
    refused(&[], 7, "storage_damaged");
    refused(b"a letter to a friend", 7, "storage_damaged");
    for part in [sound.len() / 3, sound.len() / 2, sound.len() - 1] {
        refused(&sound[..part], 7, "storage_damaged");
    }
    // A single bit of a sealed token, which no check of the pages finds.
    let database = format!("sqlite:{}", home.database().display());
    let pool = sqlx::SqlitePool::connect(&database).await.unwrap();
    let token: Vec<u8> = sqlx::query_scalar("SELECT refresh_token FROM grants")
        .fetch_one(&pool)
        .await
        .unwrap();
    pool.close().await;
    let at = sound
        .windows(token.len())
        .position(|it| it == token)
        .unwrap();
    let mut flipped = sound.clone();
    flipped[at + token.len() - 1] ^= 4;
    let error = refused(&flipped, 7, "backup_damaged");
    assert!(
        error["message"].as_str().unwrap().contains("alice"),
        "{error}"
    );
    // Another program's database, and another home's store.
    let foreign = home.path().join("foreign.db");
    let url = format!("sqlite:{}?mode=rwc", foreign.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let made = sqlx::raw_sql("CREATE TABLE store (id); PRAGMA user_version = 1");
    made.execute(&pool).await.unwrap();
    pool.close().await;
    refused(&fs::read(&foreign).unwrap(), 7, "storage_damaged");
    let stranger = home_of_alice(Profile::default()).await;
    let other = fs::read(backup(&stranger)).unwrap();
    let error = refused(&other, 6, "key_wrong");
    let key = fs::read_to_string(stranger.key_file()).unwrap();
    let id = key.lines().rev().nth(1).unwrap().trim_start_matches("# ");
    assert!(
        error["message"].as_str().unwrap().contains(id),
        "{error} {id}"
    );
    restore(&home, &home.database()).failed(2, "no_backup");
    restore(&home, Path::new("nowhere")).failed(2, "file_missing");

    // Somebody who has the store open is not left with a file that is not the store any more.
    let mut login = home.start(&["login", "bob", "--no-browser"]);
    login.line();
    restore(&home, &file).failed(5, "store_in_use");
    login.interrupt();
    login.wait();
    restore(&home, &file).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_written_leaves_nothing() {
    let home = home_of_alice(Profile::default()).await;
    let folder = home.path().join("closed");
    fs::create_dir(&folder).unwrap();
    if fs::metadata(&folder).unwrap().uid() != 0 {
        chmod(&folder, 0o500);
        let to = folder.join("copy");
        home.run(&["backup", to.to_str().unwrap(), "--json"])
            .failed(7, "file_io");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
    home.run(&["backup", "nowhere/copy", "--json"])
        .failed(2, "no_folder");
    let name = home.database();
    home.run(&["backup", name.to_str().unwrap(), "--force", "--json"])
        .failed(2, "file_exists");
    home.run(&["refresh", "alice"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_store_is_left_to_its_own_programs() {
    let home = Home::new().await;
    let url = "postgres://refrain:canary@127.0.0.1:1/tokens";
    let run = |args: &[&str]| Output::of(home.command(args).env("REFRAIN_STORE", url));
    let output = run(&["backup", "copy", "--json"]);
    let error = output.failed(2, "usage");
    let fix = error["fix"].as_str().unwrap();
    assert!(
        fix.contains("pg_dump") && fix.contains("--schema=refrain"),
        "{fix}"
    );
    let restored = run(&["restore", "copy", "--json"]);
    let error = restored.failed(2, "usage");
    assert!(
        error["fix"].as_str().unwrap().contains("pg_restore"),
        "{error}"
    );
    assert!(!format!("{output:?}{restored:?}").contains("canary"));
}
