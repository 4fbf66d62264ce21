//! What was told of grants, and messages on their way.

use std::{sync::Arc, time::Duration};

use super::fixture::{Shared, change, empty_row, full_row, name};
use crate::{
    access::Grants,
    id::Epoch,
    lifecycle::{GrantRow, Status},
    notice::{Delivery, Kind, Message, News, Standing, Target, TargetId, Told, delivery::Settled},
    random::SystemRandom,
    store::{Noted, Telling, Version, Written},
    time::UnixMillis,
};

const LEASE: Duration = Duration::from_secs(600);
const NOW: UnixMillis = UnixMillis(1000);

fn target(digit: char) -> Target {
    Target {
        id: TargetId::parse(&String::from(digit).repeat(32)).unwrap(),
        place: format!("https://{digit}.example"),
    }
}

async fn insert(store: &Shared, row: &GrantRow) {
    let written = store.insert(&change(row.clone())).await.unwrap();
    assert_eq!(written, Written::Durably(Version(1)));
}

async fn news(store: &Shared, now: UnixMillis) -> Vec<Noted> {
    let mut all: Vec<Noted> = Vec::new();
    let mut last = None;
    loop {
        let page = store.news(now, last.as_ref(), 2).await.unwrap();
        let short = page.grants.len() < 2;
        last = page.last;
        all.extend(page.grants.into_iter().map(Result::unwrap));
        if short {
            all.sort_by(|one, other| one.row.name.cmp(&other.row.name));
            return all;
        }
    }
}

async fn names(store: &Shared, now: UnixMillis) -> Vec<String> {
    let news = news(store, now).await;
    news.iter().map(|it| it.row.name.to_string()).collect()
}

fn message(row: &GrantRow, kind: Kind) -> Message {
    let news = News { kind, days: None };
    Message::about(row, news, NOW, &SystemRandom).unwrap()
}

/// That a grant stands as it does, with messages of these kinds.
fn telling(noted: &Noted, kinds: &[Kind], next_at: Option<i64>) -> Telling {
    let standing = Standing::of(&noted.row.status);
    let kinds = kinds.iter();
    Telling {
        grant: noted.row.id.clone(),
        epoch: noted.row.epoch,
        status: noted.row.status.word(),
        seen: noted.told.as_ref().map(|told| told.version),
        told: Told {
            epoch: noted.row.epoch,
            standing,
            days: Some(7),
        },
        next_at: next_at.map(UnixMillis),
        drops: standing == Standing::SignedOut,
        messages: kinds.map(|kind| message(&noted.row, *kind)).collect(),
    }
}

async fn tell(store: &Shared, telling: &Telling, to: &[Target]) -> bool {
    let done = store.tell(std::slice::from_ref(telling), to).await.unwrap();
    done == [true]
}

async fn all(store: &Shared) -> Vec<Delivery> {
    store.deliveries(&Grants::All, None, 100).await.unwrap()
}

async fn claim(store: &Shared, to: &Target, now: i64, lease: Duration) -> Vec<Delivery> {
    let claimed = store.claim(&to.id, UnixMillis(now), lease, 10).await;
    claimed.unwrap()
}

