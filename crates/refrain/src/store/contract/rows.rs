//! Rows and their stories.

use std::sync::Arc;

use super::fixture::{Shared, change, empty_row, full_row, name};
use crate::{
    id::{Epoch, Fence},
    lifecycle::{Change, Event, GrantRow, event::What, row::Status},
    store::{Version, Written},
    time::UnixMillis,
};

pub(super) async fn a_row_reads_back_whole((one, other): (Shared, Shared)) {
    for row in [full_row("full"), empty_row("empty")] {
        assert_eq!(one.grant(&row.name).await.unwrap(), None);
        assert_eq!(
            one.insert(&change(row.clone())).await.unwrap(),
            Written::Durably(Version(1))
        );
        let read = other.grant(&row.name).await.unwrap().unwrap();
        assert_eq!((read.value, read.version), (row, Version(1)));
    }
    let (empty, full) = (empty_row("empty"), full_row("full"));
    let seen = one.grant(&full.name).await.unwrap().unwrap();
    let next = GrantRow {
        id: seen.value.id.clone(),
        name: full.name,
        ..empty
    };
    one.replace(seen.version, &change(next.clone()))
        .await
        .unwrap();
    let names: Vec<_> = other
        .grants(None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|it| it.value.name)
        .collect();
    assert_eq!(names, [name("empty"), name("full")]);
    assert_eq!(other.grant(&next.name).await.unwrap().unwrap().value, next);
}

pub(super) async fn grants_are_read_page_by_page((one, other): (Shared, Shared)) {
    for number in 0..7 {
        let row = full_row(&format!("grant-{number}"));
        one.insert(&change(row)).await.unwrap();
    }
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().map(|it| name(it));
        let page = other.grants(after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        let listed = other.list(after.as_ref(), 3).await.unwrap();
        let listed = listed.into_iter().map(|it| it.unwrap());
        assert_eq!(listed.collect::<Vec<_>>(), page);
        if page.is_empty() {
            break;
        }
        names.extend(page.iter().map(|row| row.value.name.to_string()));
    }
    let expected: Vec<_> = (0..7).map(|number| format!("grant-{number}")).collect();
    assert_eq!(names, expected);
}

pub(super) async fn a_name_is_taken_once((one, other): (Shared, Shared)) {
    let first = full_row("alice");
    one.insert(&change(first.clone())).await.unwrap();
    let second = other.insert(&change(full_row("alice"))).await.unwrap();
    assert_eq!(second, Written::Conflict);
    assert_eq!(
        one.grant(&name("alice")).await.unwrap().unwrap().value,
        first
    );
}

pub(super) async fn of_two_writers_who_read_the_same_row_one_wins((one, other): (Shared, Shared)) {
    let row = full_row("alice");
    one.insert(&change(row.clone())).await.unwrap();
    let seen = one.grant(&row.name).await.unwrap().unwrap().version;
    let mut newer = row.clone();
    newer.fence = Fence(6);
    let mut late = row.clone();
    late.fence = Fence(60);
    let won = one.replace(seen, &change(newer.clone())).await.unwrap();
    assert_eq!(won, Written::Durably(Version(2)));
    assert_eq!(
        other.replace(seen, &change(late)).await.unwrap(),
        Written::Conflict
    );
    assert_eq!(other.grant(&row.name).await.unwrap().unwrap().value, newer);
    let stranger = change(full_row("nobody"));
    assert_eq!(
        one.replace(Version(1), &stranger).await.unwrap(),
        Written::Conflict
    );
}

pub(super) async fn a_hundred_racing_writers_lose_no_step((one, other): (Shared, Shared)) {
    let mut row = full_row("alice");
    row.fence = Fence(0);
    one.insert(&change(row)).await.unwrap();
    let step = |store: Shared| async move {
        loop {
            let seen = store.grant(&name("alice")).await.unwrap().unwrap();
            let mut next = seen.value;
            next.fence = next.fence.next();
            if store.replace(seen.version, &change(next)).await.unwrap() != Written::Conflict {
                return;
            }
        }
    };
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..100 {
        racers.spawn(step(Arc::clone(if number % 2 == 0 {
            &one
        } else {
            &other
        })));
    }
    while let Some(ended) = racers.join_next().await {
        ended.unwrap();
    }
    let end = one.grant(&name("alice")).await.unwrap().unwrap();
    assert_eq!((end.value.fence, end.version), (Fence(100), Version(101)));
}

pub(super) async fn a_story_is_told_in_order_and_forgotten_on_demand(
    (one, other): (Shared, Shared),
) {
    let row = full_row("alice");
    let event = |at| Event {
        at: UnixMillis(at),
        epoch: Epoch(1),
        what: What::SignedOut,
    };
    let written = Change {
        events: vec![event(1), event(2)],
        ..change(row.clone())
    };
    one.insert(&written).await.unwrap();
    let more = Change {
        events: vec![event(3)],
        ..change(row.clone())
    };
    other.replace(Version(1), &more).await.unwrap();
    let lost = Change {
        events: vec![event(4)],
        ..change(row.clone())
    };
    assert_eq!(
        other.replace(Version(1), &lost).await.unwrap(),
        Written::Conflict
    );
    let at = |story: Vec<Event>| {
        story
            .into_iter()
            .map(|event| event.at.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(at(one.story(&row.id, 10).await.unwrap()), [1, 2, 3]);
    assert_eq!(at(one.story(&row.id, 2).await.unwrap()), [2, 3]);
    let farewell = Change {
        events: vec![event(5)],
        forgets: true,
        ..change(row.clone())
    };
    one.replace(Version(2), &farewell).await.unwrap();
    assert_eq!(at(other.story(&row.id, 10).await.unwrap()), [5]);
}

pub(super) async fn grants_are_counted_by_app_and_no_further_than_asked(
    (one, other): (Shared, Shared),
) {
    for grant in ["alice", "bob", "carol"] {
        one.insert(&change(full_row(grant))).await.unwrap();
    }
    let mut elsewhere = full_row("dave");
    elsewhere.app = "other".parse().unwrap();
    one.insert(&change(elsewhere)).await.unwrap();
    let mut gone = empty_row("erin");
    gone.status = Status::SignedOut {
        since: UnixMillis(9),
    };
    one.insert(&change(gone)).await.unwrap();
    let app = "default".parse().unwrap();
    for (most, counted) in [(100, 3), (3, 3), (2, 2), (0, 0)] {
        assert_eq!(other.count(&app, most).await.unwrap(), counted, "{most}");
    }
}
