//! What disks and files do: full, read-only, cut short, swapped, foreign. Each gives its own code, none
//! loses anything, and none sends anybody to a login.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use refrain_sim::{Action, EventKind, Fault, Profile, Rotation, Target, fingerprint};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    kill::{MODES, Victim},
    tools::{tell, until, write_private},
    world::{Home, Ran, World, finish},
};

/// The user `nobody`, where the tests run as root and need somebody with fewer rights.
const NOBODY: u32 = 65534;

fn strict() -> World {
    World::new(Profile::rotating(Rotation::FamilyKill))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Every file of the store, by name, with the fingerprint of what is in it. An empty log, and the index
/// beside it, come and go with every reader.
fn files(home: &Home) -> Vec<(PathBuf, usize, String)> {
    let folder = home.db.parent().unwrap();
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let stays = |path: &PathBuf| path.is_file() && !path.ends_with("refrain.db-shm");
    let mut files: Vec<_> = entries
        .filter(stays)
        .map(|path| (fs::read(&path).unwrap(), path))
        .filter(|(bytes, _)| !bytes.is_empty())
        .map(|(bytes, path)| (path, bytes.len(), fingerprint(&format!("{bytes:?}"))))
        .collect();
    files.sort();
    files
}

/// What the store says, whether in its file or still in its log; read from a copy.
fn rows(world: &World, home: &Home) -> Vec<String> {
    let aside = tempfile::tempdir().unwrap();
    let copy = aside.path().join("refrain.db");
    fs::copy(&home.db, &copy).unwrap();
    // There is none where the store is at rest.
    drop(fs::copy(
        home.db.with_extension("db-wal"),
        copy.with_extension("db-wal"),
    ));
    world.runtime.block_on(async {
        let mut connection = connect(&copy).await;
        let all = "SELECT json_array(id, version, name, hex(data_key), hex(refresh_token),
                 hex(access_token), armed, rest) FROM grants
             UNION ALL SELECT json_array(grant_id, version, place, event) FROM events
             UNION ALL SELECT json_array(id, attempt) FROM attempts";
        let rows = sqlx::query_scalar(all)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows
    })
}