pub(super) async fn a_grant_is_news_until_it_is_told_of_as_it_is((one, other): (Shared, Shared)) {
    assert_eq!(
        one.notices_since(UnixMillis(5)).await.unwrap(),
        UnixMillis(5)
    );
    assert_eq!(
        other.notices_since(UnixMillis(9)).await.unwrap(),
        UnixMillis(5)
    );
    for name in ["bob", "alice", "dave", "carol", "Zoe"] {
        insert(&one, &full_row(name)).await;
    }
    assert_eq!(
        names(&other, NOW).await,
        ["Zoe", "alice", "bob", "carol", "dave"]
    );
    let seen = news(&other, NOW).await;
    assert!(seen.iter().all(|noted| noted.told.is_none()));
    assert_eq!(seen[1].row, full_row_as(&seen[1].row));
    let tellings: Vec<_> = seen.iter().map(|it| telling(it, &[], None)).collect();
    let done = one.tell(&tellings[1..], &[]).await.unwrap();
    assert_eq!(done, [true; 4]);
    assert_eq!(names(&other, NOW).await, ["Zoe"]);
    let Noted { row, .. } = &seen[1];

    // Neither an intent nor a new token is news; a new status is, and a new epoch.
    let read = async || one.grant(&row.name).await.unwrap().unwrap();
    let write = async |next: GrantRow| {
        let seen = read().await.version;
        let written = other.replace(seen, &change(next)).await.unwrap();
        assert!(matches!(written, Written::Durably(_)));
        names(&one, NOW).await.contains(&"alice".to_owned())
    };
    let quiet = GrantRow {
        minting: row.minting.next(),
        intent: None,
        ..row.clone()
    };
    assert!(!write(quiet.clone()).await);
    let turned = GrantRow {
        status: Status::Active,
        ..quiet
    };
    assert!(write(turned.clone()).await);
    let noted = news(&one, NOW).await.pop().unwrap();
    let told = noted.told.as_ref().unwrap();
    assert_eq!(
        (told.value.standing, told.value.days),
        (Standing::Connected, Some(7))
    );
    assert_eq!(noted.row.status, Status::Active);
    // It turns again before it is told of: it stays news, although what was seen is told.
    let next = GrantRow {
        epoch: turned.epoch.next(),
        ..turned
    };
    assert!(write(next).await);
    assert!(tell(&one, &telling(&noted, &[], None), &[]).await);
    assert_eq!(names(&other, NOW).await, ["Zoe", "alice"]);
    let noted = news(&other, NOW).await.pop().unwrap();
    assert!(tell(&other, &telling(&noted, &[], None), &[]).await);
    assert_eq!(names(&one, NOW).await, ["Zoe"]);
}

/// The same row, its id apart, which is random.
fn full_row_as(row: &GrantRow) -> GrantRow {
    GrantRow {
        id: row.id.clone(),
        ..full_row(row.name.as_str())
    }
}

pub(super) async fn a_grant_is_looked_at_again_when_its_time_has_come(
    (one, other): (Shared, Shared),
) {
    for (name, at) in [("bob", Some(50)), ("alice", Some(70)), ("carol", None)] {
        insert(&one, &full_row(name)).await;
        let noted = news(&one, UnixMillis(0)).await.pop().unwrap();
        assert!(tell(&one, &telling(&noted, &[], at), &[]).await);
    }
    insert(&one, &full_row("dave")).await;
    let at = async |now| names(&other, UnixMillis(now)).await;
    assert_eq!(at(49).await, ["dave"]);
    assert_eq!(at(50).await, ["bob", "dave"]);
    assert_eq!(at(70).await, ["alice", "bob", "dave"]);
    let alice = news(&other, UnixMillis(70)).await.remove(0);
    assert!(tell(&one, &telling(&alice, &[], Some(90)), &[]).await);
    assert_eq!(at(89).await, ["bob", "dave"]);
    // What can not be told yet comes again later, and at once when it changes.
    let later = [name("bob"), name("dave"), name("erin")];
    one.look_later(&later, UnixMillis(80)).await.unwrap();
    one.look_later(&later, UnixMillis(60)).await.unwrap();
    assert_eq!(at(79).await, [""; 0]);
    assert_eq!(at(80).await, ["bob", "dave"]);
    let seen = one.grant(&name("bob")).await.unwrap().unwrap();
    let next = GrantRow {
        epoch: seen.value.epoch.next(),
        ..seen.value
    };
    one.replace(seen.version, &change(next)).await.unwrap();
    assert_eq!(at(0).await, ["bob"]);
}

