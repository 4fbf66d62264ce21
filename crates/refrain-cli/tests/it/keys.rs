//! `refrain key`.

use serde_json::json;

use refrain_sim::Profile;

use crate::home::{Home, Output};

async fn home_of_alice_and_bob() -> Home {
    let home = Home::with(Profile::default()).await;
    home.login("alice");
    home.login("bob");
    home
}

/// The id and the secret of the key that is alone on the only line.
fn shown(output: &Output) -> (&str, &str) {
    let key = output.stdout.strip_suffix('\n').unwrap();
    parts(key)
}

fn parts(key: &str) -> (&str, &str) {
    let digits = key.strip_prefix("rfk_").unwrap();
    assert!(digits.len() == 43 && digits.bytes().all(|it| it.is_ascii_alphanumeric()));
    digits.split_at(10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_alone_and_its_record_for_ever() {
    let home = home_of_alice_and_bob().await;
    let before = home.run(&["key", "list"]).ok();
    assert!(before.stdout.is_empty() && before.stderr.contains("refrain key create"));
    assert_eq!(home.run(&["key", "list", "--json"]).ok().stdout, "[]\n");

    let created = home.run(&["key", "create", "phone", "-g", "alice"]).ok();
    let (id, secret) = shown(&created);
    assert!(!created.stderr.contains(secret), "{created:?}");
    for part in [
        "phone",
        "proxy:read",
        "alice",
        "the only time",
        "until it is revoked",
    ] {
        assert!(created.stderr.contains(part), "{part}: {created:?}");
    }
    let list = home.run(&["key", "list"]).ok();
    let lines: Vec<_> = list.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{list:?}");
    for part in [
        "NAME",
        "ID",
        "ALLOWED",
        "GRANTS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "STATUS",
    ] {
        assert!(lines[0].contains(part), "{part}: {list:?}");
    }
    for part in ["phone", id, "proxy:read", "alice", "valid"] {
        assert!(lines[1].contains(part), "{part}: {list:?}");
    }
    let listed = home.run(&["key", "list", "--json"]).ok();
    for output in [&list, &listed] {
        assert!(!output.stdout.contains(secret), "{output:?}");
        assert!(!output.stdout.contains("hash"), "{output:?}");
    }
    let listed = &listed.json()[0];
    let created_at = &listed["created_at"];
    assert!(created_at.as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "id": id,
        "name": "phone",
        "permissions": ["proxy:read"],
        "grants": ["alice"],
        "all_grants": false,
        "rewrite_links": false,
        "created_at": created_at,
        "expires_at": null,
        "last_used_at": null,
        "revoked_at": null,
        "status": "valid",
    });
    assert_eq!(*listed, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_makes_a_key_with_everything() {
    let home = home_of_alice_and_bob().await;
    let args = [
        "key",
        "create",
        "hub",
        "-g",
        "bob",
        "-g",
        "alice",
        "--allow",
        "token,proxy",
        "--allow",
        "manage",
        "--expires",
        "90d",
        "--rewrite-links",
        "--json",
    ];
    let created = home.run(&args).ok();
    assert!(created.stderr.is_empty(), "{created:?}");
    let json = created.json();
    assert_eq!(json["id"], parts(json["key"].as_str().unwrap()).0);
    assert_eq!(json["permissions"], json!(["proxy", "token", "manage"]));
    assert_eq!(json["grants"], json!(["alice", "bob"]));
    assert_eq!(
        (&json["all_grants"], &json["rewrite_links"]),
        (&json!(false), &json!(true))
    );
    let instant = |name: &str| -> jiff::Timestamp { json[name].as_str().unwrap().parse().unwrap() };
    let lifetime = instant("expires_at").duration_since(instant("created_at"));
    assert_eq!(lifetime.as_secs(), 90 * 24 * 3600);

    let args = [
        "key",
        "create",
        "all",
        "--all-grants",
        "--allow",
        "token",
        "--json",
    ];
    let all = home.run(&args).ok().json();
    assert_eq!(
        (&all["grants"], &all["all_grants"]),
        (&json!([]), &json!(true))
    );
    // One that manages needs no grant.
    let args = ["key", "create", "manager", "--allow", "manage", "--json"];
    let manager = home.run(&args).ok().json();
    assert_eq!(
        (&manager["grants"], &manager["all_grants"]),
        (&json!([]), &json!(false))
    );
    let list = home.run(&["key", "list"]).ok().stdout;
    for part in ["alice,bob", "all grants", "no grant", "proxy,token,manage"] {
        assert!(list.contains(part), "{part}: {list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_revoked_by_name_or_id_and_again_without_harm() {
    let home = home_of_alice_and_bob().await;
    let create = || home.run(&["key", "create", "phone", "-g", "alice", "--json"]);
    let first = create().ok().json();
    let taken = create().failed(2, "key_name_taken");
    assert!(
        taken["fix"]
            .as_str()
            .unwrap()
            .contains("refrain key revoke phone")
    );
    let told = home.run(&["key", "revoke", "phone"]).ok().stdout;
    assert!(
        told.contains("phone") && told.contains("is revoked"),
        "{told}"
    );
    let again = home.run(&["key", "revoke", "phone"]).ok().stdout;
    assert!(again.contains("was revoked before"), "{again}");

    let second = create().ok().json();
    let id = second["id"].as_str().unwrap();
    assert_ne!(first["id"], id);
    let json = home.run(&["key", "revoke", id, "--json"]).ok().json();
    assert_eq!(
        (&json["id"], &json["was_revoked"]),
        (&json!(id), &json!(false))
    );
    assert_eq!(json["status"], "revoked");
    let json = home.run(&["key", "revoke", id, "--json"]).ok().json();
    assert_eq!(json["was_revoked"], true);
    let list = home.run(&["key", "list", "--json"]).ok().json();
    for key in list.as_array().unwrap() {
        assert_eq!(
            (&key["name"], &key["status"]),
            (&json!("phone"), &json!("revoked"))
        );
    }
    let error = home
        .run(&["key", "revoke", "tablet", "--json"])
        .failed(2, "unknown_api_key");
    assert!(error["fix"].as_str().unwrap().contains("refrain key list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_makes_no_sense_is_not_made() {
    let home = home_of_alice_and_bob().await;
    let error = home
        .run(&["key", "create", "phone", "-g", "alice,carol", "--json"])
        .failed(2, "unknown_grant");
    assert!(error["message"].as_str().unwrap().contains("carol"));
    assert!(error["fix"].as_str().unwrap().contains("alice, bob"));
    let error = home
        .run(&["key", "create", "phone", "--json"])
        .failed(2, "usage");
    assert!(error["fix"].as_str().unwrap().contains("--all-grants"));
    for args in [
        &["phone", "-g", "alice", "--all-grants"] as &[&str],
        &["phone", "-g", "alice", "--allow", "proxy:write"],
        &["phone", "-g", "alice", "--allow", ""],
        &["phone", "-g", "alice", "--expires", "soon"],
        &["phone", "-g", "a/b"],
        &["a phone", "-g", "alice"],
        &["phone", "--allow", "token,manage"],
        &["-g", "alice"],
    ] {
        let output = home.run(&[&["key", "create"], args].concat());
        assert_eq!(output.code, 2, "{args:?} {output:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
    assert_eq!(home.run(&["key", "list", "--json"]).ok().stdout, "[]\n");
    for args in [
        &["key"] as &[&str],
        &["key", "list", "more"],
        &["key", "revoke"],
    ] {
        assert_eq!(home.run(args).code, 2, "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_could_not_be_shown_is_not_left_valid() {
    let home = home_of_alice_and_bob().await;
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = home.command(&["key", "create", "phone", "-g", "alice"]);
    let status = command
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(7));
    let list = home.run(&["key", "list", "--json"]).ok().json();
    assert_eq!(
        (&list[0]["name"], &list[0]["status"]),
        (&json!("phone"), &json!("revoked"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_that_keys_revoked_since_are_valid_again() {
    let home = home_of_alice_and_bob().await;
    for name in ["phone", "tablet", "old"] {
        home.run(&["key", "create", name, "-g", "alice"]).ok();
    }
    home.run(&["key", "revoke", "old"]).ok();
    home.run(&["backup", "copy"]).ok();
    home.run(&["key", "revoke", "phone"]).ok();
    let json = home
        .run(&["restore", "copy", "--yes", "--json"])
        .ok()
        .json();
    assert_eq!(json["keys"], json!(["phone", "tablet"]));
    let told = home.run(&["restore", "copy", "--yes"]).ok().stdout;
    for part in ["2 keys: phone, tablet.", "valid again", "refrain key list"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let list = home.run(&["key", "list", "--json"]).ok().json();
    let statuses = list.as_array().unwrap().iter().map(|key| &key["status"]);
    assert!(statuses.eq(["valid", "valid", "revoked"].iter()), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_there_were_keys_is_brought_up() {
    let home = home_of_alice_and_bob().await;
    home.run(&["backup", "copy"]).ok();
    let url = format!("sqlite:{}", home.path().join("copy").display());
    let change = async |statements: &'static str| {
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
        pool.close().await;
    };
    let restore = || home.run(&["restore", "copy", "--yes", "--json"]);
    // The layout of before had nothing of what has come since either.
    change(
        "DROP TABLE api_keys; DROP TABLE limits; DROP TABLE links; DROP TABLE sessions; DROP TRIGGER grants_news; \
         DROP INDEX grants_look_at; ALTER TABLE grants DROP COLUMN look_at; DROP TABLE told; \
         DROP TABLE notices; DROP TABLE notices_refused; DROP TABLE notices_targets; \
         DROP TABLE notices_since; ALTER TABLE store DROP COLUMN incarnation",
    )
    .await;
    restore().failed(7, "storage_damaged");
    change("PRAGMA user_version = 1").await;
    assert_eq!(restore().ok().json()["keys"], json!([]));
    home.run(&["key", "create", "phone", "-g", "alice"]).ok();
    home.run(&["token", "bob"]).ok();
}