async fn connect(db: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(db);
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn sign_in(world: &World, home: &Home, names: &[&str]) {
    for name in names {
        world.login(home, name);
    }
    rest(world, home);
}

/// Whoever closes the store last takes its log away; of two that close at once neither may.
fn rest(world: &World, home: &Home) {
    until("the store is at rest", || {
        sql(world, home, "PRAGMA wal_checkpoint(TRUNCATE)");
        !home.db.with_extension("db-wal").exists()
    });
}

/// Runs SQL on the store, as somebody would who thinks he knows better.
fn sql(world: &World, home: &Home, statement: &str) {
    world.runtime.block_on(async {
        let mut connection = connect(&home.db).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// Nothing was lost: the next refresh works, and the provider has never had to refuse one.
#[track_caller]
fn assert_nothing_lost(world: &World, home: &Home, name: &str) {
    home.run(&["--json", "refresh", name]).assert_done();
    assert_eq!(world.sim.counts().refused, 0);
}

/// It says what to do, and that is not a login.
#[track_caller]
fn assert_no_login_asked_for(ran: &Ran) {
    for word in ["log in", "login", "reauthorize"] {
        assert!(!ran.stderr.contains(word), "{word:?} in {ran:?}");
    }
}

#[test]
fn a_database_that_a_killed_process_left_behind_opens_and_goes_on() {
    for (mode, rotation) in MODES {
        let world = World::new(Profile::rotating(rotation));
        let home = world.home();
        let victim = Victim::new(&world, &home, "alice");
        let since = world.newest();
        world
            .sim
            .script(Fault::once(Target::TokenRefresh, Action::Hang));
        let mut child = victim.refresh_command().spawn().unwrap();
        world.wait_for_script();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            fs::metadata(home.db.with_extension("db-wal"))
                .unwrap()
                .len()
                > 0,
            "{mode}"
        );
        let listed = home.run(&["--json", "list"]);
        listed.assert_done();
        assert_eq!(listed.json()[0]["grant"], "alice", "{mode}");
        home.run(&["--json", "why", "alice"]).assert_done();
        assert_nothing_lost(&world, &home, "alice");
        assert!(!world.calls_since(since, victim.grant()).is_empty());
    }
}

// === A disk without room ===

/// A file system of its own with little room; unmounted at the end.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(home: &mut Home) -> Option<Self> {
        let folder = home.path().join("small");
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        let disk = Self { folder };
        if !mounted.is_ok_and(|status| status.success()) {
            std::mem::forget(disk);
            return None;
        }
        home.move_store(disk.folder.join("data/refrain.db"));
        Some(disk)
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("ballast")).unwrap();
        for size in [4096, 1] {
            while std::io::Write::write(&mut file, &vec![1; size]).is_ok_and(|written| written > 0)
            {
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still runs there after a failed test must not keep it.
        drop(Command::new("umount").arg("-l").arg(&self.folder).status());
    }
}

/// Says so, and runs the command where no file may grow beyond what it is: not the same as a disk
/// without room, but as near as an ordinary user comes.
fn without_mounting(world: &World, home: &Home) {
    tell("full disk: may not mount a file system here; limiting the size of files instead");
    sign_in(world, home, &["alice"]);
    let before = world.sim.counts().refreshes;
    let mut command = Command::new("sh");
    let refrain = home.command(&["--json", "refresh", "alice"]);
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(refrain.get_program())
        .args(refrain.get_args())
        .envs(
            refrain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ran = finish(command.spawn().unwrap());
    assert_eq!(ran.exit, Some(7), "{ran:?}");
    assert_no_login_asked_for(&ran);
    assert_eq!(
        world.sim.counts().refreshes,
        before,
        "presented without a durable intent"
    );
    assert_nothing_lost(world, home, "alice");
}

#[test]
fn a_full_disk_keeps_the_token_unpresented() {
    let world = strict();
    let mut home = world.home();
    let Some(disk) = SmallDisk::mount(&mut home) else {
        return without_mounting(&world, &home);
    };
    sign_in(&world, &home, &["alice"]);
    let before = world.sim.counts().refreshes;
    disk.fill();
    let ran = home.run(&["--json", "refresh", "alice"]);
    ran.assert_fails(7, "storage_full");
    assert!(ran.stderr.contains("small/data/refrain.db"), "{ran:?}");
    assert_no_login_asked_for(&ran);
    assert_eq!(
        world.sim.counts().refreshes,
        before,
        "presented without a durable intent"
    );
    disk.free();
    assert_nothing_lost(&world, &home, "alice");
}

#[test]
fn a_token_that_lives_is_served_from_a_disk_that_has_no_room_to_open_the_store() {
    let world = strict();
    let mut home = world.home();
    let Some(disk) = SmallDisk::mount(&mut home) else {
        return tell("full disk: may not mount a file system here; nothing comes near to that");
    };
    sign_in(&world, &home, &["alice"]);
    let token = home.run(&["--json", "token", "alice"]).access_token();
    rest(&world, &home);
    disk.fill();
    let before = world.newest();
    for _ in 0..3 {
        let ran = home.run(&["--json", "token", "alice"]);
        ran.assert_done();
        assert_eq!(ran.access_token(), token);
        let ran = home.run(&["--json", "refresh", "alice"]);
        ran.assert_fails(7, "storage_full");
        assert_no_login_asked_for(&ran);
    }
    assert_eq!(world.newest(), before, "something was sent");
    disk.free();
    assert_nothing_lost(&world, &home, "alice");
    assert_ne!(
        home.run(&["--json", "token", "alice"]).access_token(),
        token
    );
}

/// A refresh whose answer finds no room. The disk is full for so long after the answer.
fn full_at_the_commit(full_for: Duration) -> Option<(Ran, World, Home, SmallDisk)> {
    let world = strict();
    let mut home = world.home();
    let disk = SmallDisk::mount(&mut home)?;
    sign_in(&world, &home, &["alice"]);
    let since = world.newest();
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let child = home
        .command(&["--json", "refresh", "alice"])
        .spawn()
        .unwrap();
    world.wait_for(since, |event| matches!(event.kind, EventKind::Held { .. }));
    disk.fill();
    world.sim.release();
    thread::sleep(full_for);
    disk.free();
    Some((finish(child), world, home, disk))
}

#[test]
fn a_disk_that_is_full_for_a_moment_when_the_answer_comes_costs_nothing() {
    let Some((ran, world, home, _disk)) = full_at_the_commit(Duration::from_secs(3)) else {
        return tell(
            "full disk: may not mount a file system here; see the test of the limited file size",
        );
    };
    ran.assert_done();
    assert_nothing_lost(&world, &home, "alice");
    assert_eq!(world.sim.counts().refreshes, 2);
}

#[test]
fn a_disk_that_is_full_for_longer_than_anybody_waits_is_named_and_the_answer_saved_behind_it() {
    let Some((ran, world, home, _disk)) = full_at_the_commit(Duration::from_secs(18)) else {
        return tell(
            "full disk: may not mount a file system here; see the test of the limited file size",
        );
    };
    ran.assert_fails(7, "storage_not_saved");
    assert_no_login_asked_for(&ran);
    assert_nothing_lost(&world, &home, "alice");
    assert_eq!(world.sim.counts().refreshes, 2);
}

// === Files that may not be written ===

#[test]
fn a_folder_that_may_not_be_written_is_named_and_nothing_presented() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice"]);
    let before = (world.sim.counts(), files(&home));
    let folder = home.db.parent().unwrap();
    if is_root() {
        chown(home.path(), NOBODY);
    }
    fs::set_permissions(&home.db, fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        finish(command.spawn().unwrap())
    };
    for args in [
        ["--json", "refresh", "alice"],
        ["--json", "logout", "alice"],
    ] {
        let ran = run(&args);
        ran.assert_fails(7, "storage_read_only");
        assert!(
            ran.stderr.contains(&home.db.display().to_string()),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("writable"), "{ran:?}");
        assert_no_login_asked_for(&ran);
    }
    assert_eq!((world.sim.counts(), files(&home)), before);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&home.db, fs::Permissions::from_mode(0o600)).unwrap();
    run(&["--json", "refresh", "alice"]).assert_done();
    assert_eq!(world.sim.counts().refused, 0);
}

fn chown(path: &Path, owner: u32) {
    std::os::unix::fs::chown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            chown(&entry.unwrap().path(), owner);
        }
    }
}

