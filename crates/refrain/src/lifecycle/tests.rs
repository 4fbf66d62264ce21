//! The transitions one by one, and in every order that two processes can bring them into.

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
        }),
        candidates: Vec::new(),
        intent: None,
        unanswered: None,
        trouble: None,
        forced_until: None,
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

#[test]
fn one_presenter_at_a_time_until_the_lease_and_the_skew_are_over() {
    let app = AppState::default();
    let (held, _) = armed(&row(), 1_000, ONE);
    let lapses = 1_000 + 30_000 + 2_000;
    let now = at(lapses - 1);
    assert!(matches!(
        arm(&held, &ask(&now, &app, OTHER)),
        Err(Hold::Held { by: ONE, .. })
    ));
    let now = at(lapses);
    let (change, ticket) = arm(&held, &ask(&now, &app, OTHER)).unwrap();
    assert_eq!(
        (ticket.fence, change.row.fence),
        (held.fence.next(), held.fence.next())
    );
    assert!(
        change.row.unanswered.is_some(),
        "the first may have presented"
    );
    let now = at(1_001);
    let dead = Ask {
        dead: Some(ONE),
        ..ask(&now, &app, OTHER)
    };
    assert!(arm(&held, &dead).is_ok());
}

#[test]
fn an_answer_is_written_only_where_it_belongs() {
    let (held, ticket) = armed(&row(), 0, ONE);
    let Commit::Current(change) = commit(&held, &ticket, &minted(&at(1), true), &at(1)) else {
        panic!("not current");
    };
    assert_eq!(change.row.generation, held.generation.next());
    assert_eq!(change.row.minting, held.minting.next());
    assert_eq!(change.row.consent, held.consent);
    assert!(change.row.intent.is_none());

    let (taken, _) = armed(&held, 32_000, OTHER);
    let Commit::Late(Some(change)) = commit(&taken, &ticket, &minted(&at(1), true), &at(33_000))
    else {
        panic!("not late");
    };
    assert_eq!(
        (change.row.generation, change.row.candidates.len()),
        (taken.generation, 1)
    );
    assert_eq!(change.row.tokens, taken.tokens, "never over a newer one");
    let none = commit(&taken, &ticket, &minted(&at(1), false), &at(33_000));
    assert!(matches!(none, Commit::Late(None)));

    let out = sign_out(&held, UnixMillis(5)).row;
    assert!(matches!(
        commit(&out, &ticket, &minted(&at(1), true), &at(6)),
        Commit::Closed
    ));
}

#[test]
fn a_refusal_is_believed_late_or_when_it_is_explained() {
    let (held, ticket) = armed(&row(), 0, ONE);
    let day = 24 * 3600 * 1000;
    let believed = |row: &GrantRow| match row.status {
        Status::Reauthorize { reason, .. } => Some(reason),
        _ => None,
    };
    assert_eq!(
        believed(&refused(&held, &ticket, Before::Nothing, false, day)),
        None
    );
    let near = HALF_A_YEAR - 2 * day;
    assert_eq!(
        believed(&refused(&held, &ticket, Before::Nothing, false, near)),
        Some(Reason::Expired)
    );
    assert_eq!(
        believed(&refused(&held, &ticket, Before::Nothing, true, near)),
        None,
        "the breaker is open"
    );
    assert_eq!(
        believed(&refused(&held, &ticket, Before::Missing, false, day)),
        Some(Reason::AnswerLost)
    );
    assert_eq!(
        believed(&refused(
            &held,
            &ticket,
            Before::Missing,
            false,
            2 * HALF_A_YEAR
        )),
        Some(Reason::AnswerLost),
        "a clock that is a year ahead does not change what is on record"
    );
    let never_rotated = GrantRow {
        generation: crate::id::Generation(0),
        ..held.clone()
    };
    let ticket = Ticket {
        generation: never_rotated.generation,
        ..ticket
    };
    assert_eq!(
        believed(&refused(
            &never_rotated,
            &ticket,
            Before::Missing,
            false,
            day
        )),
        None
    );
}

