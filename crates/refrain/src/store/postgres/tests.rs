//! The contract on PostgreSQL, and what only a server can suffer.

mod concurrent;
mod errors;
mod feed;
mod pooler;
mod sessions;
mod tls;

use super::*;
use crate::{
    connect::LinkId,
    random::SystemRandom,
    store::{Limits as _, Links as _, contract, contract::full_row},
    time::SystemClock,
};

#[path = "../../../tests/support/postgres.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    clippy::allow_attributes,
    reason = "shared by tests of other crates, which need other parts of it"
)]
mod cluster;
use cluster::Cluster;

fn url(text: &str) -> PostgresUrl {
    PostgresUrl::parse(text).unwrap()
}

async fn connect(address: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&url(address), &SystemClock::new(), None).await
}

async fn open(address: &str) -> PostgresStore {
    let store = connect(address).await.unwrap();
    store.prepare().await.unwrap();
    store
}

fn change(name: &str) -> Change {
    Change {
        row: full_row(name),
        events: vec![],
        forgets: false,
    }
}

async fn contract_with(parameters: &str) {
    // One of its own: the feed of changes becomes quiet only where nobody else is at work.
    let cluster = Cluster::start();
    contract::run(|| async {
        let address = cluster.database() + parameters;
        let pair: (Arc<dyn Store>, Arc<dyn Store>) = (
            Arc::new(open(&address).await),
            Arc::new(open(&address).await),
        );
        pair
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract() {
    contract_with("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract_without_a_statement_cache() {
    contract_with("&statement-cache-capacity=0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_may_prepare_a_new_database_at_once() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let address = address.clone();
        openers.spawn(async move { connect(&address).await?.prepare().await });
    }
    while let Some(opened) = openers.join_next().await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_forgets_is_refused() {
    let cluster = Cluster::shared();
    let address = cluster.database() + "&options=-c%20synchronous_commit=off";
    let error = connect(&address).await.unwrap_err();
    assert_eq!(error.code(), "storage_unsuitable");
    assert!(error.to_string().contains("synchronous_commit"), "{error}");
    let careless = Cluster::start_with(&["fsync = off"]);
    let error = connect(&careless.database()).await.unwrap_err();
    assert!(error.to_string().contains("fsync"), "{error}");
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_and_its_value_not_repeated() {
    for parameter in ["sslpassword=canary-1", "sslmode=canary-1", "port=canary-1"] {
        let address = format!("postgres://u:canary-1@db/refrain?{parameter}");
        let error = connect(&address).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert_eq!(error.code(), "storage_unsuitable", "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn what_the_server_says_is_told_apart() {
    let cluster = Cluster::shared();
    let missing = connect(&cluster.url("nowhere")).await.unwrap_err();
    assert_eq!(missing.code(), "storage_refused", "{missing:?}");
    let nobody = cluster.database().replace("refrain@", "nobody@");
    assert_eq!(
        connect(&nobody).await.unwrap_err().code(),
        "storage_refused"
    );
    let gone = "postgres://refrain@localhost/x?host=/nonexistent";
    assert_eq!(
        connect(gone).await.unwrap_err().code(),
        "storage_unavailable"
    );

    let address = cluster.database();
    let store = open(&address).await;
    let read_only = format!("{address}&options=-c%20default_transaction_read_only=on");
    let reader = connect(&read_only).await.unwrap();
    let error = reader.insert(&change("alice")).await.unwrap_err();
    assert_eq!(error.code(), "storage_read_only", "{error:?}");

    cluster.sql(database(&address), "UPDATE refrain.layout SET layout = 99");
    let error = store.prepare().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_the_first_layout_gets_the_rest_and_keeps_what_is_in_it() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let written = open(&address).await;
    written.insert(&change("alice")).await.unwrap();
    // As the first refrain has left it.
    let first = "DROP TABLE refrain.api_keys, refrain.limits, refrain.links, refrain.sessions, \
         refrain.told, refrain.notices, refrain.notices_refused, \
         refrain.notices_targets, refrain.notices_since; DROP FUNCTION refrain.is_news CASCADE; ALTER TABLE refrain.grants DROP COLUMN look_at; \
         ALTER TABLE refrain.store DROP COLUMN incarnation; \
         UPDATE refrain.layout SET layout = 1";
    cluster.sql(database(&address), first);
    let store = connect(&address).await.unwrap();
    assert!(store.limits().await.is_err());
    store.prepare().await.unwrap();
    assert_eq!(store.limits().await.unwrap(), []);
    let link = LinkId::parse("NobodysLnk").unwrap();
    assert_eq!(store.link(&link).await.unwrap(), None);
    assert_eq!(store.grants(None, 10).await.unwrap().len(), 1);
}

/// The name of the database of an address.
fn database(address: &str) -> &str {
    address.split(['/', '?']).nth(3).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_wakes_another_node_also_after_a_failover() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let (one, other) = (open(&address).await, open(&address).await);
    hears(&one, &other).await;
    cluster.end_sessions();
    hears(&one, &other).await;
}

async fn hears(one: &PostgresStore, other: &PostgresStore) {
    let mut hints = other.hints().unwrap();
    // Until the listener listens, hints are lost, as they may be.
    let heard = async {
        for number in 0.. {
            // The first write after a failover may meet a session that is gone.
            drop(one.insert(&change(&format!("grant-{number}"))).await);
            let heard = tokio::time::timeout(Duration::from_millis(50), hints.changed());
            if heard.await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_death_of_a_process_on_this_machine_is_noticed() {
    let cluster = Cluster::shared();
    let (address, clock) = (url(&cluster.database()), SystemClock::new());
    let folder = tempfile::tempdir().unwrap();
    let open = || PostgresStore::open(&address, &clock, Some(folder.path().join("instances")));
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    let instance = InstanceId::random(&SystemRandom).unwrap();
    one.announce(instance).await.unwrap();
    assert_eq!(other.liveness(instance).await.unwrap(), Liveness::MayRun);
    // What a killed process leaves: its file, and no lock on it. Of another machine's nothing is known.
    let dead = InstanceId::random(&SystemRandom).unwrap();
    let file = |boot: u128| {
        let name = format!("{boot:032x}-{dead}");
        std::fs::write(folder.path().join("instances").join(name), "").unwrap();
    };
    file(clock.boot().0 ^ 1);
    assert_eq!(other.liveness(dead).await.unwrap(), Liveness::MayRun);
    file(clock.boot().0);
    assert_eq!(other.liveness(dead).await.unwrap(), Liveness::Dead);
}
