//! Sessions.

use std::sync::Arc;

use super::fixture::{Shared, change, full_row, name};
use crate::{
    lifecycle::Status,
    random::SystemRandom,
    seal::{DeploymentId, KeyCheck},
    secret::Sealed,
    session::{Incarnation, SessionHash, SessionId, SessionRecord, SessionToken, Whose},
    store::{Identity, Version, Written},
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

/// Users who have something that their sessions reach.
async fn grants(store: &Shared, names: &[&str]) {
    for name in names {
        store.insert(&change(full_row(name))).await.unwrap();
    }
}

/// Signs a grant out as whoever reads before they write.
async fn sign_out(store: &Shared, grant: &str) {
    loop {
        let seen = store.grant(&name(grant)).await.unwrap().unwrap();
        let mut gone = seen.value;
        let since = UnixMillis(9);
        gone.status = Status::SignedOut { since };
        let written = store.replace(seen.version, &change(gone)).await.unwrap();
        if written != Written::Conflict {
            return;
        }
    }
}

async fn insert(store: &Shared, session: &SessionRecord) -> bool {
    let written = store.insert_session(session).await.unwrap();
    matches!(written, Written::Durably(_))
}

pub(super) async fn a_session_reads_back_whole((one, other): (Shared, Shared)) {
    grants(&one, &["alice"]).await;
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
    grants(&one, &["alice"]).await;
    for session in [&lapsed, &used, &ended] {
        assert!(insert(&one, session).await);
    }
    let alice = name("alice");
    let count = async |but: Option<&SessionRecord>, now| {
        let count = other.sessions_of(&alice, but.map(|it| &it.id), UnixMillis(now));
        count.await.unwrap()
    };
    assert_eq!(count(None, 49).await, 3);
    assert_eq!(count(None, 50).await, 1);
    assert_eq!(count(Some(&lapsed), 49).await, 2);
    assert_eq!(count(Some(&lapsed), 50).await, 1);
    assert_eq!(count(Some(&used), 50).await, 0);
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
    grants(&one, &["alice"]).await;
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
    grants(&one, &["alice", "bob"]).await;
    let (here, there) = (user(), of(Whose::User(name("bob"))));
    assert!(insert(&one, &here).await && insert(&one, &there).await);
    let mut gone = full_row("alice");
    let since = UnixMillis(9);
    gone.status = Status::SignedOut { since };
    let lost = other.replace(Version(9), &change(gone)).await;
    assert_eq!(lost.unwrap(), Written::Conflict);
    let seen = other.grant(&name("alice")).await.unwrap().unwrap();
    other
        .replace(seen.version, &change(seen.value))
        .await
        .unwrap();
    assert!(one.session(&here.id).await.unwrap().is_some());
    sign_out(&other, "alice").await;
    assert_eq!(one.session(&here.id).await.unwrap(), None);
    assert!(one.session(&there.id).await.unwrap().is_some());
}

pub(super) async fn a_session_begins_beside_a_grant_that_is_there((one, other): (Shared, Shared)) {
    assert!(!insert(&one, &user()).await, "nobody has consented");
    grants(&one, &["alice", "bob"]).await;
    let here = user();
    assert!(insert(&other, &here).await);
    sign_out(&one, "alice").await;
    assert!(!insert(&other, &user()).await, "there is nothing to reach");
    assert!(insert(&other, &of(Whose::User(name("bob")))).await);
    assert_eq!(one.session(&here.id).await.unwrap(), None);
}

pub(super) async fn no_session_outlives_a_logout_that_it_races((one, other): (Shared, Shared)) {
    for round in 0..60 {
        let grant = format!("web-{round}");
        grants(&one, &[&grant]).await;
        let session = of(Whose::User(name(&grant)));
        let (leaving, beginning) = (Arc::clone(&one), Arc::clone(&other));
        let leaves = tokio::spawn(async move { sign_out(&leaving, &grant).await });
        let begun = session.clone();
        let begins = tokio::spawn(async move { insert(&beginning, &begun).await });
        leaves.await.unwrap();
        begins.await.unwrap();
        let left = one.session(&session.id).await.unwrap();
        assert_eq!(left, None, "round {round}");
    }
}

pub(super) async fn grants_that_no_session_reaches_are_told((one, other): (Shared, Shared)) {
    grants(
        &one,
        &["alice", "web", "web-", "web-a", "web-b", "web-c", "weba"],
    )
    .await;
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

pub(super) async fn with_another_life_of_the_store_all_sessions_are_over(
    (one, other): (Shared, Shared),
) {
    assert_eq!(one.incarnation().await.unwrap(), Incarnation::default());
    let identity = Identity {
        deployment: DeploymentId(7),
        key_check: KeyCheck(Sealed::from_bytes(vec![1, 2, 3])),
    };
    one.found(identity).await.unwrap();
    assert_eq!(other.incarnation().await.unwrap(), Incarnation::default());
    grants(&one, &["bob"]).await;
    let (admin, bob) = (of(Whose::Admin), of(Whose::User(name("bob"))));
    let signed_out = of(Whose::SignedOut);
    for session in [&admin, &bob, &signed_out] {
        assert!(insert(&one, session).await);
    }
    for next in [Incarnation(i64::MIN), Incarnation(7)] {
        other.end_all_sessions(next).await.unwrap();
        assert_eq!(one.incarnation().await.unwrap(), next);
    }
    for session in [&admin, &bob, &signed_out] {
        assert_eq!(one.session(&session.id).await.unwrap(), None);
    }
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
    grants(&one, &["alice"]).await;
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
