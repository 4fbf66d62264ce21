//! What becomes of a token that makes room for another one without a verdict on it.

use super::*;
use crate::lifecycle::{candidate::set_aside, outcome::CANDIDATES, row::Candidate};

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;

fn current(row: &GrantRow, ticket: &Ticket, rotated: bool, now: i64) -> GrantRow {
    match commit(row, ticket, &minted(&at(now), rotated), &at(now)) {
        Commit::Current(change) => change.row,
        other => panic!("{other:?}"),
    }
}

fn given_back(row: &GrantRow, ticket: &Ticket, missing: bool, now: i64) -> GrantRow {
    let resolution = Resolution::Unknown {
        http_status: None,
        why: String::new(),
        missing,
        pause: Duration::ZERO,
    };
    resolve(row, ticket, &resolution, &at(now)).unwrap().row
}

fn candidate(row: &GrantRow, byte: u8, standing: Standing) -> Candidate {
    Candidate {
        presented: row.generation,
        fence: row.fence,
        sealed: sealed(byte),
        standing,
    }
}

/// A grant whose token took the place of one that was set aside.
fn replaced() -> GrantRow {
    let mut row = row();
    row.candidates = vec![candidate(&row, 20, Standing::SetAside)];
    row.generation = row.generation.next();
    row
}

fn promotable(row: &GrantRow, before: Before, now: i64) -> Option<GrantRow> {
    let (row, ticket) = armed(row, now, ONE);
    match refuse(&row, &ticket, &evidence(before), false, &at(now)) {
        Refusal::Promotable(candidate) => {
            let change = promote(&row, &candidate, &exchange(), &at(now));
            Some(change.unwrap().row)
        }
        Refusal::Judged(_) => None,
        Refusal::Moved => panic!("moved"),
    }
}

/// Refused once more; there is nothing to promote.
fn judged(row: &GrantRow, before: Before, now: i64) -> GrantRow {
    let (row, ticket) = armed(row, now, ONE);
    refused(&row, &ticket, before, false, now)
}

#[test]
fn an_answer_sets_its_token_aside_where_another_one_is_missing() {
    let (held, late) = armed(&row(), 0, ONE);
    let (taken, ticket) = armed(&held, 32_000, OTHER);
    let open = given_back(&taken, &ticket, true, 33_000);
    let row = current(&open, &late, true, 34_000);
    let [aside] = &row.candidates[..] else {
        panic!("{:?}", row.candidates);
    };
    assert_eq!(
        (aside.presented, aside.fence, aside.standing),
        (held.generation, late.fence, Standing::SetAside)
    );
    assert_eq!(aside.sealed, sealed(13));
    assert_eq!(row.tokens.unwrap().refresh, sealed(11));
    // The token stays what it was: there is nothing to keep.
    assert!(current(&open, &late, false, 34_000).candidates.is_empty());
    // Nor where it was presented once: the newest there is.
    assert!(current(&held, &late, true, 1).candidates.is_empty());
    let nobody = resolve(&held, &late, &Resolution::Untouched, &at(1)).unwrap();
    let row = current(&nobody.row, &late, true, 2);
    assert!(row.candidates.is_empty());
    // But where the one before may have presented it, or this one has, a try before.
    let row = current(&taken, &ticket, true, 33_000);
    assert_eq!(set_aside(&row).unwrap().fence, ticket.fence);
    for before in [Before::Fault, Before::Missing] {
        let again = Minted {
            before,
            ..minted(&at(1), true)
        };
        let Commit::Current(change) = commit(&held, &late, &again, &at(1)) else {
            panic!("not current");
        };
        assert!(set_aside(&change.row).is_some());
    }
}

#[test]
fn what_was_set_aside_comes_back_after_the_verdict_on_its_successor() {
    let first = judged(&replaced(), Before::Nothing, 0);
    let second = judged(&first, Before::Nothing, 15 * MINUTE);
    let back = promotable(&second, Before::Nothing, 7 * HOUR).expect("it has its turn");
    assert_eq!(back.tokens.as_ref().unwrap().refresh, sealed(42));
    assert_eq!(
        (&back.status, back.generation),
        (&Status::Active, second.generation.next())
    );
    let [refused] = &back.candidates[..] else {
        panic!("{:?}", back.candidates);
    };
    assert_eq!(
        (&refused.sealed, refused.standing),
        (&sealed(43), Standing::Refused)
    );
    // A verdict of its own, and then it is over: what had its verdict does not come back.
    let first = judged(&back, Before::Nothing, 8 * HOUR);
    let second = judged(&first, Before::Nothing, 9 * HOUR);
    assert!(matches!(second.status, Status::Suspect(_)));
    let over = judged(&second, Before::Nothing, 16 * HOUR);
    let Status::Reauthorize { reason, .. } = over.status else {
        panic!("{:?}", over.status);
    };
    assert_eq!(reason, Reason::Revoked);
}