#[test]
fn a_refusal_of_another_generation_is_no_verdict() {
    let (held, ticket) = armed(&row(), 0, ONE);
    let moved = GrantRow {
        generation: held.generation.next(),
        ..held.clone()
    };
    assert!(matches!(
        refuse(&moved, &ticket, &evidence(Before::Nothing), false, &at(1)),
        Refusal::Moved
    ));
    let (taken, _) = armed(&held, 32_000, OTHER);
    assert!(matches!(
        refuse(&taken, &ticket, &evidence(Before::Nothing), false, &at(1)),
        Refusal::Moved
    ));
}

#[test]
fn a_late_token_is_tried_before_anybody_is_condemned() {
    let (held, late) = armed(&row(), 0, ONE);
    let (taken, ticket) = armed(&held, 32_000, OTHER);
    let Commit::Late(Some(change)) = commit(&taken, &late, &minted(&at(1), true), &at(33_000))
    else {
        panic!("not late");
    };
    let now = at(34_000);
    let Refusal::Promotable(candidate) = refuse(
        &change.row,
        &ticket,
        &evidence(Before::Nothing),
        false,
        &now,
    ) else {
        panic!("not promotable");
    };
    let promoted = promote(&change.row, &candidate, &exchange(), &now)
        .unwrap()
        .row;
    assert_eq!(promoted.generation, held.generation.next());
    assert_eq!(promoted.tokens.as_ref().unwrap().refresh, sealed(42));
    assert!(promoted.intent.is_none());
    // The refused one is set aside, and is not tried in turn at the first refusal.
    let aside = &promoted.candidates[0];
    assert_eq!(
        (&aside.sealed, aside.standing),
        (&sealed(43), Standing::SetAside)
    );
    let (again, ticket) = armed(&promoted, 35_000, OTHER);
    refused(&again, &ticket, Before::Nothing, false, 36_000);
}

#[test]
fn a_late_answer_counts_whatever_was_concluded_meanwhile() {
    let (held, late) = armed(&row(), 0, ONE);
    let (taken, ticket) = armed(&held, 32_000, OTHER);
    let condemned = refused(&taken, &ticket, Before::Nothing, false, 33_000);
    assert!(matches!(
        condemned.status,
        Status::Reauthorize {
            reason: Reason::AnswerLost,
            ..
        }
    ));
    let Commit::Current(change) = commit(&condemned, &late, &minted(&at(1), true), &at(34_000))
    else {
        panic!("not current");
    };
    assert_eq!(
        (&change.row.status, change.row.generation),
        (&Status::Active, held.generation.next())
    );
}

#[test]
fn a_superseded_token_is_known_as_such() {
    let (held, late) = armed(&row(), 0, ONE);
    let (taken, ticket) = armed(&held, 32_000, OTHER);
    let Commit::Late(Some(change)) = commit(&taken, &late, &minted(&at(1), true), &at(33_000))
    else {
        panic!("not late");
    };
    let after = resolve(&change.row, &ticket, &Resolution::Untouched, &at(34_000))
        .unwrap()
        .row;
    let candidate = successor(&after).unwrap().clone();
    let promoted = promote(&after, &candidate, &exchange(), &at(34_000))
        .unwrap()
        .row;
    assert!(successor(&promoted).is_none());
}

#[test]
fn refusals_count_only_when_time_has_passed_between_them() {
    let app = AppState::default();
    let (mut row, mut ticket) = armed(&row(), 0, ONE);
    for _ in 0..10 {
        row = refused(&row, &ticket, Before::Nothing, false, 1_000);
        assert!(matches!(row.status, Status::Suspect(_)), "{:?}", row.status);
        let now = at(1_000);
        let ask = Ask {
            cause: Cause::Asked,
            ..ask(&now, &app, ONE)
        };
        let (change, next) = arm(&row, &ask).unwrap();
        (row, ticket) = (change.row, next);
    }
}

fn exchange() -> Exchange {
    Exchange {
        promoted: sealed(42),
        demoted: sealed(43),
    }
}

#[test]
fn a_fault_moves_no_status() {
    let (held, ticket) = armed(&row(), 0, ONE);
    let unknown = Resolution::Unknown {
        http_status: Some(503),
        why: "HTTP 503".into(),
        missing: true,
        pause: Duration::from_secs(30),
    };
    let after = resolve(&held, &ticket, &unknown, &at(1)).unwrap().row;
    assert_eq!(
        (&after.status, after.intent.is_none()),
        (&Status::Active, true)
    );
    assert_eq!(after.unanswered.as_ref().unwrap().presentations, 1);
    assert_eq!(after.trouble.as_ref().unwrap().failures, 1);
    let untouched = resolve(&held, &ticket, &Resolution::Untouched, &at(1))
        .unwrap()
        .row;
    assert_eq!((untouched.unanswered, untouched.trouble), (None, None));
}

