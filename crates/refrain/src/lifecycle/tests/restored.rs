//! Tokens from a backup.

use super::*;

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
    for hold in holds_of_all_but_a_person(&waiting, &later) {
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