pub(super) async fn of_many_who_tell_the_same_one_does((one, other): (Shared, Shared)) {
    insert(&one, &full_row("alice")).await;
    for round in 1..4_u64 {
        let seen = one.grant(&name("alice")).await.unwrap().unwrap();
        let next = GrantRow {
            epoch: Epoch(100 + round),
            ..seen.value
        };
        one.replace(seen.version, &change(next)).await.unwrap();
        let noted = news(&one, NOW).await.pop().unwrap();
        let mut nodes = tokio::task::JoinSet::new();
        for number in 0..10 {
            let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
            let telling = telling(&noted, &[Kind::Connected], None);
            let to = [target('a'), target('b')];
            nodes.spawn(async move { tell(&store, &telling, &to).await });
        }
        let told = nodes.join_all().await.into_iter().filter(|it| *it).count();
        assert_eq!(told, 1, "round {round}");
        assert_eq!(all(&other).await.len() as u64, 2 * round);
    }
    let all = all(&one).await;
    let [newest, before, ..] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(newest.message, before.message, "one message, to two places");
    assert_ne!(newest.target, before.target);
}

/// A grant, and a message about it to some places.
async fn send(store: &Shared, name: &str, kind: Kind, to: &[Target]) -> Message {
    let row = full_row(name);
    insert(store, &row).await;
    let news = news(store, NOW).await;
    let noted = news.iter().find(|noted| noted.row.id == row.id).unwrap();
    let telling = telling(noted, &[kind], None);
    assert!(tell(store, &telling, to).await);
    telling.messages.into_iter().next().unwrap()
}

pub(super) async fn a_delivery_is_claimed_settled_and_read_back_whole(
    (one, other): (Shared, Shared),
) {
    let a = target('a');
    let message = send(
        &one,
        "alice",
        Kind::ReauthorizeSoon,
        std::slice::from_ref(&a),
    )
    .await;
    let mut expected = Delivery {
        number: all(&other).await[0].number,
        message: message.id.clone(),
        kind: Kind::ReauthorizeSoon,
        grant: Some(name("alice")),
        body: message.body.clone(),
        target: a.clone(),
        made_at: NOW,
        attempts: 0,
        next_at: Some(NOW),
        outcome: None,
        delivered_at: None,
        given_up_at: None,
    };
    assert_eq!(all(&other).await, [expected.clone()]);
    assert_eq!(claim(&one, &a, NOW.0 - 1, LEASE).await, [], "it is not due");
    assert_eq!(claim(&one, &target('b'), NOW.0, LEASE).await, []);
    let claimed = claim(&one, &a, NOW.0, LEASE).await;
    expected.attempts = 1;
    assert_eq!(claimed, [expected.clone()]);
    assert_eq!(claim(&other, &a, NOW.0, LEASE).await, [], "somebody has it");
    let (at, later) = (UnixMillis(2001), UnixMillis(5000));
    let settled = one.settle(&claimed[0], "http 500", at, Settled::Again(later));
    assert!(settled.await.unwrap());
    (expected.next_at, expected.outcome) = (Some(later), Some("http 500".to_owned()));
    assert_eq!(all(&other).await, [expected.clone()]);
    assert_eq!(claim(&other, &a, 4999, LEASE).await, []);
    let claimed = claim(&other, &a, 5000, LEASE).await;
    let settled = other.settle(&claimed[0], "http 204", at, Settled::Delivered);
    assert!(settled.await.unwrap());
    expected.attempts = 2;
    (expected.next_at, expected.delivered_at) = (None, Some(at));
    expected.outcome = Some("http 204".to_owned());
    assert_eq!(all(&one).await, [expected.clone()]);
    let late = one.settle(&claimed[0], "http 500", at, Settled::GivenUp);
    assert!(!late.await.unwrap(), "it has arrived");
    assert_eq!(claim(&one, &a, i64::MAX, LEASE).await, []);
    assert_eq!(all(&one).await, [expected]);
}

