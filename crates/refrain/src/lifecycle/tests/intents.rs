//! Who may present, and where an answer or an intent that is given back ends up.

use super::*;

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
fn an_intent_that_was_never_written_is_not_given_back_in_anothers_place() {
    let (_, lost) = armed(&row(), 1_000, ONE);
    let (theirs, ticket) = armed(&row(), 1_001, OTHER);
    assert_eq!(lost.fence, ticket.fence, "the number was free");
    assert!(!lost.holds(&theirs) && ticket.holds(&theirs));
    // Nor in the place of a later one of the same process.
    let (app, now) = (AppState::default(), at(1_001));
    let later = Ask {
        attempt: 1,
        ..ask(&now, &app, ONE)
    };
    let (change, ticket) = arm(&row(), &later).unwrap();
    assert!(!lost.holds(&change.row) && ticket.holds(&change.row));
    assert_eq!(Ticket::of(&change.row), Some(ticket));
    let resolved = resolve(&theirs, &lost, &Resolution::Untouched, &at(1_002));
    assert!(resolved.is_none());
    let refusal = refuse(
        &theirs,
        &lost,
        &evidence(Before::Nothing),
        false,
        &at(1_002),
    );
    assert!(matches!(refusal, Refusal::Moved));
}
