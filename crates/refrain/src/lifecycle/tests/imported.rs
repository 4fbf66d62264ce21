//! Tokens of other programs, and consents of which nobody knows the day.

use super::*;
use crate::lifecycle::row::Bounds;

const DAY: i64 = 24 * 3600 * 1000;
/// 2026-11-18.
const NOW: i64 = 1_795_000_000_000;

fn bounds(after: Option<i64>, before: Option<i64>) -> Bounds {
    Bounds {
        after: after.map(UnixMillis),
        before: before.map(UnixMillis),
    }
}

fn taken_over() -> GrantRow {
    let before = row();
    let tokens = before.tokens.clone().unwrap();
    let imported = Imported {
        app: before.app.clone(),
        client_id: before.client_id.clone(),
        origin: Origin {
            source: "spotipy".to_owned(),
            token: "00ff".to_owned(),
        },
        consent: Consent::between(Bounds::default(), UnixMillis(NOW)),
        scope: before.scope.clone(),
        data_key: tokens.data_key,
        refresh: tokens.refresh,
    };
    let change = import(&before, imported, &at(NOW));
    assert_eq!(change.row.epoch, before.epoch.next());
    assert!(change.row.fence > before.fence);
    assert_eq!((change.row.generation.0, change.row.minting.0), (0, 0));
    assert_eq!(change.row.account, None, "whose it is is found out");
    change.row
}

#[test]
fn an_imported_token_waits_for_a_person_until_it_is_accepted() {
    let app = AppState::default();
    let waiting = taken_over();
    assert!(waiting.status.is_imported() && !waiting.status.is_restored());
    let later = at(NOW + 10 * DAY);
    for hold in holds_of_all_but_a_person(&waiting, &later) {
        assert!(matches!(hold, Hold::Imported { .. }), "{hold:?}");
    }
    let now = at(NOW + 1);
    let by_a_person = Ask {
        cause: Cause::Asked,
        ..ask(&now, &app, ONE)
    };
    let (change, ticket) = arm(&waiting, &by_a_person).unwrap();
    // One refusal is enough for what never worked, unless many are refused at once.
    let reason = |before, open| match refused(&change.row, &ticket, before, open, NOW + 2).status {
        Status::Reauthorize { reason, .. } => Some(reason),
        status => {
            assert!(status.is_imported(), "{status:?}");
            None
        }
    };
    assert_eq!(reason(Before::Nothing, false), Some(Reason::Imported));
    assert_eq!(reason(Before::Missing, false), Some(Reason::AnswerLost));
    assert_eq!(reason(Before::Nothing, true), None);
    // Accepted, it is a grant like any other, and the doubt about its day stays.
    let Commit::Current(done) = commit(&change.row, &ticket, &minted(&now, true), &now) else {
        panic!("not current");
    };
    assert_eq!(done.row.status, Status::Active);
    assert_eq!(done.row.consent, waiting.consent);
}

#[test]
fn bounds_are_what_is_known_and_no_narrower() {
    let now = UnixMillis(NOW);
    let consent = |after, before| Consent::between(bounds(after, before), now);
    // Nothing is known: within six months, and up to now.
    let unknown = consent(None, None);
    assert_eq!(unknown.authorized_at.to_string(), "2026-05-18T11:06:40Z");
    assert_eq!(unknown.latest, Some(now));
    assert_eq!(unknown.reauthorize_by, now);
    assert_eq!(unknown.end().to_string(), "2027-05-18T11:06:40Z");
    // A file of ten days ago ends it sooner, an entry of twenty days ago begins it later.
    let both = consent(Some(NOW - 20 * DAY), Some(NOW - 10 * DAY));
    assert_eq!(both.authorized_at, UnixMillis(NOW - 20 * DAY));
    assert_eq!(both.latest, Some(UnixMillis(NOW - 10 * DAY)));
    assert_eq!(both.reauthorize_by.to_string(), "2027-04-29T11:06:40Z");
    assert_eq!(both.end().to_string(), "2027-05-08T11:06:40Z");
    // Clocks that ran ahead, and entries older than any token, say nothing.
    assert_eq!(consent(None, Some(NOW + DAY)), unknown);
    assert_eq!(consent(Some(NOW - 300 * DAY), None), unknown);
    // A file that is older than six months: over by Spotify's word, and tried all the same.
    let old = consent(None, Some(NOW - 200 * DAY));
    assert_eq!(old.authorized_at, UnixMillis(NOW - 200 * DAY));
    assert!(old.end() < now && old.reauthorize_by <= old.end());
    // Bounds never cross, whatever is claimed.
    for after in [None, Some(NOW - 5 * DAY), Some(NOW + 5 * DAY)] {
        for before in [None, Some(NOW - 9 * DAY), Some(0)] {
            let it = consent(after, before);
            assert!(
                it.authorized_at <= it.latest.unwrap(),
                "{after:?} {before:?}"
            );
            assert!(
                it.reauthorize_by <= it.end().max(now),
                "{after:?} {before:?}"
            );
        }
    }
    // A known day is one.
    let given = Consent::given(now);
    assert_eq!((given.end(), given.latest), (given.reauthorize_by, None));
}

#[test]
fn at_the_last_day_of_a_long_month_it_is_not_over_yet() {
    // 2026-08-31: six months before is the last day of February, and six after that are over.
    let now = UnixMillis(1_788_134_400_000);
    assert_eq!(now.to_string(), "2026-08-31T00:00:00Z");
    assert_eq!(Consent::between(Bounds::default(), now).reauthorize_by, now);
}

#[test]
fn between_its_two_days_a_refusal_is_verified_and_behind_them_believed() {
    let consent = Consent::between(Bounds::default(), UnixMillis(NOW));
    let active = GrantRow {
        consent: Some(consent),
        ..row()
    };
    let refuse_at = |row: &GrantRow, now: i64| {
        let (row, ticket) = armed(row, now, ONE);
        refused(&row, &ticket, Before::Nothing, false, now)
    };
    let first = refuse_at(&active, NOW + DAY);
    assert!(matches!(first.status, Status::Suspect(_)), "{first:?}");
    let second = refuse_at(&first, NOW + 2 * DAY);
    let third = refuse_at(&second, NOW + 3 * DAY);
    assert_eq!(third.status.reason(), Some(Reason::Expired));
    let over = refuse_at(&active, consent.end().0);
    assert_eq!(over.status.reason(), Some(Reason::Expired));
}
