//! The feed of changes.

use std::{sync::Arc, time::Duration};

use super::fixture::{Shared, change, full_row, name};
use crate::{
    id::Minting,
    store::{Changed, Changes, Mark, Version, Written},
};

/// What one hears, who has heard up to a mark; and on from there.
async fn told(store: &Shared, mark: &mut Mark) -> Vec<Changed> {
    let (changes, next) = store.changes(Some(mark), 1000).await.unwrap();
    *mark = next;
    match changes {
        Changes::These(told) => told,
        Changes::Any => panic!("there were fewer"),
    }
}

pub(super) async fn changes_are_told_and_none_is_left_out((one, other): (Shared, Shared)) {
    let mut row = full_row("alice");
    one.insert(&change(row.clone())).await.unwrap();
    let (first, mut mark) = other.changes(None, 1000).await.unwrap();
    assert_eq!(first, Changes::These(vec![]), "it is a beginning");
    let mut version = Version(1);
    // Neither an intent nor a fault is news to the others.
    row.fence = row.fence.next();
    for (step, news) in [(0, false), (1, true), (2, true), (0, false), (1, true)] {
        match step {
            0 => row.intent = None,
            1 => row.minting = row.minting.next(),
            _ => row.epoch = row.epoch.next(),
        }
        let Written::Durably(next) = one.replace(version, &change(row.clone())).await.unwrap()
        else {
            panic!("a conflict with nobody");
        };
        version = next;
        let told = told(&other, &mut mark).await;
        let expected = Changed {
            name: row.name.clone(),
            epoch: row.epoch,
            minting: row.minting,
        };
        assert!(!news || told.contains(&expected), "step {step}: {told:?}");
    }
    one.insert(&change(full_row("bob"))).await.unwrap();
    let bob = told(&other, &mut mark).await;
    assert!(bob.iter().any(|it| it.name == name("bob")));
    // With nothing going on it becomes quiet; what goes on elsewhere on a server counts too.
    for _ in 0..1000 {
        if told(&one, &mut mark).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the same changes are told over and over");
}

/// Writers that overlap: what commits late must not be passed over by a reader who was there early.
pub(super) async fn no_change_of_many_writers_is_left_out((one, other): (Shared, Shared)) {
    let (_, mut mark) = other.changes(None, 1000).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        writers.spawn(async move {
            let row = full_row(&format!("grant-{number}"));
            store.insert(&change(row.clone())).await.unwrap();
            let mut next = row;
            next.minting = next.minting.next();
            store.replace(Version(1), &change(next)).await.unwrap();
        });
    }
    let mut newest = std::collections::BTreeMap::new();
    let mut over = false;
    loop {
        for it in told(&other, &mut mark).await {
            let seen = newest.entry(it.name).or_insert(it.minting);
            *seen = it.minting.max(*seen);
        }
        if over {
            break;
        }
        tokio::select! {
            biased;
            ended = writers.join_next() => over = ended.map(Result::unwrap).is_none(),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(newest.len(), 40);
    assert!(newest.values().all(|minting| *minting == Minting(5)));
}

pub(super) async fn more_changes_than_are_asked_for_are_not_told_one_by_one(
    (one, other): (Shared, Shared),
) {
    let (_, mark) = other.changes(None, 3).await.unwrap();
    for number in 0..3 {
        let row = full_row(&format!("grant-{number}"));
        one.insert(&change(row)).await.unwrap();
    }
    let (all, _) = other.changes(Some(&mark), 3).await.unwrap();
    assert!(matches!(all, Changes::These(told) if told.len() == 3));
    one.insert(&change(full_row("one-more"))).await.unwrap();
    let (many, mut next) = other.changes(Some(&mark), 3).await.unwrap();
    assert_eq!(many, Changes::Any);
    // And from there on as if they had been told.
    let row = full_row("later");
    one.insert(&change(row.clone())).await.unwrap();
    assert!(
        told(&other, &mut next)
            .await
            .iter()
            .any(|it| it.name == row.name)
    );
}