// === Files that are not what they were ===

#[test]
fn a_file_that_was_cut_short_is_named_and_left_alone() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice", "bob", "carol"]);
    let whole = fs::read(&home.db).unwrap();
    let requests = world.newest();
    for cut in [
        whole.len() / 2,
        whole.len() / 2 + 1000,
        4096,
        5000,
        1000,
        100,
        10,
    ] {
        for command in ["refresh", "token", "why", "logout"] {
            fs::write(&home.db, &whole[..cut]).unwrap();
            let before = files(&home);
            let ran = home.run(&["--json", command, "alice"]);
            assert_eq!(
                (ran.exit, ran.code().as_str()),
                (Some(7), "storage_damaged"),
                "{command}, {cut}: {ran:?}"
            );
            assert_no_login_asked_for(&ran);
            assert_eq!(files(&home), before, "{command}, {cut}");
        }
    }
    assert_eq!(world.newest(), requests, "something was sent");
    fs::write(&home.db, &whole).unwrap();
    assert_nothing_lost(&world, &home, "alice");
}

#[test]
fn a_sealed_column_of_another_grant_is_never_taken_for_its_own() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice", "bob", "carol"]);
    let whole = fs::read(&home.db).unwrap();
    for column in ["refresh_token", "access_token", "data_key"] {
        let swap = format!(
            "CREATE TEMP TABLE was AS SELECT name, {column} AS it FROM grants;
             UPDATE grants SET {column} = (SELECT it FROM was WHERE was.name =
                 CASE grants.name WHEN 'alice' THEN 'bob' ELSE 'alice' END)
             WHERE name IN ('alice', 'bob');"
        );
        sql(&world, &home, &swap);
        let before = (world.newest(), fs::read(&home.db).unwrap());
        for name in ["alice", "bob"] {
            let ran = home.run(&["--json", "refresh", name]);
            assert_eq!(
                (ran.exit, ran.code().as_str()),
                (Some(7), "sealed_row"),
                "{column}: {ran:?}"
            );
            assert!(ran.stderr.contains(name), "{column}: {ran:?}");
        }
        if column != "refresh_token" {
            let ran = home.run(&["--json", "token", "alice"]);
            assert_eq!(
                (ran.exit, ran.code().as_str()),
                (Some(7), "sealed_row"),
                "{column}: {ran:?}"
            );
        }
        assert_eq!(
            (world.newest(), fs::read(&home.db).unwrap()),
            before,
            "{column}: touched or sent"
        );
        home.run(&["--json", "list"]).assert_done();
        home.run(&["--json", "token", "carol"]).assert_done();
        home.run(&["--json", "refresh", "carol"]).assert_done();
        sql(&world, &home, &swap);
    }
    // Put back, all of them work.
    assert_ne!(fs::read(&home.db).unwrap(), whole, "carol was refreshed");
    for name in ["alice", "bob", "carol"] {
        assert_nothing_lost(&world, &home, name);
    }
}

