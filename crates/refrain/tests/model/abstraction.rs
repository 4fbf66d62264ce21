//! From a row of the model to a row of the library and back.

use std::time::Duration;

use refrain::{
    id::{Epoch, Fence, Generation, GrantId, InstanceId, Minting},
    lifecycle::{
        self, Before, Cause, Consented, GrantRow, Replaced,
        app::AppState,
        row as real,
        timing::{ATTEMPTS, LEASE, LEASE_MARGIN, SKEW, TOKEN_CALL},
    },
    secret::Sealed,
    time::{BootId, Deadline, Moment, StoreInstant, UnixMillis, Uptime},
};

use crate::{
    row::{Candidate, Candidates, Doubt, Intent, NONE, Reason, Row, Standing, Status, Token},
    rules::{Ask, LAPSED, Minted, Resolution, TOO_LATE, Ticket},
};

/// The fence of every row; an outdated ticket has one less.
pub(crate) const FENCE: u64 = 1000;
/// One tick.
const TICK: Duration = Duration::from_secs(14);
const NOW: i64 = 1_000_000_000;
/// Added to the number of a process that has died.
const DEAD: u128 = 16;

/// The ticks of the model are those of the library's clocks.
pub(crate) fn assert_time_fits() {
    assert!(TICK * u32::from(LAPSED) >= LEASE + SKEW);
    assert!(TICK * u32::from(LAPSED - 1) < LEASE + SKEW);
    assert!(TICK * u32::from(TOO_LATE) + LEASE_MARGIN > LEASE);
    assert!(TICK * u32::from(TOO_LATE - 1) + LEASE_MARGIN <= LEASE);
    assert!(TOKEN_CALL <= TICK);
    assert_eq!(ATTEMPTS, 3);
}

pub(crate) fn now() -> Moment {
    Moment {
        wall: UnixMillis(NOW),
        uptime: Uptime(NOW),
        boot: BootId(1),
    }
}

fn store_now() -> StoreInstant {
    StoreInstant {
        era: 1,
        millis: NOW,
    }
}

pub(crate) fn refresh(token: Token, resealed: bool) -> Sealed {
    Sealed::from_bytes([1, token, u8::from(resealed)])
}

pub(crate) fn candidate(token: Token) -> Sealed {
    Sealed::from_bytes([3, token])
}

fn access(link: Token) -> real::Access {
    let life = Duration::from_secs(3600);
    real::Access {
        sealed: Sealed::from_bytes([2, link]),
        expires: Deadline::after(&now(), life),
        life_millis: 3_600_000,
    }
}

fn consent() -> real::Consent {
    real::Consent {
        authorized_at: UnixMillis(0),
        reauthorize_by: UnixMillis(i64::MAX),
        latest: None,
    }
}

fn blank() -> GrantRow {
    let id = GrantId::parse(&format!("grt_{:032x}", 1)).unwrap();
    let name = "alice".parse().unwrap();
    let (app, client) = ("default".parse().unwrap(), "client".parse().unwrap());
    GrantRow::blank(id, name, app, client, UnixMillis(1))
}

pub(crate) fn to_real(row: &Row) -> GrantRow {
    let candidates = row.candidates.iter().enumerate();
    let candidate = |(at, it): (usize, &Candidate)| real::Candidate {
        presented: Generation(it.presented.into()),
        // Told apart even where a token is there twice.
        fence: Fence(at.try_into().unwrap()),
        sealed: candidate(it.token),
        standing: match it.standing {
            Standing::Untried => real::Standing::Untried,
            Standing::SetAside => real::Standing::SetAside,
            Standing::Refused => real::Standing::Refused,
        },
    };
    let signed_in = row.refresh != NONE;
    GrantRow {
        epoch: Epoch(row.epoch.into()),
        generation: Generation(row.generation.into()),
        minting: Minting(row.minting.into()),
        fence: Fence(FENCE),
        status: to_status(row.status),
        consent: signed_in.then(consent),
        tokens: signed_in.then(|| real::Tokens {
            data_key: Sealed::from_bytes([0]),
            refresh: refresh(row.refresh, row.resealed),
            access: Some(access(row.access)),
        }),
        candidates: candidates.map(candidate).collect(),
        intent: row.intent.map(to_intent),
        unanswered: (row.unanswered != Doubt::Nothing).then(|| real::Unanswered {
            generation: Generation(row.generation.into()),
            since: UnixMillis(1),
            presentations: 1,
            missing: row.unanswered == Doubt::Missing,
        }),
        trouble: row.backing_off.then(|| real::Trouble {
            since: UnixMillis(1),
            failures: 1,
            retry: Deadline::after(&now(), Duration::from_secs(30)),
            http_status: None,
        }),
        ..blank()
    }
}

fn to_status(status: Status) -> lifecycle::Status {
    let since = UnixMillis(1);
    match status {
        Status::Active => lifecycle::Status::Active,
        Status::Suspect { refusals, due } => {
            let left = Duration::from_secs(if due { 0 } else { 900 });
            lifecycle::Status::Suspect(real::Suspicion {
                since,
                refusals: refusals.into(),
                next_probe: Deadline::after(&now(), left),
                restored: false,
                imported: false,
            })
        }
        Status::Reauthorize(reason) => {
            let reason = match reason {
                Reason::Revoked => real::Reason::Revoked,
                Reason::AnswerLost => real::Reason::AnswerLost,
            };
            lifecycle::Status::Reauthorize { reason, since }
        }
        Status::SignedOut => lifecycle::Status::SignedOut { since },
    }
}

