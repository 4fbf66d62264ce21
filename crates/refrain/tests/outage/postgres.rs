//! What a PostgreSQL server does to those who rely on it.

use refrain::config::{PostgresUrl, StoreLocation};

use crate::{
    cluster::Cluster,
    disk::SmallDisk,
    world::{World, outages, tell},
};

fn location(address: &str) -> StoreLocation {
    StoreLocation::Postgres(PostgresUrl::parse(address).unwrap())
}

async fn survives(what: &str, fault: impl Fn(&Cluster, bool) + Sync) {
    let cluster = Cluster::start();
    let world = World::on(location(&cluster.database())).await;
    for _ in 0..outages() {
        world.survives(what, &|on| fault(&cluster, on)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped() {
    survives("stopped", |cluster, on| {
        if on {
            cluster.stop("fast");
        } else {
            cluster.resume();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes() {
    survives("crashed", |cluster, on| {
        if on {
            cluster.stop("immediate");
        } else {
            cluster.resume();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs() {
    survives("hanging", |cluster, on| {
        if on {
            cluster.hang();
        } else {
            cluster.go_on();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes() {
    survives("read-only", Cluster::read_only).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_is_full() {
    // Of the tables alone: without room for its log the server stops, which is another test.
    let Some(disk) = SmallDisk::mount(20_000) else {
        return tell("full disk: may not mount a file system here");
    };
    crate::cluster::give_away(disk.folder());
    let cluster = Cluster::start();
    let folder = disk.folder().display();
    cluster.sql(
        "postgres",
        &format!("CREATE TABLESPACE small LOCATION '{folder}'"),
    );
    cluster.sql("postgres", "CREATE DATABASE small TABLESPACE small");
    let world = World::on(location(&cluster.url("small"))).await;
    let plain = "ALTER TABLE refrain.events SET (autovacuum_enabled = off), \
                 ALTER event SET STORAGE PLAIN";
    cluster.sql("small", plain);
    let fault = |on: bool| {
        if !on {
            return disk.free();
        }
        disk.fill();
        // What room there is in the pages of the table; what fails leaves them full all the same.
        for size in [7000, 500, 50] {
            let fill = format!(
                "INSERT INTO refrain.events SELECT 'ballast', txid_current(), n, repeat('x', {size}) \
                 FROM generate_series(1, 100000) AS n"
            );
            let filled = cluster.psql("small").args(["-c", &fill]).output().unwrap();
            assert!(!filled.status.success());
        }
    };
    for _ in 0..outages() {
        world.survives("full", &fault).await;
    }
}