#[test]
fn a_blob_of_the_same_grant_from_another_time_is_not_taken_either() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice"]);
    sql(
        &world,
        &home,
        "CREATE TABLE older AS SELECT refresh_token, access_token, data_key FROM grants",
    );
    home.run(&["--json", "refresh", "alice"]).assert_done();
    let requests = world.newest();
    for column in ["refresh_token", "access_token"] {
        let keep = format!(
            "ALTER TABLE older ADD COLUMN new_{column} BLOB;
             UPDATE older SET new_{column} = (SELECT {column} FROM grants);
             UPDATE grants SET {column} = (SELECT {column} FROM older);"
        );
        sql(&world, &home, &keep);
        let ran = home.run(&["--json", "refresh", "alice"]);
        assert_eq!(
            (ran.exit, ran.code().as_str()),
            (Some(7), "sealed_row"),
            "{column}: {ran:?}"
        );
        sql(
            &world,
            &home,
            &format!("UPDATE grants SET {column} = (SELECT new_{column} FROM older)"),
        );
    }
    assert_eq!(world.newest(), requests, "something was sent");
    assert_nothing_lost(&world, &home, "alice");
}

// === Keys that are not the right one ===

#[test]
fn a_key_that_is_not_the_right_one_is_named_before_anything_is_written_or_sent() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice"]);
    let stranger = world.home();
    world.login(&stranger, "bob");
    let own = fs::read_to_string(&home.key).unwrap();
    let id = key_id(&own);
    let foreign = fs::read_to_string(&stranger.key).unwrap();
    let garbled: String = own.replace("rfmk1_", "rfmk1_!");
    let before = (world.newest(), files(&home));
    let cases = [
        ("foreign", Some(foreign), "key_wrong"),
        ("absent", None, "key_missing"),
        ("garbled", Some(garbled), "key_file_line"),
        ("empty", Some(String::new()), "key_file_empty"),
    ];
    for (case, text, code) in cases {
        for command in ["refresh", "token", "list", "logout"] {
            fs::remove_file(&home.key).unwrap_or_default();
            if let Some(text) = &text {
                write_private(&home.key, text);
            }
            let args = ["--json", command, "alice"];
            let ran = home.run(if command == "list" { &args[..2] } else { &args });
            assert_eq!(
                (ran.exit, ran.code().as_str()),
                (Some(6), code),
                "{case}, {command}: {ran:?}"
            );
            assert!(
                ran.stderr.contains(&home.key.display().to_string()),
                "{case}: {ran:?}"
            );
            if matches!(case, "foreign" | "absent") {
                assert!(
                    ran.stderr.contains(&id),
                    "{case}: {id} is not named in {ran:?}"
                );
            }
            assert_eq!(
                (world.newest(), files(&home)),
                before,
                "{case}, {command}: written or sent"
            );
            assert_eq!(
                fs::read_to_string(&home.key).ok(),
                text,
                "{case}: the key file was touched"
            );
        }
    }
    write_private(&home.key, &own);
    fs::set_permissions(&home.key, fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["--json", "refresh", "alice"])
        .assert_fails(6, "key_file_mode");
    assert_eq!((world.newest(), files(&home)), before);
    fs::set_permissions(&home.key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_nothing_lost(&world, &home, "alice");
}