#[test]
fn five_early_refusals_open_the_breaker_and_one_success_closes_it() {
    let grants: Vec<_> = (0..5).map(|_| full_row("a").id).collect();
    let mut app = AppState::default();
    for (number, grant) in grants.iter().enumerate() {
        assert!(app.breaker.is_none(), "{number}");
        // The same grant twice counts once.
        app = app
            .refused(grant, 20, &at(1_000))
            .refused(grant, 20, &at(1_000));
    }
    assert!(app.breaker.is_some());
    assert!(app.claim_canary(&grants[0], &at(2_000)).is_none());
    let claimed = app.claim_canary(&grants[0], &at(61_000)).unwrap();
    assert!(
        claimed.claim_canary(&grants[1], &at(61_001)).is_none(),
        "one a minute"
    );
    let closed = claimed.granted(&at(70_000));
    assert!(closed.breaker.is_none() && closed.explains(UnixMillis(1_000)));
    assert!(!closed.explains(UnixMillis(70_001)));

    let slow = grants
        .iter()
        .enumerate()
        .fold(AppState::default(), |app, (number, grant)| {
            app.refused(grant, 20, &at(i64::try_from(number).unwrap() * 600_000))
        });
    assert!(
        slow.breaker.is_none(),
        "not within ten minutes of one another"
    );
}

/// What two processes and a user may do, in any order.
#[derive(Debug, Clone)]
enum Step {
    Arm(bool),
    Granted { first: bool, rotated: bool },
    Refused(bool),
    Faulted(bool),
    Logout,
    Login,
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(Step::Arm),
        4 => (any::<bool>(), any::<bool>())
            .prop_map(|(first, rotated)| Step::Granted { first, rotated }),
        2 => any::<bool>().prop_map(Step::Refused),
        2 => any::<bool>().prop_map(Step::Faulted),
        1 => Just(Step::Logout),
        1 => Just(Step::Login),
        3 => (0..40_000_u16).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

fn login(row: &GrantRow, now: &Moment) -> GrantRow {
    let tokens = full_row("x").tokens.unwrap();
    let consented = Consented {
        app: row.app.clone(),
        client_id: row.client_id.clone(),
        consent: Consent {
            authorized_at: now.wall,
            reauthorize_by: UnixMillis(now.wall.0 + HALF_A_YEAR),
        },
        scope: row.scope.clone(),
        account: None,
        data_key: tokens.data_key,
        refresh: tokens.refresh,
        access: tokens.access.unwrap(),
    };
    consent(row, consented).row
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_order_of_events_goes_backwards_or_crosses_a_login(steps in steps()) {
        let app = AppState::default();
        let mut row = row();
        let mut tickets: [Option<Ticket>; 2] = [None, None];
        let mut now = at(1_000);
        for step in steps {
            let before = row.clone();
            let mut answered = false;
            match step {
                Step::Pass(millis) => now = at(now.wall.0 + i64::from(millis)),
                Step::Logout => row = sign_out(&row, now.wall).row,
                Step::Login => row = login(&row, &now),
                Step::Arm(first) => {
                    let instance = if first { ONE } else { OTHER };
                    if let Ok((change, ticket)) = arm(&row, &ask(&now, &app, instance)) {
                        prop_assert!(ticket.fence > before.fence);
                        prop_assert!(change.row.intent.is_some(), "durable before it is used");
                        row = change.row;
                        tickets[usize::from(first)] = Some(ticket);
                    }
                }
                Step::Granted { first, rotated } => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    answered = true;
                    match commit(&row, &ticket, &minted(&now, rotated), &now) {
                        Commit::Current(change) => {
                            let newest = before.intent.is_none() && ticket.minting == before.minting;
                            prop_assert!(ticket.fence == before.fence || newest);
                            prop_assert_eq!(change.row.consent, before.consent);
                            row = change.row;
                        }
                        Commit::Late(Some(change)) => {
                            prop_assert!(rotated && change.row.candidates.len() <= 8);
                            prop_assert_eq!(&change.row.tokens, &before.tokens);
                            row = change.row;
                        }
                        Commit::Late(None) => prop_assert!(!rotated),
                        Commit::Closed => prop_assert_ne!(ticket.epoch, before.epoch),
                    }
                }
                Step::Refused(first) => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    match refuse(&row, &ticket, &evidence(Before::Nothing), false, &now) {
                        Refusal::Judged(change) => row = change.row,
                        Refusal::Promotable(candidate) => {
                            row = promote(&row, &candidate, &exchange(), &now).unwrap().row;
                        }
                        Refusal::Moved => {}
                    }
                    prop_assert_eq!(row.tokens.is_some(), before.tokens.is_some(), "nothing erased");
                }
                Step::Faulted(first) => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    let unknown = Resolution::Unknown {
                        http_status: None,
                        why: String::new(),
                        missing: true,
                        pause: Duration::ZERO,
                    };
                    if let Some(change) = resolve(&row, &ticket, &unknown, &now) {
                        prop_assert_eq!(&change.row.status, &before.status);
                        row = change.row;
                    }
                }
            }
            prop_assert!((row.epoch, row.generation, row.minting) >= (before.epoch, before.generation, before.minting));
            prop_assert!(row.fence >= before.fence);
            prop_assert!(answered || row.minting == before.minting || row.epoch > before.epoch);
            if let Status::SignedOut { .. } = row.status {
                prop_assert!(row.tokens.is_none() && row.candidates.is_empty());
            }
        }
    }
}

