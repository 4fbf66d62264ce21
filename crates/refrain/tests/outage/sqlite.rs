//! What a file does to those who rely on it.

use std::{fs, path::Path, sync::Mutex, time::Duration};

use refrain::config::StoreLocation;
use refrain::time::{Clock as _, SystemClock};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use crate::{
    disk::SmallDisk,
    tools::number,
    world::{RECOVERED, TOLD, World, outages, tell},
};

fn location(path: &Path) -> StoreLocation {
    StoreLocation::Sqlite(path.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_else_keeps_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let world = World::on(location(&path)).await;
    let other = SqliteConnectOptions::new().filename(&path);
    let other = Mutex::new(SqliteConnection::connect_with(&other).await.unwrap());
    let lock = |on: bool| {
        let statement = if on { "BEGIN EXCLUSIVE" } else { "ROLLBACK" };
        let mut other = other.lock().unwrap();
        Handle::current()
            .block_on(sqlx::raw_sql(statement).execute(&mut *other))
            .unwrap();
    };
    for _ in 0..outages() {
        world.survives("locked", &lock).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(600) else {
        return tell("full disk: may not mount a file system here");
    };
    let path = disk.folder().join("data/refrain.db");
    let world = World::on(location(&path)).await;
    let fill = |on: bool| {
        if on {
            disk.fill();
        } else {
            disk.free();
        }
    };
    for _ in 0..outages() {
        world.survives("full", &fill).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_starts_on_a_full_disk_serves_what_lives_and_heals_by_itself() {
    let Some(disk) = SmallDisk::mount(600) else {
        return tell("full disk: may not mount a file system here");
    };
    let path = disk.folder().join("data/refrain.db");
    let mut world = World::on(location(&path)).await;
    let clock = SystemClock::new();
    for _ in 0..outages() {
        world.token_life(Duration::from_secs(1));
        world.grant("bob").await.refresh().await.unwrap();
        world.token_life(Duration::from_secs(3600));
        let log = path.with_extension("db-wal");
        let at_rest = || {
            take_in(&path, &log);
            disk.fill();
        };
        world.restart(location(&path), at_rest).await;
        sleep(Duration::from_secs(1)).await;
        let (alice, bob) = (world.grant("alice").await, world.grant("bob").await);
        let asked = clock.uptime();
        for _ in 0..3 {
            alice.access_token().await.unwrap();
            let error = bob.access_token().await.unwrap_err();
            assert_eq!(error.code(), "storage_full", "{error}");
        }
        assert!(clock.uptime().since(asked) < TOLD);
        disk.free();
        let freed = clock.uptime();
        while let Err(error) = bob.access_token().await {
            assert_eq!(error.code(), "storage_full", "{error}");
            assert!(clock.uptime().since(freed) < RECOVERED);
            sleep(Duration::from_millis(10)).await;
        }
        let back = clock.uptime().since(freed);
        tell(&format!("started full: back after {back:?}"));
        world.assert_whole("started full", &[&alice, &bob]).await;
    }
}

/// Waits until a database has its log in itself. Of connections that close at the same moment each may leave
/// that to the other; then the next one that closes does it.
fn take_in(database: &Path, log: &Path) {
    for _ in 0..200 {
        if !log.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let options = SqliteConnectOptions::new().filename(database);
    let one_more = async {
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let read = sqlx::raw_sql("SELECT count(*) FROM sqlite_schema");
        read.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    Handle::current().block_on(one_more);
    assert!(!log.exists(), "the database is still open somewhere");
}

/// A refresh writes so many pages, its intent and its answer together, and some more.
const PAGES: u64 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_each_write_of_a_refresh_in_turn() {
    let Some(disk) = SmallDisk::mount(2000) else {
        return tell("full disk: may not mount a file system here");
    };
    let path = disk.folder().join("data/refrain.db");
    let world = World::on(location(&path)).await;
    let (alice, clock) = (world.grant("alice").await, SystemClock::new());
    let (mut unsent, mut waited, mut back) = (0, 0, Duration::ZERO);
    let rounds = number("REFRAIN_FULL_DISKS").unwrap_or(PAGES);
    for round in 0..rounds {
        let room = round % PAGES;
        // With an empty log there is no write that needs no room.
        world.move_log().await;
        let before = (fs::metadata(&path).unwrap().len(), world.refreshes());
        let fence = alice.row().await.unwrap().fence;
        disk.fill_but(room);
        let mut refreshing = tokio::spawn({
            let alice = alice.clone();
            async move { alice.refresh().await.map(drop) }
        });
        let ended = timeout(Duration::from_millis(150), &mut refreshing).await;
        alice.access_token().await.unwrap();
        disk.free();
        let freed = clock.uptime();
        match ended {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                assert_eq!(error.code(), "storage_full", "{room} pages left: {error}");
                assert_eq!(world.refreshes(), before.1, "presented without an intent");
                unsent += 1;
            }
            Ok(Err(panic)) => panic!("{room} pages left: {panic}"),
            Err(_) => {
                let saved = timeout(RECOVERED, refreshing).await;
                saved.unwrap().unwrap().unwrap();
                back = clock.uptime().since(freed).max(back);
                waited += 1;
            }
        }
        let intents = alice.row().await.unwrap().fence.0 - fence.0;
        assert!(world.refreshes() - before.1 <= intents, "{room} pages left");
        assert!(fs::metadata(&path).unwrap().len() >= before.0, "cut short");
        world.assert_whole("full at a write", &[&alice]).await;
    }
    tell(&format!(
        "full at a write: {rounds} refreshes, {unsent} not presented, {waited} answers waited; \
         the longest was saved {back:?} after there was room"
    ));
    assert!(unsent > 0 && waited > 0, "no write was in the way");
}
