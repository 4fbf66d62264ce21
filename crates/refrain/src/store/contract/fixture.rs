//! Rows to write.

use std::sync::Arc;

use crate::{
    id::{Epoch, Fence, Generation, GrantId, GrantName, InstanceId, Minting},
    lifecycle::{
        Change, GrantRow,
        row::{
            Access, Account, Candidate, Consent, Intent, Reason, Standing, Status, Suspicion,
            Tokens, Trouble, Unanswered,
        },
    },
    random::SystemRandom,
    secret::Sealed,
    store::Store,
    time::{BootId, Deadline, StoreInstant, UnixMillis, Uptime},
};

/// One of two handles on the same store.
pub(super) type Shared = Arc<dyn Store>;

pub(super) fn sealed(byte: u8) -> Sealed {
    Sealed::from_bytes(vec![byte; 40])
}

pub(super) fn deadline() -> Deadline {
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
            restored: true,
            imported: false,
        }),
        consent: Some(Consent {
            authorized_at: UnixMillis(-1),
            reauthorize_by: UnixMillis(9),
            latest: Some(UnixMillis(7)),
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
        candidates: [Standing::Refused, Standing::SetAside, Standing::Untried]
            .into_iter()
            .map(|standing| Candidate {
                presented: Generation(3),
                fence: Fence(4),
                sealed: sealed(255),
                standing,
            })
            .collect(),
        intent: Some(Intent {
            attempt: 3,
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
        imported_from: Some("00ff".to_owned()),
    }
}

pub(super) fn empty_row(name: &str) -> GrantRow {
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
        imported_from: None,
        ..full_row(name)
    }
}

pub(super) fn change(row: GrantRow) -> Change {
    Change {
        row,
        events: Vec::new(),
        forgets: false,
    }
}

pub(super) fn name(text: &str) -> GrantName {
    text.parse().unwrap()
}
