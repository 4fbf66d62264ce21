//! What a refusal proves, alone and among many.

use super::*;

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

#[test]
fn among_very_many_two_hundred_refusals_are_enough_and_no_more_are_kept() {
    let kept = |app: &AppState| {
        serde_json::to_value(app).unwrap()["refusals"]
            .as_array()
            .map(Vec::len)
    };
    let mut app = AppState::default();
    for number in 1..=300 {
        app = app.refused(&full_row("a").id, 1_000_000, &at(1_000));
        assert_eq!(app.breaker.is_some(), number >= 200, "{number}");
        assert_eq!(kept(&app), Some(number.min(200)));
    }
    let mut fewer = AppState::default();
    for number in 1..=60 {
        fewer = fewer.refused(&full_row("a").id, 1_000, &at(1_000));
        assert_eq!(
            fewer.breaker.is_some(),
            number >= 50,
            "{number}: one in twenty"
        );
    }
}
