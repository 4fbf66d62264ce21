//! What a process does that cannot hear, or not all of it, what the others do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Grant,
    lifecycle::Change,
    store::{Changes, Store, StoreError, cause, contract::full_row},
};
use refrain_sim::Profile;

use crate::{
    between::{Between, Call, Watched},
    world::{World, signed_in},
};

const HEARS: u8 = 0;
/// The feed's own question takes too long.
const SLOW: u8 = 1;
/// Its answer makes no sense.
const ODD: u8 = 2;
/// The store is gone.
const GONE: u8 = 3;

/// What is wrong, and how often a row was asked for.
#[derive(Debug, Default)]
struct Ears {
    state: AtomicU8,
    reads: AtomicU64,
}

fn unavailable() -> StoreError {
    StoreError::Unavailable {
        place: "the test".to_owned(),
        source: cause("it does not answer"),
    }
}

#[async_trait]
impl Between for Ears {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match self.state.load(Ordering::SeqCst) {
            GONE => Err(unavailable()),
            _ => Ok(()),
        }
    }

    async fn heard(&self, _: &mut Changes) -> Result<(), StoreError> {
        match self.state.load(Ordering::SeqCst) {
            HEARS => Ok(()),
            ODD => Err(StoreError::Value {
                table: "grants",
                column: "epoch",
                row: "one".to_owned(),
                source: cause("no number"),
            }),
            _ => Err(unavailable()),
        }
    }
}

/// Alice, signed in; and as another process has her, with the store that this one sees.
async fn elsewhere() -> (World, Grant, Grant, Arc<Watched<Ears>>) {
    let (world, alice) = signed_in(Profile::default()).await;
    let store = Arc::new(Watched {
        inner: Arc::clone(&world.store),
        between: Ears::default(),
    });
    let seen = Arc::clone(&store) as Arc<dyn Store>;
    let other = world.another_on(&seen).grant("alice").await.unwrap();
    // Until it serves without a look.
    for _ in 0..50 {
        rest().await;
        other.access_token().await.unwrap();
    }
    (world, alice, other, store)
}

async fn rest() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn live_through(seconds: u32, world: &World) {
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        for _ in 0..10 {
            rest().await;
        }
    }
}

#[tokio::test]
async fn a_logout_is_heard_of_where_the_feed_alone_fails() {
    for state in [SLOW, ODD] {
        let (world, alice, other, store) = elsewhere().await;
        store.between.state.store(state, Ordering::SeqCst);
        live_through(20, &world).await;
        other.access_token().await.unwrap();
        alice.logout().await.unwrap();
        live_through(5, &world).await;
        let error = other.access_token().await.unwrap_err();
        assert_eq!(error.code(), "signed_out", "{state}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_store_that_answers_nothing() {
    let (world, alice, other, store) = elsewhere().await;
    store.between.state.store(GONE, Ordering::SeqCst);
    live_through(10, &world).await;
    let asked = store.between.reads.load(Ordering::SeqCst);
    for _ in 0..60 {
        live_through(1, &world).await;
        for _ in 0..20 {
            other.access_token().await.unwrap();
        }
    }
    let asked = store.between.reads.load(Ordering::SeqCst) - asked;
    assert!(asked <= 31, "the feed's own every two seconds: {asked}");
    // And once it is back, all is as before.
    alice.logout().await.unwrap();
    store.between.state.store(HEARS, Ordering::SeqCst);
    live_through(5, &world).await;
    let error = other.access_token().await.unwrap_err();
    assert_eq!(error.code(), "signed_out");
}

#[tokio::test]
async fn a_logout_is_heard_of_among_more_changes_than_anybody_counts() {
    let (world, alice, other, store) = elsewhere().await;
    let (events, forgets) = (Vec::new(), false);
    let mut change = Change {
        row: full_row("alice"),
        events,
        forgets,
    };
    for number in 0..3000 {
        let row = full_row(&format!("grant-{number}"));
        change.row = row;
        world.store.insert(&change).await.unwrap();
    }
    alice.logout().await.unwrap();
    live_through(5, &world).await;
    let error = other.access_token().await.unwrap_err();
    assert_eq!(error.code(), "signed_out");
    // One look is enough, and then the feed vouches again.
    world.login("alice").await.unwrap();
    live_through(5, &world).await;
    other.access_token().await.unwrap();
    let asked = store.between.reads.load(Ordering::SeqCst);
    for _ in 0..100 {
        other.access_token().await.unwrap();
    }
    assert_eq!(store.between.reads.load(Ordering::SeqCst), asked);
}
