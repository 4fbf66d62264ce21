//! What a file does to those who rely on it.

use std::{path::Path, sync::Mutex, time::Duration};

use refrain::config::StoreLocation;
use refrain::time::{Clock as _, SystemClock};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{runtime::Handle, time::sleep};

use crate::{
    disk::SmallDisk,
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
            while log.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
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