/// A process that dies over a delivery keeps it for as long as its lease, and what it says later is void.
pub(super) async fn a_claim_that_has_lapsed_is_the_next_one_s((one, other): (Shared, Shared)) {
    let a = target('a');
    send(&one, "alice", Kind::Connected, std::slice::from_ref(&a)).await;
    let lost = claim(&one, &a, NOW.0, Duration::ZERO).await;
    assert_eq!(lost.len(), 1);
    let taken = claim(&other, &a, NOW.0, LEASE).await;
    assert_eq!(taken[0].number, lost[0].number);
    assert_eq!((lost[0].attempts, taken[0].attempts), (1, 2));
    let late = one.settle(&lost[0], "late", NOW, Settled::GivenUp).await;
    assert!(!late.unwrap());
    let done = other.settle(&taken[0], "http 200", NOW, Settled::Delivered);
    assert!(done.await.unwrap());
    assert_eq!(all(&one).await[0].outcome.as_deref(), Some("http 200"));
}

pub(super) async fn of_many_who_claim_each_delivery_is_one_s((one, other): (Shared, Shared)) {
    let to = [target('a')];
    for number in 0..12 {
        send(&one, &format!("grant-{number}"), Kind::Connected, &to).await;
    }
    let mut nodes = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        let id = to[0].id.clone();
        nodes.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.claim(&id, NOW, LEASE, 2).await.unwrap();
                // One that finds others at it has found nothing, and comes back.
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|it| it.number));
            }
        });
    }
    let mut claimed: Vec<u64> = nodes.join_all().await.into_iter().flatten().collect();
    claimed.extend(
        claim(&one, &to[0], NOW.0, LEASE)
            .await
            .iter()
            .map(|it| it.number),
    );
    claimed.sort_unstable();
    let mut expected: Vec<u64> = all(&one).await.iter().map(|it| it.number).collect();
    expected.sort_unstable();
    assert_eq!(claimed, expected);
}

pub(super) async fn of_a_grant_that_signs_out_nothing_else_is_on_its_way(
    (one, other): (Shared, Shared),
) {
    let to = [target('a'), target('b')];
    send(&one, "bob", Kind::Connected, &to).await;
    send(&one, "alice", Kind::ReauthorizeSoon, &to).await;
    let claimed = claim(&one, &to[0], NOW.0, LEASE).await;
    let of_alice = claimed.iter().find(|it| it.grant == Some(name("alice")));
    let arrived = one.settle(of_alice.unwrap(), "http 200", NOW, Settled::Delivered);
    assert!(arrived.await.unwrap());
    let seen = one.grant(&name("alice")).await.unwrap().unwrap();
    let signed_out = GrantRow {
        status: Status::SignedOut { since: NOW },
        id: seen.value.id.clone(),
        epoch: seen.value.epoch.next(),
        ..empty_row("alice")
    };
    one.replace(seen.version, &change(signed_out))
        .await
        .unwrap();
    let about = |grant: &str| {
        let grants = Grants::from_iter([name(grant)]);
        let store = Arc::clone(&one);
        async move { store.deliveries(&grants, None, 10).await.unwrap() }
    };
    assert_eq!(about("alice").await, [], "what has arrived goes too");
    let noted = news(&other, NOW).await.pop().unwrap();
    assert!(tell(&other, &telling(&noted, &[Kind::SignedOut], None), &to).await);
    let told: Vec<_> = about("alice").await;
    let told: Vec<_> = told.iter().map(|it| it.kind.word()).collect();
    assert_eq!(told, ["grant.signed_out"; 2]);
    assert_eq!(about("bob").await.len(), 2);
}

