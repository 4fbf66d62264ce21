//! API keys.

use std::sync::Arc;

use super::fixture::{Shared, name};
use crate::{
    access::{ApiKey, ApiKeyId, Grants, KeyHash, KeyRecord, Permission, Permissions},
    random::SystemRandom,
    store::Written,
    time::UnixMillis,
};

/// A key with every field filled.
fn full(name: &str) -> KeyRecord {
    KeyRecord {
        id: ApiKey::random(&SystemRandom).unwrap().id(),
        name: name.parse().unwrap(),
        hash: KeyHash::from_bytes([255; 32]),
        grants: ["alice", "bob"].map(self::name).into_iter().collect(),
        permissions: Permission::ALL.into_iter().collect(),
        rewrite_links: true,
        created_at: UnixMillis(5),
        expires_at: Some(UnixMillis(i64::MAX)),
        last_used_at: Some(UnixMillis(7)),
        revoked_at: Some(UnixMillis(-8)),
    }
}

/// A key with as little as a key can have.
fn empty(name: &str) -> KeyRecord {
    KeyRecord {
        hash: KeyHash::from_bytes([0; 32]),
        grants: Grants::none(),
        permissions: Permissions::default(),
        rewrite_links: false,
        created_at: UnixMillis(6),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        ..full(name)
    }
}

fn nobody() -> ApiKeyId {
    ApiKeyId::parse("NobodysKey").unwrap()
}

async fn insert(store: &Shared, key: &KeyRecord) -> bool {
    let written = store.insert_api_key(key).await.unwrap();
    matches!(written, Written::Durably(_))
}

pub(super) async fn a_key_reads_back_whole((one, other): (Shared, Shared)) {
    assert_eq!(one.api_keys().await.unwrap(), []);
    let all = KeyRecord {
        grants: Grants::All,
        created_at: UnixMillis(4),
        ..empty("all")
    };
    let keys = [all, full("full"), empty("empty")];
    for key in [&keys[1], &keys[2], &keys[0]] {
        assert!(insert(&one, key).await);
        let read = other.api_key(&key.id).await.unwrap();
        assert_eq!(read.as_ref(), Some(key));
    }
    assert_eq!(other.api_keys().await.unwrap(), keys, "the oldest first");
    assert_eq!(one.api_key(&nobody()).await.unwrap(), None);
}

pub(super) async fn keys_are_read_page_by_page((one, other): (Shared, Shared)) {
    for number in 0..7 {
        // Several are made in one millisecond: then their ids decide.
        let key = KeyRecord {
            created_at: UnixMillis(number / 3),
            ..empty(&format!("key-{number}"))
        };
        assert!(insert(&one, &key).await);
    }
    let mut keys: Vec<KeyRecord> = Vec::new();
    loop {
        let after = keys.last().map(|key| &key.id);
        let page = other.api_keys_after(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        keys.extend(page);
    }
    assert_eq!(keys, other.api_keys().await.unwrap());
    let behind_nobody = other.api_keys_after(Some(&nobody()), 9).await;
    assert_eq!(behind_nobody.unwrap(), []);
}

pub(super) async fn a_name_is_taken_until_its_key_is_revoked((one, other): (Shared, Shared)) {
    let (first, second) = (empty("phone"), empty("phone"));
    assert!(insert(&one, &first).await);
    assert!(!insert(&other, &second).await, "its name is taken");
    assert!(
        insert(&other, &empty("Phone")).await,
        "a name means its case"
    );
    let same_id = KeyRecord {
        name: "tablet".parse().unwrap(),
        ..first.clone()
    };
    assert!(!insert(&other, &same_id).await, "its id is taken");
    let kept = other.api_key(&first.id).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&first), "nothing was replaced");
    other
        .revoke_api_key(&first.id, UnixMillis(9))
        .await
        .unwrap();
    assert!(insert(&one, &second).await, "its name is free again");
    assert!(!insert(&one, &same_id).await, "an id never is");
    other
        .revoke_api_key(&second.id, UnixMillis(10))
        .await
        .unwrap();
    assert!(insert(&one, &full("phone")).await, "revoked from the start");
    let all = one.api_keys().await.unwrap();
    let phones = all.iter().filter(|key| key.name.as_str() == "phone");
    assert_eq!(phones.count(), 3);
}

pub(super) async fn of_many_who_want_one_name_one_gets_it((one, other): (Shared, Shared)) {
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        writers.spawn(async move { insert(&store, &empty("phone")).await });
    }
    let done = writers.join_all().await;
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    assert_eq!(one.api_keys().await.unwrap().len(), 1);
}

pub(super) async fn a_key_is_revoked_once_and_for_ever((one, other): (Shared, Shared)) {
    let (key, bystander) = (empty("phone"), empty("tablet"));
    assert!(insert(&one, &key).await && insert(&one, &bystander).await);
    assert!(one.revoke_api_key(&key.id, UnixMillis(9)).await.unwrap());
    for at in [0, 9, 10] {
        let news = other.revoke_api_key(&key.id, UnixMillis(at)).await;
        assert!(!news.unwrap(), "{at}");
    }
    assert!(!one.revoke_api_key(&nobody(), UnixMillis(9)).await.unwrap());
    let revoked = KeyRecord {
        revoked_at: Some(UnixMillis(9)),
        ..key.clone()
    };
    assert_eq!(other.api_key(&key.id).await.unwrap(), Some(revoked));
    let untouched = other.api_key(&bystander.id).await.unwrap();
    assert_eq!(untouched, Some(bystander));
}

pub(super) async fn a_use_is_noted_and_never_moves_backwards((one, other): (Shared, Shared)) {
    let (key, bystander) = (empty("phone"), empty("tablet"));
    assert!(insert(&one, &key).await && insert(&one, &bystander).await);
    for (at, noted) in [(-5, -5), (20, 20), (10, 20), (20, 20), (21, 21)] {
        one.note_api_key_use(&key.id, UnixMillis(at)).await.unwrap();
        let read = other.api_key(&key.id).await.unwrap().unwrap();
        assert_eq!(read.last_used_at, Some(UnixMillis(noted)), "{at}");
    }
    one.note_api_key_use(&nobody(), UnixMillis(9))
        .await
        .unwrap();
    let untouched = other.api_key(&bystander.id).await.unwrap();
    assert_eq!(untouched, Some(bystander));
}
