//! The store's identity, and the rotation of its key.

use super::fixture::{Shared, change, empty_row, full_row, sealed};
use crate::{
    lifecycle::GrantRow,
    random::SystemRandom,
    seal::{DeploymentId, Field, Key, KeyCheck, Place},
    store::{Identity, Written},
};

pub(super) async fn the_key_check_is_compared_and_set((one, other): (Shared, Shared)) {
    let check = |number| KeyCheck(sealed(number));
    let identity = Identity {
        deployment: DeploymentId(1),
        key_check: check(1),
    };
    one.found(identity).await.unwrap();
    let replaced = other.replace_key_check(&check(1), &check(2)).await.unwrap();
    assert!(matches!(replaced, Written::Durably(_)));
    let late = one.replace_key_check(&check(1), &check(3)).await.unwrap();
    assert_eq!(late, Written::Conflict);
    let kept = one.identity().await.unwrap().unwrap();
    assert_eq!(kept.key_check, check(2));
}

pub(super) async fn rows_under_another_key_are_found((one, other): (Shared, Shared)) {
    let (old, new) = (
        Key::random(&SystemRandom).unwrap(),
        Key::random(&SystemRandom).unwrap(),
    );
    let place = Place::of_store(DeploymentId(1), Field::KeyCheck);
    let under = |key: &Key| key.seal(&place, b"data key", &SystemRandom).unwrap();
    let with = |mut row: GrantRow, data_key| {
        if let Some(tokens) = &mut row.tokens {
            tokens.data_key = data_key;
        }
        row
    };
    for number in 0..5 {
        let row = full_row(&format!("grant-{number}"));
        one.insert(&change(with(row, under(&old)))).await.unwrap();
    }
    one.insert(&change(with(full_row("newer"), under(&new))))
        .await
        .unwrap();
    one.insert(&change(empty_row("signed-out"))).await.unwrap();
    let mut found = 0;
    loop {
        let some = other.sealed_otherwise(new.id(), 2).await.unwrap();
        assert!(some.len() <= 2);
        if some.is_empty() {
            break;
        }
        for row in some {
            found += 1;
            let next = with(row.value, under(&new));
            one.replace(row.version, &change(next)).await.unwrap();
        }
    }
    assert_eq!(found, 5);
}

pub(super) async fn the_first_identity_stays((one, other): (Shared, Shared)) {
    let identity = |number: u8| Identity {
        deployment: DeploymentId(u128::from(number)),
        key_check: KeyCheck(sealed(number)),
    };
    assert!(one.identity().await.unwrap().is_none());
    assert_eq!(
        one.found(identity(1)).await.unwrap().deployment,
        DeploymentId(1)
    );
    assert_eq!(
        other.found(identity(2)).await.unwrap().deployment,
        DeploymentId(1)
    );
    let kept = other.identity().await.unwrap().unwrap();
    assert_eq!(
        (kept.deployment, kept.key_check.0),
        (DeploymentId(1), sealed(1))
    );
}
