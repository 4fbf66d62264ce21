//! Connect links.

use std::sync::Arc;

use super::fixture::{Shared, name};
use crate::{
    connect::{ConnectLink, LinkHash, LinkId, LinkRecord, LinkTerms},
    id::Epoch,
    random::SystemRandom,
    store::Written,
    time::UnixMillis,
};

/// A link with every field filled, from 10 to 100.
fn full() -> LinkRecord {
    LinkRecord {
        id: ConnectLink::random(&SystemRandom).unwrap().id(),
        hash: LinkHash::from_bytes([255; 32]),
        terms: LinkTerms {
            grant: name("alice"),
            app: "default".parse().unwrap(),
            scope: "streaming user-read-email".parse().unwrap(),
            return_to: Some("https://app.example/a?b=%27".parse().unwrap()),
            epoch: Some(Epoch(u64::MAX)),
            reconnect: true,
        },
        made_at: UnixMillis(10),
        expires_at: UnixMillis(100),
        used_at: Some(UnixMillis(-8)),
    }
}

/// A link with as little as a link can have.
fn empty() -> LinkRecord {
    let full = full();
    LinkRecord {
        hash: LinkHash::from_bytes([0; 32]),
        terms: LinkTerms {
            scope: "".parse().unwrap(),
            return_to: None,
            epoch: None,
            reconnect: false,
            ..full.terms
        },
        used_at: None,
        ..full
    }
}

async fn insert(store: &Shared, link: &LinkRecord) -> bool {
    let written = store.insert_link(link).await.unwrap();
    matches!(written, Written::Durably(_))
}

pub(super) async fn a_link_reads_back_whole((one, other): (Shared, Shared)) {
    for link in [full(), empty()] {
        assert_eq!(one.link(&link.id).await.unwrap(), None);
        assert!(insert(&one, &link).await);
        let read = other.link(&link.id).await.unwrap();
        assert_eq!(read.as_ref(), Some(&link));
        let again = LinkRecord {
            hash: LinkHash::from_bytes([7; 32]),
            ..link.clone()
        };
        assert!(!insert(&other, &again).await, "its id is taken");
        let kept = one.link(&link.id).await.unwrap();
        assert_eq!(kept, Some(link), "nothing was replaced");
    }
}

pub(super) async fn of_many_who_use_a_link_one_gets_it((one, other): (Shared, Shared)) {
    let (link, bystander) = (empty(), empty());
    assert!(insert(&one, &link).await && insert(&one, &bystander).await);
    let mut browsers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        let id = link.id.clone();
        browsers.spawn(async move {
            let got = store.use_link(&id, UnixMillis(20 + number)).await.unwrap();
            got.then_some(UnixMillis(20 + number))
        });
    }
    let got: Vec<_> = browsers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 1, "{got:?}");
    let used = other.link(&link.id).await.unwrap().unwrap();
    assert_eq!(used.used_at, got.first().copied());
    for at in [0, 20, 99] {
        assert!(!one.use_link(&link.id, UnixMillis(at)).await.unwrap());
    }
    let untouched = other.link(&bystander.id).await.unwrap();
    assert_eq!(untouched, Some(bystander));
}

pub(super) async fn a_link_is_over_at_its_time_and_gone((one, other): (Shared, Shared)) {
    let nobody = LinkId::parse("NobodysLnk").unwrap();
    assert!(!one.use_link(&nobody, UnixMillis(0)).await.unwrap());
    let (early, late) = (
        empty(),
        LinkRecord {
            expires_at: UnixMillis(200),
            ..empty()
        },
    );
    assert!(insert(&one, &early).await && insert(&one, &late).await);
    assert!(!other.use_link(&early.id, UnixMillis(100)).await.unwrap());
    assert_eq!(one.link(&early.id).await.unwrap(), None, "it is gone");
    assert!(other.use_link(&late.id, UnixMillis(199)).await.unwrap());
    let next = LinkRecord {
        made_at: UnixMillis(200),
        expires_at: UnixMillis(300),
        ..empty()
    };
    assert!(insert(&one, &next).await);
    assert_eq!(other.link(&late.id).await.unwrap(), None, "so is this one");
    assert!(other.link(&next.id).await.unwrap().is_some());
}
