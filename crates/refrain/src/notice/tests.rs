//! What is told of a grant, as a table; when a delivery is tried again; and a known signature.

use std::time::Duration;

use serde_json::{Value, json};

use super::{delivery::pause, *};
use crate::{
    id::{Epoch, GrantId},
    lifecycle::{
        GrantRow,
        row::{Account, Consent, Reason, Status, Suspicion},
    },
    random::SystemRandom,
    secret::WebhookSecret,
    time::{BootId, Deadline, UnixMillis, Uptime},
};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// When the user consented, and 180 days later the end of that.
const BEGIN: i64 = 1000 * DAY;
const END: i64 = BEGIN + 180 * DAY;

fn row(epoch: u64, status: Status) -> GrantRow {
    let consent = Consent {
        authorized_at: UnixMillis(BEGIN),
        reauthorize_by: UnixMillis(END),
        latest: None,
    };
    let signed_out = matches!(status, Status::SignedOut { .. });
    GrantRow {
        epoch: Epoch(epoch),
        consent: (!signed_out).then_some(consent),
        account: Some(Account {
            id: "canary-account".to_owned(),
            display_name: Some("canary-name".to_owned()),
        }),
        status,
        ..GrantRow::blank(
            GrantId::random(&SystemRandom).unwrap(),
            "alice".parse().unwrap(),
            "default".parse().unwrap(),
            "client".parse().unwrap(),
            UnixMillis(BEGIN),
        )
    }
}

fn active(epoch: u64) -> GrantRow {
    row(epoch, Status::Active)
}

fn suspect(epoch: u64) -> GrantRow {
    let next_probe = Deadline {
        wall: UnixMillis(0),
        uptime: Uptime(0),
        boot: BootId(0),
        span: 0,
    };
    let suspicion = Suspicion {
        since: UnixMillis(0),
        refusals: 1,
        next_probe,
        restored: false,
        imported: false,
    };
    row(epoch, Status::Suspect(suspicion))
}

fn condemned(epoch: u64) -> GrantRow {
    let (reason, since) = (Reason::Revoked, UnixMillis(BEGIN + DAY));
    row(epoch, Status::Reauthorize { reason, since })
}

fn gone(epoch: u64) -> GrantRow {
    let since = UnixMillis(BEGIN + 2 * DAY);
    row(epoch, Status::SignedOut { since })
}

fn told(epoch: u64, standing: Standing, days: Option<u8>) -> Told {
    let epoch = Epoch(epoch);
    Told {
        epoch,
        standing,
        days,
    }
}

/// What is told, in words, with its days.
fn words(due: &Due) -> Vec<Word> {
    let news = due.news.iter();
    news.map(|news| (news.kind.word(), news.days)).collect()
}

