//! A store with a million grants: how long it takes to open, and how much memory a process needs with
//! none of them in use, and with all.
//!
//! Each figure comes from a process of its own, which opens the store as any program does.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use refrain::{
    Config, Refrain,
    config::{KeySource, PostgresUrl, StoreLocation},
    id::{Epoch, GrantId},
    lifecycle::{
        Change, GrantRow, Status,
        row::{Access, Consent, Tokens},
    },
    provider::Provider,
    random::SystemRandom,
    seal::{Field, Owner},
    store::Written,
    time::{Deadline, UnixMillis},
};
use tokio::task::JoinSet;

use crate::cluster::Cluster;

/// How many writes are under way at once while the store is filled.
const FILLING: u32 = 1024;
const READING: u32 = 64;

pub async fn run(grants: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("master.key");
    let file = StoreLocation::Sqlite(folder.path().join("refrain.db"));
    on("SQLite", &file, &key, grants).await;
    let cluster = Cluster::start();
    let url = PostgresUrl::parse(&cluster.database()).expect("an address");
    let key = folder.path().join("other.key");
    on("PostgreSQL", &StoreLocation::Postgres(url), &key, grants).await;
}

async fn on(engine: &str, place: &StoreLocation, key: &Path, grants: u32) {
    let refrain = open(place.clone(), key).await;
    let begin = Instant::now();
    fill(&refrain, grants).await;
    println!(
        "{engine}: {grants} grants written in {:.0?}",
        begin.elapsed()
    );
    drop(refrain);
    let address = match place {
        StoreLocation::Postgres(url) => url.expose().to_owned(),
        other => other.to_string(),
    };
    for what in ["open", "hot"] {
        // The address is a socket on this machine, or a file; it holds no password.
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["million-child", what, &grants.to_string(), &address])
            .arg(key)
            .status();
        assert!(child.expect("a process").success());
    }
}

/// In a process of its own: opens the store, and measures.
pub async fn child(what: &str, grants: u32, address: &str, key: &Path) {
    let place = match address.strip_prefix("sqlite:") {
        Some(path) => StoreLocation::Sqlite(path.into()),
        None => StoreLocation::Postgres(PostgresUrl::parse(address).expect("an address")),
    };
    let empty = resident();
    let begin = Instant::now();
    let refrain = open(place, key).await;
    let opened = begin.elapsed();
    let first = refrain.grant("user-7").await.expect("a grant");
    first.access_token().await.expect("a token");
    println!(
        "  opened in {opened:.1?}, first token after {:.1?}",
        begin.elapsed()
    );
    if what == "open" {
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!(
            "  memory with the schedule only: {} MiB",
            (resident() - empty) / 1024
        );
        return;
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for lane in 0..READING {
        let refrain = refrain.clone();
        tasks.spawn(async move {
            for number in (lane..grants).step_by(READING as usize) {
                let grant = refrain
                    .grant(&format!("user-{number}"))
                    .await
                    .expect("a grant");
                grant.access_token().await.expect("a token");
            }
        });
    }
    tasks.join_all().await;
    println!(
        "  memory with every token hot: {} MiB, after {:.0?} of reading",
        (resident() - empty) / 1024,
        begin.elapsed()
    );
}

/// The resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

async fn open(place: StoreLocation, key: &Path) -> Refrain {
    let provider = Provider {
        accounts: "http://127.0.0.1:9".parse().expect("a URL"),
        api: "http://127.0.0.1:9".parse().expect("a URL"),
        revocation: None,
    };
    let config = Config::new(place, KeySource::File(key.to_owned()), provider);
    Refrain::open(config).await.expect("a store")
}

async fn fill(refrain: &Refrain, grants: u32) {
    let mut tasks = JoinSet::new();
    for lane in 0..FILLING.min(grants) {
        let refrain = refrain.clone();
        tasks.spawn(async move {
            for number in (lane..grants).step_by(FILLING as usize) {
                let change = Change {
                    row: row(&refrain, number),
                    events: Vec::new(),
                    forgets: false,
                };
                let written = refrain
                    .parts()
                    .store
                    .insert(&change)
                    .await
                    .expect("a write");
                assert!(matches!(written, Written::Durably(_)));
            }
        });
    }
    tasks.join_all().await;
}

/// A grant with tokens as long as Spotify's.
fn row(refrain: &Refrain, number: u32) -> GrantRow {
    let parts = refrain.parts();
    let now = parts.clock.now();
    let id = GrantId::random(&SystemRandom).expect("randomness");
    let name = format!("user-{number}").parse().expect("a name");
    let owner = Owner {
        id: &id,
        name: &name,
        epoch: Epoch(1),
    };
    let (key, data_key) = parts
        .sealer
        .new_data_key(&owner, &SystemRandom)
        .expect("a key");
    let sealed = |field, text: &str| key.seal(field, 0, text, &SystemRandom).expect("a seal");
    let (app, client) = (
        "default".parse().expect("a name"),
        "client".parse().expect("an id"),
    );
    let life = Duration::from_secs(3600);
    GrantRow {
        epoch: Epoch(1),
        status: Status::Active,
        consent: Some(Consent {
            authorized_at: now.wall,
            reauthorize_by: UnixMillis(now.wall.0 + 15_552_000_000),
            latest: None,
        }),
        scope: "user-read-private user-read-recently-played"
            .parse()
            .expect("a scope"),
        tokens: Some(Tokens {
            data_key,
            refresh: sealed(Field::RefreshToken, &format!("AQ{number:0>129}")),
            access: Some(Access {
                sealed: sealed(Field::AccessToken, &format!("BQ{number:0>200}")),
                expires: Deadline::after(&now, life),
                life_millis: 3_600_000,
            }),
        }),
        ..GrantRow::blank(id, name, app, client, now.wall)
    }
}
