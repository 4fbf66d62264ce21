//! 429s, gates, and the gates of a process.

mod gates;
mod judge;
mod step;

use std::time::Duration;

use super::*;
use crate::time::{BootId, Moment, UnixMillis, Uptime};

const SECOND: Duration = Duration::from_secs(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn moment(wall: u64, uptime: u64, boot: u128) -> Moment {
    Moment {
        wall: UnixMillis(0).after(seconds(wall)),
        uptime: Uptime(0).after(seconds(uptime)),
        boot: BootId(boot),
    }
}

fn limit(kind: Kind, wait: u64) -> Limit {
    Limit {
        kind,
        wait: seconds(wait),
        told: Some(seconds(wait)),
    }
}

fn rate(wait: u64, now: &Moment) -> Gate {
    let (app, developer) = ("a".parse().unwrap(), "us".parse().unwrap());
    Gate::closed(&app, &developer, &limit(Kind::Rate, wait), now)
}

#[test]
fn the_rate_is_an_app_s_and_the_quota_its_developer_s() {
    let now = moment(0, 0, 1);
    let (app, developer) = ("a".parse().unwrap(), "us".parse().unwrap());
    for (kind, bucket) in [(Kind::Rate, "app:a"), (Kind::Quota, "developer:us")] {
        let gate = Gate::closed(&app, &developer, &limit(kind, 5), &now);
        assert_eq!(
            (gate.bucket.to_string(), gate.kind()),
            (bucket.into(), kind)
        );
        assert_eq!(bucket.parse(), Ok(gate.bucket));
    }
    for bad in ["", "a", "app:", "app", "client:a", "app:a b", "App:a"] {
        assert_eq!(bad.parse::<Bucket>(), Err(BucketError), "{bad}");
    }
}

#[test]
fn a_shorter_answer_does_not_cut_a_longer_one_short_and_a_longer_one_lengthens_it() {
    let first = rate(100, &moment(0, 0, 1));
    let later = moment(50, 50, 1);
    let shorter = first.and(&rate(49, &later), &later);
    assert_eq!(shorter, first);
    let same = first.and(&rate(50, &later), &later);
    assert_eq!(same, first);
    let longer = first.and(&rate(51, &later), &later);
    assert_eq!(longer.remaining(&later), seconds(51));
    assert_eq!(longer.told, Some(seconds(51)));
    assert_eq!(longer.since, first.since, "it has been closed since then");
    let mirrored = rate(51, &later).and(&first, &later);
    assert_eq!(mirrored, longer, "whoever is first");
}

#[test]
fn a_date_that_is_set_moves_no_gate_while_the_machine_runs() {
    let gate = rate(80_000, &moment(1_000_000, 10, 1));
    for wall in [0, 999_999, 1_000_060, 50_000_000] {
        let now = moment(wall, 70, 1);
        assert_eq!(gate.remaining(&now), seconds(79_940), "{wall}");
        assert_eq!(gate.ends(&now), now.wall.after(seconds(79_940)));
    }
}

#[test]
fn after_a_restart_the_rest_is_counted_on_and_no_date_moves_it_again() {
    let gate = rate(80_000, &moment(1_000_000, 500, 1));
    let boot = moment(1_030_000, 3, 2);
    let here = gate.clone().rebased(&boot);
    assert_eq!(here.remaining(&boot), seconds(50_000));
    let jumped = moment(9_000_000, 1_003, 2);
    assert_eq!(here.remaining(&jumped), seconds(49_000));
    assert_eq!(here.until.span, gate.until.span, "what was set stays told");
    assert_eq!(here.clone().rebased(&jumped), here);
    // A date before the gate was closed does not make it longer than it ever was.
    assert_eq!(
        gate.rebased(&moment(0, 3, 2)).remaining(&moment(0, 3, 2)),
        seconds(80_000)
    );
}

#[test]
fn a_wait_that_is_not_believed_shows_what_was_said() {
    let now = moment(0, 0, 1);
    let capped = Limit {
        told: Some(seconds(1_000_000_000)),
        ..limit(Kind::Rate, 7 * 24 * 3600)
    };
    let gate = Gate::closed(&"a".parse().unwrap(), &"a".parse().unwrap(), &capped, &now);
    assert!(gate.is_capped());
    assert!(gate.rebased(&moment(10, 10, 2)).is_capped());
    assert!(!rate(5, &now).is_capped());
    let zero = Limit {
        told: Some(Duration::ZERO),
        ..limit(Kind::Rate, 1)
    };
    assert!(!Gate::closed(&"a".parse().unwrap(), &"a".parse().unwrap(), &zero, &now).is_capped());
}

#[test]
fn a_gate_reads_back_from_json() {
    let gate = Gate {
        told: Some(Duration::new(u64::MAX / 2000, 999_999_999)),
        ..rate(80_000, &moment(1, 2, u128::MAX))
    };
    let text = serde_json::to_string(&gate).unwrap();
    assert!(text.contains("\"bucket\":\"app:a\""), "{text}");
    assert_eq!(serde_json::from_str::<Gate>(&text).unwrap(), gate);
    let wrong = text.replace("app:a", "a");
    assert!(serde_json::from_str::<Gate>(&wrong).is_err());
}

#[test]
fn a_gate_that_nobody_came_to_is_forgotten_a_day_after_its_end() {
    let gate = rate(10, &moment(0, 0, 1));
    let day = 24 * 3600;
    assert!(!gate.is_forgotten(&moment(0, 10 + day - 1, 1)));
    assert!(gate.is_forgotten(&moment(0, 10 + day, 1)));
    assert!(!gate.is_forgotten(&moment(10 + day - 1, 0, 2)));
    assert!(gate.is_forgotten(&moment(10 + day, 0, 2)));
}