type Word = (&'static str, Option<u8>);
/// How a grant stands, what was told of it, when it is looked at, and what is told then.
type Case = (GrantRow, Told, i64, Vec<Word>);

const YES: Word = ("grant.connected", None);
const AGAIN: Word = ("grant.reauthorize", None);
const BACK: Word = ("grant.recovered", None);
const OUT: Word = ("grant.signed_out", None);
const SOON: &str = "grant.reauthorize_soon";

fn check(cases: Vec<Case>) {
    for (row, told, now, expected) in cases {
        let now = UnixMillis(now);
        let due = due(&row, Some(&told), UnixMillis(0), now);
        let case = format!("{:?} {told:?} {now}", row.status);
        assert_eq!(words(&due), expected, "{case}");
        assert_eq!(due.told.epoch, row.epoch);
        assert_eq!(due.told.standing, Standing::of(&row.status));
        // What has been told is not told again.
        let again = super::due(&row, Some(&due.told), UnixMillis(0), now);
        assert!(again.news.is_empty(), "{case}");
        assert_eq!(
            (again.told, again.next_at),
            (due.told, due.next_at),
            "{case}"
        );
        assert!(due.next_at.is_none_or(|at| at > now), "{case}");
    }
}

/// Taken over from another program, and never accepted here.
fn in_doubt(epoch: u64) -> GrantRow {
    let row = suspect(epoch);
    let status = match row.status {
        Status::Suspect(suspicion) => Status::Suspect(Suspicion {
            imported: true,
            ..suspicion
        }),
        status => status,
    };
    GrantRow { status, ..row }
}

#[test]
fn what_is_imported_is_told_when_it_is_accepted() {
    use Standing::{Connected, Reauthorize, SignedOut};
    let early = BEGIN + DAY;
    check(vec![
        (in_doubt(2), told(1, Reauthorize, None), early, vec![]),
        (in_doubt(2), told(1, SignedOut, None), early, vec![]),
        (in_doubt(2), told(1, Connected, None), early, vec![]),
        (active(2), told(2, SignedOut, None), early, vec![YES]),
    ]);
}

#[test]
fn what_is_told_is_how_a_grant_stands_otherwise_than_it_was_told_of_last() {
    use Standing::{Connected, Reauthorize, SignedOut};
    let early = BEGIN + DAY;
    check(vec![
        (active(1), told(1, Connected, None), early, vec![]),
        (suspect(1), told(1, Connected, None), early, vec![]),
        (condemned(1), told(1, Connected, None), early, vec![AGAIN]),
        (condemned(1), told(1, Reauthorize, None), early, vec![]),
        (active(1), told(1, Reauthorize, None), early, vec![BACK]),
        (suspect(1), told(1, Reauthorize, None), early, vec![BACK]),
        (active(2), told(1, Reauthorize, None), early, vec![YES]),
        (active(2), told(1, Connected, None), early, vec![YES]),
        (active(3), told(2, SignedOut, None), early, vec![YES]),
        (condemned(2), told(1, Connected, None), early, vec![AGAIN]),
        (condemned(2), told(1, Reauthorize, None), early, vec![AGAIN]),
        (gone(2), told(1, Connected, Some(7)), early, vec![OUT]),
        (gone(2), told(1, Reauthorize, None), early, vec![OUT]),
        (gone(2), told(2, SignedOut, None), early, vec![]),
        // A login and a logout that nobody has heard of.
        (gone(4), told(2, SignedOut, None), early, vec![]),
        // A logout and a login.
        (active(3), told(1, Connected, Some(1)), early, vec![YES]),
    ]);
}

#[test]
fn of_the_days_ahead_each_is_told_once_and_of_several_that_have_come_the_nearest() {
    use Standing::{Connected, Reauthorize};
    let ahead = |days: i64| END - days * DAY;
    let soon = |days| vec![(SOON, Some(days))];
    check(vec![
        (active(1), told(1, Connected, None), ahead(30) - 1, vec![]),
        (active(1), told(1, Connected, None), ahead(30), soon(30)),
        (
            active(1),
            told(1, Connected, Some(30)),
            ahead(7) - 1,
            vec![],
        ),
        (active(1), told(1, Connected, Some(30)), ahead(7), soon(7)),
        (active(1), told(1, Connected, Some(7)), ahead(1), soon(1)),
        (suspect(1), told(1, Connected, Some(7)), ahead(1), soon(1)),
        (active(1), told(1, Connected, Some(1)), END + DAY, vec![]),
        // Nobody ran for a while.
        (active(1), told(1, Connected, None), ahead(2), soon(7)),
        (active(1), told(1, Connected, None), END - 5, soon(1)),
        (active(1), told(1, Connected, None), END + 5, soon(1)),
        // A clock that is set back tells nothing again.
        (active(1), told(1, Connected, Some(7)), ahead(20), vec![]),
        // Whoever needs a new consent now is not told that he will.
        (
            condemned(1),
            told(1, Connected, None),
            ahead(1),
            vec![AGAIN],
        ),
        // Each consent has days of its own.
        (
            active(2),
            told(1, Connected, Some(1)),
            ahead(7),
            [vec![YES], soon(7)].concat(),
        ),
        (
            active(1),
            told(1, Reauthorize, None),
            ahead(7),
            [vec![BACK], soon(7)].concat(),
        ),
    ]);
}

#[test]
fn of_a_grant_that_is_seen_for_the_first_time_only_what_is_new_or_needs_doing_is_told() {
    let (before, after) = (UnixMillis(BEGIN), UnixMillis(BEGIN - 1));
    let early = UnixMillis(BEGIN + DAY);
    let first = |row: &GrantRow, since, now| words(&due(row, None, since, now));
    assert_eq!(first(&active(1), before, early), [], "it is old");
    assert_eq!(first(&active(1), after, early), [("grant.connected", None)]);
    assert_eq!(
        first(&condemned(1), before, early),
        [("grant.reauthorize", None)]
    );
    assert_eq!(first(&gone(2), after, early), []);
    let soon = [("grant.reauthorize_soon", Some(7))];
    assert_eq!(first(&active(1), before, UnixMillis(END - 3 * DAY)), soon);
}

#[test]
fn the_next_time_to_look_is_the_next_day_that_is_told() {
    let next = |days, now| {
        let told = told(1, Standing::Connected, days);
        due(&active(1), Some(&told), UnixMillis(0), UnixMillis(now)).next_at
    };
    let before = |days: i64| Some(UnixMillis(END - days * DAY));
    assert_eq!(next(None, BEGIN), before(30));
    assert_eq!(next(None, END - 30 * DAY), before(7));
    assert_eq!(next(Some(30), BEGIN), before(7));
    assert_eq!(next(Some(7), END - 7 * DAY), before(1));
    assert_eq!(next(Some(7), END - DAY), None);
    for row in [condemned(1), gone(1)] {
        let due = due(&row, None, UnixMillis(0), UnixMillis(BEGIN));
        assert_eq!(due.next_at, None);
    }
}

#[test]
fn a_message_holds_names_states_and_dates_and_nothing_of_the_account() {
    let news = |kind, days| News { kind, days };
    let now = UnixMillis(END - 7 * DAY);
    let about = |row: &GrantRow, news| Message::about(row, news, now, &SystemRandom).unwrap();
    let soon = about(&active(1), news(Kind::ReauthorizeSoon, Some(7)));
    let body: Value = serde_json::from_str(&soon.body).unwrap();
    let expected = json!({
        "type": "grant.reauthorize_soon",
        "timestamp": now.to_string(),
        "data": {
            "grant": "alice",
            "app": "default",
            "status": "active",
            "reason": null,
            "since": null,
            "authorized_at": UnixMillis(BEGIN).to_string(),
            "reauthorize_by": UnixMillis(END).to_string(),
            "authorized_at_latest": null,
            "reauthorize_by_latest": null,
            "days": 7,
        },
    });
    assert_eq!(body, expected);
    let out = about(&gone(2), news(Kind::SignedOut, None));
    let again = about(&condemned(1), news(Kind::Reauthorize, None));
    let test = Message::test(now, &SystemRandom).unwrap();
    for message in [&soon, &out, &again, &test] {
        assert!(!message.body.contains("canary"), "{}", message.body);
        assert_eq!(
            MessageId::parse(message.id.as_str()).as_ref(),
            Some(&message.id)
        );
    }
    let timestamp = |message: &Message| {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        body["timestamp"].as_str().unwrap().to_owned()
    };
    assert_eq!(timestamp(&out), UnixMillis(BEGIN + 2 * DAY).to_string());
    assert_eq!(timestamp(&again), UnixMillis(BEGIN + DAY).to_string());
    assert!(again.body.contains(r#""reason":"revoked""#));
}

#[test]
fn of_a_day_that_nobody_knows_the_earliest_counts_and_both_are_told() {
    let mut row = active(1);
    let latest = UnixMillis(BEGIN + 40 * DAY);
    row.consent = row.consent.map(|consent| Consent {
        latest: Some(latest),
        ..consent
    });
    let now = UnixMillis(END - 7 * DAY);
    let due = due(&row, None, UnixMillis(BEGIN + 30 * DAY), now);
    let kinds: Vec<_> = due.news.iter().map(|news| (news.kind, news.days)).collect();
    // It may have been since somebody began to tell.
    assert_eq!(
        kinds,
        [(Kind::Connected, None), (Kind::ReauthorizeSoon, Some(7))]
    );
    for news in due.news {
        let message = Message::about(&row, news, now, &SystemRandom).unwrap();
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body["timestamp"], now.to_string(), "nobody knows when");
        assert_eq!(body["data"]["authorized_at_latest"], latest.to_string());
        let end = row.consent.unwrap().end().to_string();
        assert_eq!(body["data"]["reauthorize_by_latest"], end);
        assert_eq!(body["data"]["reauthorize_by"], UnixMillis(END).to_string());
    }
}

#[test]
fn a_delivery_is_tried_ten_times_over_three_days() {
    let seconds = |attempts| pause(attempts, None, 128).map(|it| it.as_secs_f64().round());
    let pauses: Vec<f64> = (1..20).map_while(seconds).collect();
    let usual = [
        5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0,
    ];
    assert_eq!(pauses.len(), usual.len());
    for (pause, usual) in pauses.iter().zip(usual) {
        assert!(
            (pause - usual).abs() <= usual / 200.0 + 1.0,
            "{pause} {usual}"
        );
    }
    let with = |asked, jitter| pause(2, asked, jitter).unwrap().as_secs();
    assert_eq!((with(None, 0), with(None, 255)), (270, 330));
    assert_eq!(
        with(Some(Duration::from_secs(10)), 0),
        270,
        "sooner is not asked for"
    );
    assert_eq!(with(Some(Duration::from_secs(1000)), 0), 1000);
    assert_eq!(with(Some(Duration::MAX), 0), 86_400, "a day at most");
}

/// The example of the specification.
#[test]
fn a_signature_is_that_of_standard_webhooks() {
    let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let other = WebhookSecret::parse("whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw==");
    let other = other.unwrap();
    let id = MessageId::parse("msg_p5jXN8AQM9LWM0D4loKWxJek").unwrap();
    let body = r#"{"test": 2432232314}"#;
    let one = sign::signatures(std::slice::from_ref(&secret), &id, 1_614_265_330, body);
    assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let both = sign::signatures(&[other, secret], &id, 1_614_265_330, body);
    let parts: Vec<_> = both.split(' ').collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts.last(), Some(&one.as_str()));
}