#[test]
fn a_token_from_a_backup_waits_for_a_person() {
    let app = AppState::default();
    let (before, _) = armed(&row(), 1_000, OTHER);
    let change = restored(&before, true, &at(2_000)).unwrap();
    let waiting = change.row;
    assert!(waiting.status.is_restored() && waiting.intent.is_none());
    assert!(
        waiting.unanswered.as_ref().unwrap().missing,
        "somebody was at it"
    );
    let later = at(10_000_000_000);
    for (cause, canary) in [
        (Cause::Due, false),
        (Cause::Due, true),
        (Cause::Rejected, false),
    ] {
        let ask = Ask {
            cause,
            canary,
            ..ask(&later, &app, ONE)
        };
        let hold = arm(&waiting, &ask).unwrap_err();
        assert!(matches!(hold, Hold::Restored { .. }), "{hold:?}");
    }
    let now = at(3_000);
    let by_a_person = Ask {
        cause: Cause::Asked,
        ..ask(&now, &app, ONE)
    };
    let (change, ticket) = arm(&waiting, &by_a_person).unwrap();
    // Refused, it is explained; while many are refused nothing is believed, and the mark stays.
    let judged = refused(&change.row, &ticket, Before::Nothing, false, 4_000);
    let Status::Reauthorize { reason, .. } = judged.status else {
        panic!("{judged:?}");
    };
    assert_eq!(reason, Reason::Restored);
    let open = refused(&change.row, &ticket, Before::Nothing, true, 4_000);
    assert!(open.status.is_restored());
    // Accepted, it is a grant like any other.
    let Commit::Current(done) = commit(&change.row, &ticket, &minted(&now, true), &now) else {
        panic!("not current");
    };
    assert_eq!(done.row.status, Status::Active);
}

#[test]
fn a_backup_s_token_is_doubted_where_it_was_replaced_before_or_nobody_knows() {
    let unused = GrantRow {
        generation: crate::id::Generation(0),
        minting: crate::id::Minting(0),
        ..row()
    };
    let kept = GrantRow {
        minting: crate::id::Minting(1),
        ..unused.clone()
    };
    assert_eq!(habit(&unused), Habit::Unknown);
    assert_eq!(habit(&kept), Habit::Keeps);
    assert_eq!(habit(&row()), Habit::Replaces);
    let usable = restored(&kept, false, &at(1)).unwrap().row;
    assert_eq!(usable.status, Status::Active);
    let gone = sign_out(&row(), UnixMillis(1)).row;
    assert!(restored(&gone, true, &at(1)).is_none());
}
