//! The contract of a store as tests; every engine runs them unchanged.
//!
//! [`run`] takes a way to open the same empty store twice: two handles stand for two processes.

use std::{future::Future, sync::Arc};

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
    seal::{DeploymentId, KeyCheck},
    secret::Sealed,
    store::{
        Identity, Liveness, Store, Version, Written,
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
#[expect(clippy::missing_panics_doc, reason = "only tests call it")]
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
        .grants()
        .await
        .unwrap()
        .into_iter()
        .map(|it| it.value.name)
        .collect();
    assert_eq!(names, [name("empty"), name("full")]);
    assert_eq!(other.grant(&next.name).await.unwrap().unwrap().value, next);
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