#[test]
fn a_wrong_key_changes_nothing_that_a_killed_process_left_behind() {
    let world = strict();
    let home = world.home();
    let victim = Victim::new(&world, &home, "alice");
    world
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::Hang));
    let mut child = victim.refresh_command().spawn().unwrap();
    world.wait_for_script();
    child.kill().unwrap();
    child.wait().unwrap();
    let stranger = world.home();
    world.login(&stranger, "bob");
    let own = fs::read_to_string(&home.key).unwrap();
    let before = (world.newest(), rows(&world, &home));
    assert_eq!(
        before.1.len(),
        3,
        "a grant, its login and its refresh: {:?}",
        before.1
    );
    assert!(before.1[0].contains("fence"), "the intent: {:?}", before.1);
    write_private(&home.key, &fs::read_to_string(&stranger.key).unwrap());
    home.run(&["--json", "refresh", "alice"])
        .assert_fails(6, "key_wrong");
    // SQLite may have moved the log into the file; what both say together is the same.
    assert_eq!((world.newest(), rows(&world, &home)), before);
    write_private(&home.key, &own);
    assert_nothing_lost(&world, &home, "alice");
}

/// The name of a key, as its file says it.
fn key_id(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().find(is_id).unwrap().to_owned()
}

// === Places that are not the right one ===

#[test]
fn a_store_of_a_newer_refrain_is_named_and_left_alone() {
    let world = strict();
    let home = world.home();
    sign_in(&world, &home, &["alice"]);
    sql(&world, &home, "PRAGMA user_version = 99");
    let before = (world.newest(), files(&home));
    for command in ["refresh", "token", "logout"] {
        let ran = home.run(&["--json", command, "alice"]);
        ran.assert_fails(7, "storage_newer");
        assert_no_login_asked_for(&ran);
        assert_eq!((world.newest(), files(&home)), before, "{command}");
    }
    sql(&world, &home, "PRAGMA user_version = 7");
    assert_nothing_lost(&world, &home, "alice");
}

#[test]
fn a_configuration_that_is_not_there_and_a_store_that_is_a_folder_are_named() {
    let world = strict();
    let mut home = world.home();
    sign_in(&world, &home, &["alice"]);
    let requests = world.newest();
    let folder = home.path().join("folder");
    fs::create_dir(&folder).unwrap();
    home.move_store(folder.clone());
    let ran = home.run(&["--json", "refresh", "alice"]);
    ran.assert_fails(7, "storage_unsuitable");
    assert!(
        ran.stderr.contains(&folder.display().to_string()),
        "{ran:?}"
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::remove_file(&home.config).unwrap();
    let ran = home.run(&["--json", "refresh", "alice"]);
    assert_eq!(ran.exit, Some(6), "{ran:?}");
    assert!(
        ran.stderr.contains(&home.config.display().to_string()),
        "{ran:?}"
    );
    assert_eq!(world.newest(), requests);
}
