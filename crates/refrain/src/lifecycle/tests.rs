//! The transitions one by one, and in every order that two processes can bring them into.

mod imported;
mod intents;
mod orders;
mod refusals;
mod restored;
mod standing;

use std::time::Duration;

use proptest::prelude::*;

use super::{
    app::AppState,
    row::{Access, Consent, Reason, Standing},
    *,
};
use crate::{
    id::InstanceId,
    secret::Sealed,
    store::contract::full_row,
    time::{BootId, Deadline, Moment, StoreInstant, UnixMillis, Uptime},
};

const ONE: InstanceId = InstanceId(1);
const OTHER: InstanceId = InstanceId(2);
const HALF_A_YEAR: i64 = 182 * 24 * 3600 * 1000;

fn at(millis: i64) -> Moment {
    Moment {
        wall: UnixMillis(millis),
        uptime: Uptime(millis),
        boot: BootId(1),
    }
}

fn ask<'a>(now: &'a Moment, app: &'a AppState, instance: InstanceId) -> Ask<'a> {
    Ask {
        cause: Cause::Due,
        instance,
        attempt: 0,
        now,
        store_now: StoreInstant {
            era: 1,
            millis: now.uptime.0,
        },
        dead: None,
        app,
        canary: false,
    }
}

/// Why nobody but a person may present the token of a row: what holds whoever else would.
fn holds_of_all_but_a_person(row: &GrantRow, now: &Moment) -> [Hold; 3] {
    let app = AppState::default();
    let others = [
        (Cause::Due, false),
        (Cause::Due, true),
        (Cause::Rejected, false),
    ];
    others.map(|(cause, canary)| {
        let ask = Ask {
            cause,
            canary,
            ..ask(now, &app, ONE)
        };
        arm(row, &ask).unwrap_err()
    })
}

fn sealed(byte: u8) -> Sealed {
    Sealed::from_bytes([byte])
}

/// An active grant, consented at the beginning of time, that nobody holds.
fn row() -> GrantRow {
    GrantRow {
        status: Status::Active,
        consent: Some(Consent {
            authorized_at: UnixMillis(0),
            reauthorize_by: UnixMillis(HALF_A_YEAR),
            latest: None,
        }),
        candidates: Vec::new(),
        intent: None,
        unanswered: None,
        trouble: None,
        forced_until: None,
        imported_from: None,
        ..full_row("alice")
    }
}

fn minted(now: &Moment, replaced: bool) -> Minted {
    let expires = Deadline::after(now, Duration::from_secs(3600));
    Minted {
        access: Some(Access {
            sealed: sealed(10),
            expires,
            life_millis: 3_600_000,
        }),
        replaced: replaced.then(|| Replaced {
            current: sealed(11),
            candidate: sealed(12),
            presented: sealed(13),
        }),
        before: Before::Nothing,
        scope: None,
        request_id: None,
    }
}

fn evidence(before: Before) -> Evidence {
    Evidence {
        description: None,
        request_id: None,
        before,
    }
}

fn armed(row: &GrantRow, millis: i64, instance: InstanceId) -> (GrantRow, Ticket) {
    let app = AppState::default();
    let (change, ticket) = arm(row, &ask(&at(millis), &app, instance)).unwrap();
    (change.row, ticket)
}

fn refused(row: &GrantRow, ticket: &Ticket, before: Before, open: bool, now: i64) -> GrantRow {
    match refuse(row, ticket, &evidence(before), open, &at(now)) {
        Refusal::Judged(change) => change.row,
        other => panic!("{other:?}"),
    }
}

fn exchange() -> Exchange {
    Exchange {
        promoted: sealed(42),
        demoted: sealed(43),
    }
}
