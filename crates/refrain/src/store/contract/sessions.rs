//! Sessions.

use std::sync::Arc;

use super::fixture::{Shared, change, full_row, name};
use crate::{
    lifecycle::Status,
    random::SystemRandom,
    session::{SessionHash, SessionId, SessionRecord, SessionToken, Whose},
    store::{Version, Written},
    time::UnixMillis,
};

/// A session of a user, from 10 to 100 if it is used, else to 50.
fn user() -> SessionRecord {
    SessionRecord {
        id: SessionToken::random(&SystemRandom).unwrap().id(),
        hash: SessionHash::from_bytes([255; 32]),
        whose: Whose::User(name("alice")),
        made_at: UnixMillis(10),
        seen_at: UnixMillis(20),
        lapses_at: UnixMillis(50),
        ends_at: UnixMillis(100),
    }
}

fn of(whose: Whose) -> SessionRecord {
    let hash = SessionHash::from_bytes([0; 32]);
    SessionRecord {
        hash,
        whose,
        ..user()
    }
}

async fn insert(store: &Shared, session: &SessionRecord) -> bool {
    let written = store.insert_session(session).await.unwrap();
    matches!(written, Written::Durably(_))
}

pub(super) async fn a_session_reads_back_whole((one, other): (Shared, Shared)) {
    let signed_out = of(Whose::SignedOut);
    for session in [user(), of(Whose::Admin), of(Whose::SignIn), signed_out] {
        assert_eq!(one.session(&session.id).await.unwrap(), None);
        assert!(insert(&one, &session).await);
        let read = other.session(&session.id).await.unwrap();
        assert_eq!(read.as_ref(), Some(&session));
        let again = SessionRecord {
            whose: Whose::Admin,
            hash: SessionHash::from_bytes([7; 32]),
            ..session.clone()
        };
        assert!(!insert(&other, &again).await, "its id is taken");
        let kept = one.session(&session.id).await.unwrap();
        assert_eq!(kept, Some(session), "nothing was replaced");
    }
}

pub(super) async fn of_many_who_end_a_session_one_is_told_so((one, other): (Shared, Shared)) {
    let (session, bystander) = (of(Whose::SignIn), of(Whose::SignIn));
    assert!(insert(&one, &session).await && insert(&one, &bystander).await);
    let mut browsers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(if number % 2 == 0 { &one } else { &other });
        let id = session.id.clone();
        browsers.spawn(async move { store.end_session(&id).await.unwrap() });
    }
    let told = browsers.join_all().await.into_iter().filter(|it| *it);
    assert_eq!(told.count(), 1);
    assert_eq!(other.session(&session.id).await.unwrap(), None);
    let untouched = other.session(&bystander.id).await.unwrap();
    assert_eq!(untouched, Some(bystander));
}

pub(super) async fn a_session_is_over_at_its_time_and_gone((one, other): (Shared, Shared)) {
    let lapsed = user();
    let used = SessionRecord {
        lapses_at: UnixMillis(100),
        ..user()
    };
    let ended = SessionRecord {
        lapses_at: UnixMillis(500),
        ends_at: UnixMillis(50),
        ..user()
    };
    for session in [&lapsed, &used, &ended] {
        assert!(insert(&one, session).await);
    }
    let alice = name("alice");
    assert_eq!(other.sessions_of(&alice, UnixMillis(49)).await.unwrap(), 3);
    assert_eq!(other.sessions_of(&alice, UnixMillis(50)).await.unwrap(), 1);
    let next = SessionRecord {
        made_at: UnixMillis(50),
        lapses_at: UnixMillis(100),
        ..user()
    };
    assert!(insert(&other, &next).await);
    assert_eq!(one.session(&lapsed.id).await.unwrap(), None);
    assert_eq!(one.session(&ended.id).await.unwrap(), None);
    assert!(one.session(&used.id).await.unwrap().is_some());
}

pub(super) async fn a_use_is_noted_and_never_moves_backwards((one, other): (Shared, Shared)) {
    let (session, nobody) = (user(), SessionId::parse("NobodysOwn").unwrap());
    assert!(insert(&one, &session).await);
    let note = async |id: &SessionId, seen_at, lapses_at| {
        let noted = one.note_session(id, UnixMillis(seen_at), UnixMillis(lapses_at));
        noted.await.unwrap();
    };
    note(&session.id, 30, 60).await;
    note(&session.id, 25, 55).await;
    note(&nobody, 30, 60).await;
    let read = other.session(&session.id).await.unwrap().unwrap();
    assert_eq!(
        (read.seen_at, read.lapses_at),
        (UnixMillis(30), UnixMillis(60))
    );
    assert_eq!(other.session(&nobody).await.unwrap(), None);
}

