//! Two nodes at work on the same rows: nobody's write is lost, none wins twice, and nobody waits for
//! ever.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::*;
use crate::id::Fence;

const GRANTS: u64 = 50;

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn name(number: u64) -> GrantName {
    format!("grant-{number:02}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_in_opposite_orders_lose_no_write_and_never_block_one_another() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let stores = [
        Arc::new(open(&address).await),
        Arc::new(open(&address).await),
    ];
    for number in 0..GRANTS {
        stores[0]
            .insert(&change(&name(number).to_string()))
            .await
            .unwrap();
    }
    let before = full_row("alice").fence.0;
    let acknowledged: Arc<Vec<AtomicU64>> =
        Arc::new((0..GRANTS).map(|_| AtomicU64::new(0)).collect());
    let mut tasks = JoinSet::new();
    for task in 0..128_u64 {
        let (store, acknowledged) = (
            Arc::clone(&stores[place(task % 2)]),
            Arc::clone(&acknowledged),
        );
        tasks.spawn(async move {
            for step in 0..12 {
                let step = (task / 2 * 7 + step) % GRANTS;
                // One node goes up, the other down, so that their batches overlap the wrong way round.
                let number = if task % 2 == 0 {
                    step
                } else {
                    GRANTS - 1 - step
                };
                let seen = store.grant(&name(number)).await.unwrap().unwrap();
                let mut next = seen.value;
                next.fence = Fence(next.fence.0 + 1);
                let change = Change {
                    row: next,
                    events: vec![],
                    forgets: false,
                };
                if store.replace(seen.version, &change).await.unwrap() != Written::Conflict {
                    acknowledged[place(number)].fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let mut total = 0;
    for number in 0..GRANTS {
        let row = stores[1].grant(&name(number)).await.unwrap().unwrap();
        let counted = acknowledged[place(number)].load(Ordering::Relaxed);
        assert_eq!(row.value.fence.0 - before, counted, "{number}");
        assert_eq!(row.version.0 - 1, counted, "{number}");
        total += counted;
    }
    assert!(total > 300, "{total} of 1536 won");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_insert_the_same_names_do_not_wait_for_one_another() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let stores = [
        Arc::new(open(&address).await),
        Arc::new(open(&address).await),
    ];
    let mut tasks = JoinSet::new();
    for task in 0..400_u64 {
        let store = Arc::clone(&stores[place(task % 2)]);
        let number = if task % 2 == 0 {
            task / 2
        } else {
            199 - task / 2
        };
        tasks.spawn(async move {
            let row = change(&format!("grant-{number:03}"));
            store.insert(&row).await.unwrap() != Written::Conflict
        });
    }
    let mut won = 0;
    while let Some(ended) = tasks.join_next().await {
        won += usize::from(ended.unwrap());
    }
    assert_eq!(won, 200);
    let log = std::fs::read_to_string(cluster.socket().join("log")).unwrap();
    assert!(!log.contains("deadlock"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_can_never_be_written_takes_nobody_with_it() {
    let cluster = Cluster::shared();
    let store = Arc::new(open(&cluster.database()).await);
    store.insert(&change("alice")).await.unwrap();
    let bob = full_row("bob");
    store
        .insert(&Change {
            row: bob.clone(),
            events: vec![],
            forgets: false,
        })
        .await
        .unwrap();
    // A name that is another's; the protocol never does that.
    let mut poison = bob;
    poison.name = "alice".parse().unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let (store, poison) = (Arc::clone(&store), poison.clone());
        tasks.spawn(async move {
            if number == 7 {
                let change = Change {
                    row: poison,
                    events: vec![],
                    forgets: false,
                };
                let error = store.replace(Version(1), &change).await.unwrap_err();
                assert_eq!(error.code(), "storage_damaged", "{error:?}");
            } else {
                let written = store
                    .insert(&change(&format!("new-{number}")))
                    .await
                    .unwrap();
                assert_ne!(written, Written::Conflict);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
