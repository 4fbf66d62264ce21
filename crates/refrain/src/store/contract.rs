//! The contract of a store as tests; every engine runs them unchanged.
//!
//! [`run`] takes a way to open the same empty store twice: two handles stand for two processes.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{
    id::{AppName, Epoch, Fence, Generation, GrantId, GrantName, InstanceId, Minting},
    lifecycle::{
        Change, Event, GrantRow,
        app::AppState,
        event::What,
        row::{
            Access, Account, Candidate, Consent, Intent, Reason, Status, Suspicion, Tokens,
            Trouble, Unanswered,
        },
    },
    random::SystemRandom,
    seal::{DeploymentId, Field, Key, KeyCheck, Place},
    secret::Sealed,
    store::{
        Changed, Identity, Liveness, Store, Version, Written,
        attempt::{Attempt, Terms},
    },
    time::{BootId, Deadline, StoreInstant, UnixMillis, Uptime},
};

type Shared = Arc<dyn Store>;

/// Runs every test of the contract, each on a store of its own.
pub async fn run<F, Fut>(open_pair: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = (Shared, Shared)>,
{
    a_row_reads_back_whole(open_pair().await).await;
    grants_are_read_page_by_page(open_pair().await).await;
    changes_are_told_and_none_is_left_out(open_pair().await).await;
    no_change_of_many_writers_is_left_out(open_pair().await).await;
    the_key_check_is_compared_and_set(open_pair().await).await;
    rows_under_another_key_are_found(open_pair().await).await;
    a_name_is_taken_once(open_pair().await).await;
    of_two_writers_who_read_the_same_row_one_wins(open_pair().await).await;
    a_hundred_racing_writers_lose_no_step(open_pair().await).await;
    a_story_is_told_in_order_and_forgotten_on_demand(open_pair().await).await;
    an_app_state_is_compared_and_set(open_pair().await).await;
    an_attempt_is_taken_once_and_not_after_its_time(open_pair().await).await;
    the_first_identity_stays(open_pair().await).await;
    the_clock_runs_forwards(open_pair().await).await;
    an_announced_process_is_alive(open_pair().await).await;
}

fn sealed(byte: u8) -> Sealed {
    Sealed::from_bytes(vec![byte; 40])
}

fn deadline() -> Deadline {
    Deadline {
        wall: UnixMillis(i64::MAX),
        uptime: Uptime(-5),
        boot: BootId(u128::MAX),
        span: -7,
    }
}

/// A row with every field filled.
pub fn full_row(name: &str) -> GrantRow {
    GrantRow {
        id: GrantId::random(&SystemRandom).unwrap(),
        name: name.parse().unwrap(),
        app: "default".parse().unwrap(),
        client_id: "client".parse().unwrap(),
        epoch: Epoch(2),
        generation: Generation(3),
        minting: Minting(4),
        fence: Fence(5),
        status: Status::Suspect(Suspicion {
            since: UnixMillis(1),
            refusals: 2,
            next_probe: deadline(),
        }),
        consent: Some(Consent {
            authorized_at: UnixMillis(-1),
            reauthorize_by: UnixMillis(9),
        }),
        scope: "streaming user-read-email".parse().unwrap(),
        account: Some(Account {
            id: "acc".into(),
            display_name: Some("Ä \"'".into()),
        }),
        tokens: Some(Tokens {
            data_key: sealed(0),
            refresh: sealed(1),
            access: Some(Access {
                sealed: sealed(2),
                expires: deadline(),
                life_millis: 3_600_000,
            }),
        }),
        candidates: vec![Candidate {
            presented: Generation(3),
            fence: Fence(4),
            sealed: sealed(255),
            refused: true,
        }],
        intent: Some(Intent {
            fence: Fence(5),
            owner: InstanceId(u128::MAX - 1),
            armed_at: UnixMillis(7),
            deadline: StoreInstant {
                era: u128::MAX,
                millis: i64::MIN,
            },
        }),
        unanswered: Some(Unanswered {
            generation: Generation(3),
            since: UnixMillis(8),
            presentations: 2,
            missing: true,
        }),
        trouble: Some(Trouble {
            since: UnixMillis(8),
            failures: 3,
            retry: deadline(),
            http_status: Some(503),
        }),
        forced_until: Some(deadline()),
    }
}

fn empty_row(name: &str) -> GrantRow {
    GrantRow {
        status: Status::Reauthorize {
            reason: Reason::AnswerLost,
            since: UnixMillis(3),
        },
        consent: None,
        scope: "".parse().unwrap(),
        account: None,
        tokens: None,
        candidates: Vec::new(),
        intent: None,
        unanswered: None,
        trouble: None,
        forced_until: None,
        ..full_row(name)
    }
}

fn change(row: GrantRow) -> Change {
    Change {
        row,
        events: Vec::new(),
        forgets: false,
    }
}

fn name(text: &str) -> GrantName {
    text.parse().unwrap()
}

async fn a_row_reads_back_whole((one, other): (Shared, Shared)) {
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

async fn grants_are_read_page_by_page((one, other): (Shared, Shared)) {
    for number in 0..7 {
        let row = full_row(&format!("grant-{number}"));
        one.insert(&change(row)).await.unwrap();
    }
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().map(|it| name(it));
        let page = other.grants(after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        names.extend(page.iter().map(|row| row.value.name.to_string()));
    }
    let expected: Vec<_> = (0..7).map(|number| format!("grant-{number}")).collect();
    assert_eq!(names, expected);
}

async fn changes_are_told_and_none_is_left_out((one, other): (Shared, Shared)) {
    let mut row = full_row("alice");
    one.insert(&change(row.clone())).await.unwrap();
    let (told, mut mark) = other.changes(None).await.unwrap();
    assert_eq!(told, [], "the first answer is a beginning");
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
        let (told, next) = other.changes(Some(mark)).await.unwrap();
        mark = next;
        let expected = Changed {
            name: row.name.clone(),
            epoch: row.epoch,
            minting: row.minting,
        };
        assert!(!news || told.contains(&expected), "step {step}: {told:?}");
    }
    one.insert(&change(full_row("bob"))).await.unwrap();
    let (told, mark) = other.changes(Some(mark)).await.unwrap();
    assert!(told.iter().any(|it| it.name == name("bob")));
    // With nothing going on it becomes quiet; what goes on elsewhere on a server counts too.
    let mut mark = mark;
    for _ in 0..1000 {
        let (told, next) = one.changes(Some(mark)).await.unwrap();
        mark = next;
        if told.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the same changes are told over and over");
}

/// Writers that overlap: what commits late must not be passed over by a reader who was there early.
async fn no_change_of_many_writers_is_left_out((one, other): (Shared, Shared)) {
    let (_, mut mark) = other.changes(None).await.unwrap();
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
        let (told, next) = other.changes(Some(mark)).await.unwrap();
        mark = next;
        for it in told {
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

async fn the_key_check_is_compared_and_set((one, other): (Shared, Shared)) {
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

async fn rows_under_another_key_are_found((one, other): (Shared, Shared)) {
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

async fn a_name_is_taken_once((one, other): (Shared, Shared)) {
    let first = full_row("alice");
    one.insert(&change(first.clone())).await.unwrap();
    let second = other.insert(&change(full_row("alice"))).await.unwrap();
    assert_eq!(second, Written::Conflict);
    assert_eq!(
        one.grant(&name("alice")).await.unwrap().unwrap().value,
        first
    );
}

async fn of_two_writers_who_read_the_same_row_one_wins((one, other): (Shared, Shared)) {
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

async fn a_hundred_racing_writers_lose_no_step((one, other): (Shared, Shared)) {
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

async fn a_story_is_told_in_order_and_forgotten_on_demand((one, other): (Shared, Shared)) {
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

async fn an_app_state_is_compared_and_set((one, other): (Shared, Shared)) {
    let app: AppName = "default".parse().unwrap();
    let unknown = one.app_state(&app).await.unwrap();
    assert_eq!(
        (&unknown.value, unknown.version),
        (&AppState::default(), Version(0))
    );
    let mut state = unknown.value.clone();
    state.throttled = Some(deadline());
    let first = one
        .replace_app_state(&app, Version(0), &state)
        .await
        .unwrap();
    assert_eq!(first, Written::Durably(Version(1)));
    let late = other
        .replace_app_state(&app, Version(0), &unknown.value)
        .await
        .unwrap();
    assert_eq!(late, Written::Conflict);
    let read = other.app_state(&app).await.unwrap();
    assert_eq!((&read.value, read.version), (&state, Version(1)));
    other
        .replace_app_state(&app, Version(1), &unknown.value)
        .await
        .unwrap();
    assert_eq!(one.app_state(&app).await.unwrap().value, unknown.value);
}

async fn an_attempt_is_taken_once_and_not_after_its_time((one, other): (Shared, Shared)) {
    let attempt = |id: &str, expires_at| Attempt {
        id: id.to_owned(),
        expires_at: UnixMillis(expires_at),
        terms: Terms {
            grant: name("alice"),
            app: "default".parse().unwrap(),
            redirect_uri: "http://127.0.0.1/Call".to_owned(),
            scope: "streaming".parse().unwrap(),
            other_account: true,
        },
        verifier: sealed(9),
    };
    one.insert_attempt(&attempt("a", 100)).await.unwrap();
    one.insert_attempt(&attempt("b", 50)).await.unwrap();
    assert_eq!(other.take_attempt("c", UnixMillis(0)).await.unwrap(), None);
    assert_eq!(other.take_attempt("b", UnixMillis(50)).await.unwrap(), None);
    let taken = other.take_attempt("a", UnixMillis(99)).await.unwrap();
    assert_eq!(taken, Some(attempt("a", 100)));
    assert_eq!(one.take_attempt("a", UnixMillis(99)).await.unwrap(), None);
    assert_eq!(one.take_attempt("b", UnixMillis(0)).await.unwrap(), None);
}

async fn the_first_identity_stays((one, other): (Shared, Shared)) {
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

async fn the_clock_runs_forwards((one, other): (Shared, Shared)) {
    let (first, second) = (one.now().await.unwrap(), other.now().await.unwrap());
    assert_eq!(first.era, second.era);
    assert!(second.millis >= first.millis);
}

async fn an_announced_process_is_alive((one, other): (Shared, Shared)) {
    let instance = InstanceId::random(&SystemRandom).unwrap();
    one.announce(instance).await.unwrap();
    assert_eq!(other.liveness(instance).await.unwrap(), Liveness::MayRun);
    one.scrub().await.unwrap();
}