pub(super) async fn whoever_signs_out_ends_the_sessions((one, other): (Shared, Shared)) {
    let (alice, bob) = (full_row("alice"), full_row("bob"));
    one.insert(&change(alice.clone())).await.unwrap();
    one.insert(&change(bob)).await.unwrap();
    let (here, there) = (user(), of(Whose::User(name("bob"))));
    assert!(insert(&one, &here).await && insert(&one, &there).await);
    let mut gone = alice.clone();
    let since = UnixMillis(9);
    gone.status = Status::SignedOut { since };
    let lost = other.replace(Version(9), &change(gone.clone())).await;
    assert_eq!(lost.unwrap(), Written::Conflict);
    other.replace(Version(1), &change(alice)).await.unwrap();
    assert!(one.session(&here.id).await.unwrap().is_some());
    other.replace(Version(2), &change(gone)).await.unwrap();
    assert_eq!(one.session(&here.id).await.unwrap(), None);
    assert!(one.session(&there.id).await.unwrap().is_some());
}

pub(super) async fn grants_that_no_session_reaches_are_told((one, other): (Shared, Shared)) {
    for grant in ["alice", "web", "web-", "web-a", "web-b", "web-c", "weba"] {
        one.insert(&change(full_row(grant))).await.unwrap();
    }
    let mut gone = full_row("web-d");
    let since = UnixMillis(9);
    gone.status = Status::SignedOut { since };
    one.insert(&change(gone)).await.unwrap();
    let here = of(Whose::User(name("web-b")));
    assert!(insert(&one, &here).await);
    let told = async |after: Option<&str>, now| {
        let after = after.map(name);
        let told = other.unreached("web-", after.as_ref(), UnixMillis(now));
        let told = told.await.unwrap().into_iter();
        told.map(|it| it.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(None, 49).await, ["web-a", "web-c"]);
    assert_eq!(told(None, 50).await, ["web-a", "web-b", "web-c"]);
    assert_eq!(told(Some("web-a"), 50).await, ["web-b", "web-c"]);
    assert!(told(Some("web-c"), 50).await.is_empty());
}

pub(super) async fn all_sessions_end_but_what_says_who_has_signed_out(
    (one, other): (Shared, Shared),
) {
    let (user, admin, signed_out) = (user(), of(Whose::Admin), of(Whose::SignedOut));
    for session in [&user, &admin, &signed_out] {
        assert!(insert(&one, session).await);
    }
    other.end_all_sessions().await.unwrap();
    for gone in [&user, &admin] {
        assert_eq!(one.session(&gone.id).await.unwrap(), None);
    }
    let kept = one.session(&signed_out.id).await.unwrap();
    assert_eq!(kept, Some(signed_out), "whoever has signed out stays so");
}

pub(super) async fn whoever_runs_refrain_is_listed_and_all_end_together(
    (one, other): (Shared, Shared),
) {
    let admin = |made_at, lapses_at| SessionRecord {
        made_at: UnixMillis(made_at),
        lapses_at: UnixMillis(lapses_at),
        ..of(Whose::Admin)
    };
    let [oldest, over, newest] = [admin(1, 80), admin(2, 40), admin(3, 80)];
    let (user, link) = (user(), of(Whose::SignIn));
    for session in [&oldest, &over, &newest, &user, &link] {
        assert!(insert(&one, session).await);
    }
    let listed = async |most| other.admin_sessions(UnixMillis(40), most).await.unwrap();
    assert_eq!(listed(10).await, [newest.clone(), oldest.clone()]);
    assert_eq!(listed(1).await, [newest]);
    assert_eq!(other.end_admin_sessions().await.unwrap(), 4);
    assert_eq!(one.end_admin_sessions().await.unwrap(), 0);
    assert_eq!(listed(10).await, []);
    assert_eq!(one.session(&link.id).await.unwrap(), None);
    assert_eq!(one.session(&user.id).await.unwrap(), Some(user));
}
