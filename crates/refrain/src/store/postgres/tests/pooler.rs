//! The store by way of a pooler that hands every transaction to another session.

use super::{cluster::pooler::Pooler, *};

/// What such an address needs.
const THROUGH: &str = "&statement-cache-capacity=0";

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_through_a_pooler() {
    let cluster = Cluster::start();
    let pooler = Pooler::in_front_of(&cluster);
    contract::run(|| async {
        let address = cluster.database();
        let address = pooler.url(database(&address)) + THROUGH;
        let pair: (Arc<dyn Store>, Arc<dyn Store>) = (
            Arc::new(open(&address).await),
            Arc::new(open(&address).await),
        );
        pair
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_the_address_does_not_tell_of_is_noticed() {
    let cluster = Cluster::shared();
    let pooler = Pooler::in_front_of(&cluster);
    let error = connect(&pooler.url(database(&cluster.database())))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "storage_unsuitable", "{error:?}");
    assert!(
        error.to_string().contains("statement-cache-capacity=0"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_anew_behind_a_pooler_is_used_again() {
    let cluster = Cluster::start();
    let pooler = Pooler::in_front_of(&cluster);
    let store = open(&(pooler.url(database(&cluster.database())) + THROUGH)).await;
    store.insert(&change("alice")).await.unwrap();
    let (alice, clock) = ("alice".parse().unwrap(), SystemClock::new());
    cluster.end_sessions();
    // A pooler that is about to lose its last session may turn a caller away in between.
    let ended = clock.uptime();
    while store.grant(&alice).await.is_err() {
        assert!(clock.uptime().since(ended) < Duration::from_secs(5));
    }
    cluster.stop("immediate");
    let asked = clock.uptime();
    let error = store.grant(&alice).await.unwrap_err();
    assert_eq!(error.code(), "storage_unavailable", "{error:?}");
    let error = store.insert(&change("bob")).await.unwrap_err();
    assert_eq!(error.code(), "storage_unavailable", "{error:?}");
    let waited = clock.uptime().since(asked);
    assert!(waited < Duration::from_millis(4600), "{waited:?}");
    cluster.resume();
    let resumed = clock.uptime();
    while store.grant(&alice).await.is_err() {
        assert!(clock.uptime().since(resumed) < Duration::from_secs(5));
    }
    store.insert(&change("bob")).await.unwrap();
}