pub(super) async fn deliveries_are_read_page_by_page_by_whoever_reaches_their_grants(
    (one, other): (Shared, Shared),
) {
    let to = [target('a')];
    for name in ["alice", "bob", "carol"] {
        send(&one, name, Kind::Connected, &to).await;
    }
    let test = Message::test(NOW, &SystemRandom).unwrap();
    one.send(&test, &[target('a'), target('b')]).await.unwrap();
    let read = async |of: &Grants, before, most| {
        let read = other.deliveries(of, before, most).await.unwrap();
        let name = |it: &Delivery| {
            it.grant
                .as_ref()
                .map_or("-".to_owned(), ToString::to_string)
        };
        let names: Vec<_> = read.iter().map(name).collect();
        (names.join(" "), read.last().map(|it| it.number))
    };
    let (names, last) = read(&Grants::All, None, 3).await;
    assert_eq!(names, "- - carol");
    assert_eq!(read(&Grants::All, last, 3).await.0, "bob alice");
    let some = Grants::from_iter([name("alice"), name("carol"), name("dave")]);
    let (names, last) = read(&some, None, 1).await;
    assert_eq!(names, "carol");
    assert_eq!(read(&some, last, 9).await.0, "alice");
    assert_eq!(read(&Grants::none(), None, 9).await.0, "");
}

pub(super) async fn a_place_that_wants_no_more_or_is_gone_gets_nothing(
    (one, other): (Shared, Shared),
) {
    let (a, b) = (target('a'), target('b'));
    send(&one, "alice", Kind::Connected, &[a.clone(), b.clone()]).await;
    one.refuse_notices(&a.id, UnixMillis(7)).await.unwrap();
    one.refuse_notices(&a.id, UnixMillis(8)).await.unwrap();
    assert_eq!(
        other.refused_notices().await.unwrap(),
        std::slice::from_ref(&a.id)
    );
    let given_up: Vec<_> = all(&other).await.iter().map(|it| it.given_up_at).collect();
    assert_eq!(given_up, [None, Some(UnixMillis(7))]);
    // Somebody who does not know it yet.
    send(&other, "bob", Kind::Connected, &[a.clone(), b.clone()]).await;
    assert_eq!(claim(&other, &a, NOW.0, LEASE).await, []);
    assert_eq!(claim(&other, &b, NOW.0, Duration::ZERO).await.len(), 2);

    let name = async |store: &Shared, targets: &[&Target], now, gone| {
        let targets: Vec<_> = targets.iter().copied().cloned().collect();
        let named = store.name_targets(&targets, UnixMillis(now), UnixMillis(gone));
        named.await.unwrap()
    };
    // Whoever knows neither drops nothing that was just made: the one who made it names them in a moment.
    assert_eq!(name(&other, &[], 1001, 1000).await, 0);
    assert_eq!(name(&one, &[&a, &b], 1100, 1000).await, 0);
    other
        .forgive_notices(&[a.clone(), b.clone()])
        .await
        .unwrap();
    assert_eq!(one.refused_notices().await.unwrap().len(), 1);
    other
        .forgive_notices(std::slice::from_ref(&b))
        .await
        .unwrap();
    assert_eq!(one.refused_notices().await.unwrap(), []);
    // Another server knows one of them alone; both are kept for as long as somebody has named them.
    assert_eq!(name(&other, &[&b], 1200, 1100).await, 0);
    let named = async |since| one.named_targets(UnixMillis(since)).await.unwrap();
    assert_eq!(named(1101).await, std::slice::from_ref(&b));
    assert_eq!(named(1100).await.len(), 2);
    // One whose clock is behind takes nothing back.
    assert_eq!(name(&one, &[&b], 1150, 1100).await, 0);
    assert_eq!(named(1200).await, std::slice::from_ref(&b));
    assert_eq!(
        name(&other, &[&b], 1250, 1101).await,
        1,
        "bob's to the first"
    );
    assert_eq!(named(0).await, std::slice::from_ref(&b));
    assert_eq!(claim(&other, &a, NOW.0, LEASE).await, []);
    assert_eq!(claim(&other, &b, NOW.0, LEASE).await.len(), 2);
    assert_eq!(name(&one, &[], 1400, 1251).await, 2);
    assert_eq!(named(0).await, []);
    assert_eq!(all(&one).await.len(), 1, "what was given up is still known");
    one.forget_notices(NOW).await.unwrap();
    assert_eq!(all(&one).await.len(), 1);
    one.forget_notices(UnixMillis(NOW.0 + 1)).await.unwrap();
    assert_eq!(all(&other).await, []);
}