fn to_intent(intent: Intent) -> real::Intent {
    let age = i64::from(intent.age) * 14_000;
    let dead = if intent.dead { DEAD } else { 0 };
    let armed = StoreInstant {
        millis: NOW - age,
        ..store_now()
    };
    real::Intent {
        attempt: 0,
        fence: Fence(FENCE),
        owner: InstanceId(u128::from(intent.owner) + dead),
        armed_at: UnixMillis(NOW - age),
        deadline: armed.after(LEASE),
    }
}

pub(crate) fn from_real(row: &GrantRow) -> Row {
    let number = |number: u64| u8::try_from(number).unwrap();
    let tokens = row.tokens.as_ref();
    let sealed = |at: usize| tokens.map_or(NONE, |it| it.refresh.as_bytes()[at]);
    let link = tokens.and_then(|it| it.access.as_ref());
    let late: Vec<_> = row.candidates.iter().map(from_candidate).collect();
    let unanswered = row.unanswered.as_ref();
    Row {
        epoch: number(row.epoch.0),
        generation: number(row.generation.0),
        minting: number(row.minting.0),
        status: from_status(&row.status),
        refresh: sealed(1),
        access: link.map_or(NONE, |it| it.sealed.as_bytes()[1]),
        resealed: tokens.is_some() && sealed(2) == 1,
        intent: row.intent.as_ref().map(from_intent),
        candidates: Candidates::from_vec(&late),
        unanswered: match unanswered.filter(|it| it.generation == row.generation) {
            None => Doubt::Nothing,
            Some(it) if it.missing => Doubt::Missing,
            Some(_) => Doubt::Fault,
        },
        backing_off: row
            .trouble
            .as_ref()
            .is_some_and(|it| !it.retry.passed(&now())),
    }
}

fn from_candidate(it: &real::Candidate) -> Candidate {
    Candidate {
        presented: u8::try_from(it.presented.0).unwrap(),
        token: it.sealed.as_bytes()[1],
        standing: match it.standing {
            real::Standing::Untried => Standing::Untried,
            real::Standing::SetAside => Standing::SetAside,
            real::Standing::Refused => Standing::Refused,
        },
    }
}

fn from_status(status: &lifecycle::Status) -> Status {
    match status {
        lifecycle::Status::Active => Status::Active,
        lifecycle::Status::Suspect(it) => Status::Suspect {
            refusals: u8::try_from(it.refusals).unwrap(),
            due: it.next_probe.passed(&now()),
        },
        lifecycle::Status::Reauthorize { reason, .. } => Status::Reauthorize(match reason {
            real::Reason::Revoked => Reason::Revoked,
            real::Reason::AnswerLost => Reason::AnswerLost,
            other => panic!("{other:?}"),
        }),
        lifecycle::Status::SignedOut { .. } => Status::SignedOut,
    }
}

fn from_intent(intent: &real::Intent) -> Intent {
    let age = NOW + 30_000 - intent.deadline.millis;
    Intent {
        owner: u8::try_from(intent.owner.0 % DEAD).unwrap(),
        dead: intent.owner.0 >= DEAD,
        age: u8::try_from(age / 14_000).unwrap(),
    }
}

pub(crate) fn ask<'a>(
    row: &GrantRow,
    ask: Ask,
    now: &'a Moment,
    app: &'a AppState,
) -> lifecycle::Ask<'a> {
    let owner = row.intent.as_ref().map(|intent| intent.owner);
    lifecycle::Ask {
        attempt: 0,
        cause: if ask.asked { Cause::Asked } else { Cause::Due },
        instance: InstanceId(ask.node.into()),
        now,
        store_now: store_now(),
        dead: owner.filter(|it| ask.knows_dead && it.0 >= DEAD),
        app,
        canary: false,
    }
}

/// The library's ticket. Where it is current, the intent of the row is its own: a write is made or not in the
/// model, so that no two tickets have one number.
pub(crate) fn ticket(row: &GrantRow, ticket: Ticket) -> lifecycle::Ticket {
    let own = row.intent.as_ref().map(|intent| intent.owner);
    lifecycle::Ticket {
        epoch: Epoch(ticket.epoch.into()),
        generation: Generation(ticket.generation.into()),
        minting: Minting(ticket.minting.into()),
        fence: Fence(if ticket.current { FENCE } else { FENCE - 1 }),
        owner: own.unwrap_or(InstanceId(0)),
        attempt: 0,
        deadline: store_now(),
    }
}

/// What an answer brought for the token that was presented.
pub(crate) fn minted(minted: Minted, presented: Token) -> lifecycle::Minted {
    lifecycle::Minted {
        access: minted.access.then(|| access(minted.link)),
        replaced: minted.replaced.map(|token| Replaced {
            current: refresh(token, false),
            candidate: candidate(token),
            presented: candidate(presented),
        }),
        before: before(minted.before),
        scope: None,
        request_id: None,
    }
}

pub(crate) fn before(doubt: Doubt) -> Before {
    match doubt {
        Doubt::Nothing => Before::Nothing,
        Doubt::Fault => Before::Fault,
        Doubt::Missing => Before::Missing,
    }
}

pub(crate) fn resolution(resolution: Resolution) -> lifecycle::Resolution {
    match resolution {
        Resolution::Untouched => lifecycle::Resolution::Untouched,
        Resolution::Unknown { missing, pause } => lifecycle::Resolution::Unknown {
            http_status: None,
            why: String::new(),
            missing,
            pause: Duration::from_secs(if pause { 30 } else { 0 }),
        },
    }
}

/// A login with the first tokens.
pub(crate) fn consented() -> Consented {
    let row = blank();
    Consented {
        app: row.app,
        client_id: row.client_id,
        at: UnixMillis(0),
        consent: consent(),
        origin: None,
        scope: row.scope,
        account: None,
        data_key: Sealed::from_bytes([0]),
        refresh: refresh(0, false),
        access: access(0),
    }
}