#[test]
fn a_late_answer_for_the_refused_one_comes_before_what_came_back() {
    let mut row = replaced();
    let held = row.clone();
    let back = row.candidates[0].clone();
    row = promote(&row, &back, &exchange(), &at(0)).unwrap().row;
    assert!(successor(&row).is_none());
    row.candidates.push(candidate(&held, 22, Standing::Untried));
    assert_eq!(successor(&row).unwrap().sealed, sealed(22));
    // However often something came back meanwhile.
    let another = candidate(&row, 24, Standing::Refused);
    row.candidates.insert(0, another);
    row.generation = row.generation.next();
    assert_eq!(successor(&row).unwrap().sealed, sealed(22));
    // What was never set aside is the current one, and what came for a sibling of it says nothing about it.
    let mut other = held;
    other.candidates.push(Candidate {
        presented: back.presented,
        ..candidate(&other, 23, Standing::Untried)
    });
    assert!(successor(&other).is_none());
}

#[test]
fn a_missing_answer_is_no_verdict_while_a_token_is_set_aside() {
    let first = judged(&replaced(), Before::Missing, 0);
    assert!(matches!(first.status, Status::Suspect(_)), "{first:?}");
    assert!(promotable(&first, Before::Missing, MINUTE * 15).is_some());
    // Nor a date that only this machine's clock says has come.
    let late = judged(&replaced(), Before::Missing, 2 * HALF_A_YEAR);
    assert!(matches!(late.status, Status::Suspect(_)), "{late:?}");
}

#[test]
fn the_end_of_the_six_months_and_a_backup_bring_nothing_back() {
    let over = judged(&replaced(), Before::Nothing, HALF_A_YEAR);
    let Status::Reauthorize { reason, .. } = over.status else {
        panic!("{:?}", over.status);
    };
    assert_eq!(reason, Reason::Expired);

    let from_backup = restored(&replaced(), true, &at(0)).unwrap().row;
    let (now, app) = (at(1), AppState::default());
    let asked = Ask {
        cause: Cause::Asked,
        ..ask(&now, &app, ONE)
    };
    let (change, ticket) = arm(&from_backup, &asked).unwrap();
    let over = refused(&change.row, &ticket, Before::Missing, false, 2);
    let Status::Reauthorize { reason, .. } = over.status else {
        panic!("{:?}", over.status);
    };
    assert_eq!(reason, Reason::Restored);
}

#[test]
fn an_open_breaker_brings_nothing_back() {
    let first = judged(&replaced(), Before::Nothing, 0);
    let second = judged(&first, Before::Nothing, 15 * MINUTE);
    let (row, ticket) = armed(&second, 7 * HOUR, ONE);
    let row = refused(&row, &ticket, Before::Nothing, true, 7 * HOUR);
    assert!(matches!(row.status, Status::Suspect(_)));
}

#[test]
fn the_last_that_was_set_aside_comes_back_first() {
    let mut row = replaced();
    let late = candidate(&row, 21, Standing::Untried);
    row.candidates.push(late.clone());
    let row = promote(&row, &late, &exchange(), &at(0)).unwrap().row;
    assert_eq!(row.candidates.len(), 2);
    assert_eq!(set_aside(&row).unwrap().sealed, sealed(43));
}

#[test]
fn what_was_set_aside_goes_when_its_successor_is_accepted() {
    let (row, ticket) = armed(&replaced(), 0, ONE);
    assert!(current(&row, &ticket, true, 1).candidates.is_empty());
}

/// What stands by in a row that is full, after one more late answer.
fn after_one_too_many(standings: [Standing; CANDIDATES]) -> Vec<Candidate> {
    let (held, late) = armed(&row(), 0, ONE);
    let (mut taken, _) = armed(&held, 32_000, OTHER);
    let numbered = (30_u8..).zip(standings);
    taken.candidates = numbered
        .map(|(number, standing)| candidate(&taken, number, standing))
        .collect();
    let Commit::Late(Some(change)) = commit(&taken, &late, &minted(&at(1), true), &at(33_000))
    else {
        panic!("not late");
    };
    let candidates = change.row.candidates;
    assert_eq!(candidates.len(), CANDIDATES);
    let newest = candidates.last().unwrap();
    assert_eq!(newest.standing, Standing::Untried);
    assert!((30..38).all(|it| newest.sealed != sealed(it)));
    candidates
}

/// Which of them is gone.
fn missing(candidates: &[Candidate]) -> Vec<u8> {
    let is_in = |number: &u8| candidates.iter().any(|it| it.sealed == sealed(*number));
    (30..38).filter(|number| !is_in(number)).collect()
}

#[test]
fn one_late_answer_too_many_costs_a_token_that_had_its_verdict() {
    let mut standings = [Standing::Untried; CANDIDATES];
    standings[0] = Standing::SetAside;
    standings[1] = Standing::Refused;
    assert_eq!(missing(&after_one_too_many(standings)), [31]);
}

#[test]
fn one_late_answer_too_many_costs_the_oldest_and_nothing_that_was_set_aside() {
    let mut standings = [Standing::Untried; CANDIDATES];
    standings[0] = Standing::SetAside;
    standings[1] = Standing::SetAside;
    assert_eq!(missing(&after_one_too_many(standings)), [32]);
    let full = [Standing::SetAside; CANDIDATES];
    assert_eq!(
        missing(&after_one_too_many(full)),
        [37],
        "what was set aside first"
    );
}
