//! The gates of the Web API's limits.

use std::{sync::Arc, time::Duration};

use super::fixture::{Shared, deadline};
use crate::{
    limit::{Bucket, Gate},
    store::{Version, Versioned, Written},
    time::UnixMillis,
};

fn gate(bucket: &str, since: i64) -> Gate {
    Gate {
        bucket: bucket.parse().unwrap(),
        app: "default".parse().unwrap(),
        since: UnixMillis(since),
        until: deadline(),
        told: Some(Duration::new(u64::MAX / 2000, 7)),
    }
}

async fn read(store: &Shared) -> Vec<Versioned<Gate>> {
    let mut gates = store.limits().await.unwrap();
    gates.sort_by_key(|it| it.value.bucket.clone());
    gates
}

pub(super) async fn a_gate_is_compared_and_set((one, other): (Shared, Shared)) {
    assert_eq!(one.limits().await.unwrap(), []);
    let (app, developer) = (gate("app:a", 1), gate("developer:a", i64::MIN));
    for gate in [&app, &developer] {
        let first = one.replace_limit(Version(0), gate).await.unwrap();
        assert_eq!(first, Written::Durably(Version(1)));
    }
    let late = other.replace_limit(Version(0), &gate("app:a", 2)).await;
    assert_eq!(late.unwrap(), Written::Conflict);
    let read_back = |value: &Gate, version| Versioned {
        value: value.clone(),
        version: Version(version),
    };
    let both = [read_back(&app, 1), read_back(&developer, 1)];
    assert_eq!(read(&other).await, both);
    let next = Gate {
        told: None,
        ..gate("app:a", 3)
    };
    let second = other.replace_limit(Version(1), &next).await.unwrap();
    assert_eq!(second, Written::Durably(Version(2)));
    let late = one.replace_limit(Version(1), &app).await.unwrap();
    assert_eq!(late, Written::Conflict);
    let late = one.remove_limit(Version(1), &app.bucket).await.unwrap();
    assert_eq!(late, Written::Conflict);
    let both = [read_back(&next, 2), read_back(&developer, 1)];
    assert_eq!(read(&one).await, both);
}

pub(super) async fn a_gate_that_is_gone_is_never_taken_for_the_next_one(
    (one, other): (Shared, Shared),
) {
    let first = gate("app:a", 1);
    let bucket: &Bucket = &first.bucket;
    let nothing = one.remove_limit(Version(0), bucket).await.unwrap();
    assert_eq!(nothing, Written::Conflict, "there is none");
    one.replace_limit(Version(0), &first).await.unwrap();
    let gone = other.remove_limit(Version(1), bucket).await.unwrap();
    assert!(matches!(gone, Written::Durably(_)));
    assert_eq!(one.limits().await.unwrap(), []);
    for seen in 1..4 {
        let late = one.replace_limit(Version(seen), &first).await.unwrap();
        assert_eq!(late, Written::Conflict, "it is gone: {seen}");
        let late = one.remove_limit(Version(seen), bucket).await.unwrap();
        assert_eq!(late, Written::Conflict, "it is gone: {seen}");
    }
    let next = gate("app:a", 2);
    let Written::Durably(again) = one.replace_limit(Version(0), &next).await.unwrap() else {
        panic!("a conflict with nobody");
    };
    assert!(again > Version(1), "{again:?}");
    let late = other.remove_limit(Version(1), bucket).await.unwrap();
    assert_eq!(late, Written::Conflict, "that was another gate");
    let held = other.limits().await.unwrap().pop().unwrap();
    assert_eq!((held.value, held.version), (next, again));
}

/// Many nodes meet the same limit at the same moment, the case that all of this is for.
pub(super) async fn of_many_who_close_a_gate_none_is_overwritten_unseen(
    (one, other): (Shared, Shared),
) {
    let mut nodes = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        nodes.spawn(async move {
            loop {
                let seen = store.limits().await.unwrap().pop();
                // Each adds what it has seen to its own.
                let (sum, version) =
                    seen.map_or((0, Version(0)), |it| (it.value.since.0, it.version));
                let next = gate("app:a", sum + 1);
                let written = store.replace_limit(version, &next).await.unwrap();
                if written != Written::Conflict {
                    return;
                }
            }
        });
    }
    while let Some(ended) = nodes.join_next().await {
        ended.unwrap();
    }
    let end = one.limits().await.unwrap().pop().unwrap();
    assert_eq!(
        (end.value.since, end.version),
        (UnixMillis(20), Version(20))
    );
}
