//! Who is let through.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::time::{Clock, ManualClock};

/// Gates for the apps `a` and `b` of one developer and `c` of another, and their clock.
pub(super) fn gates() -> (Gates, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(UnixMillis(1_000_000)));
    (on(&clock), clock)
}

pub(super) fn on(clock: &Arc<ManualClock>) -> Gates {
    let developers = [("a", "us"), ("b", "us"), ("c", "them")];
    let developers = developers.map(|(app, of)| (app.parse().unwrap(), of.parse().unwrap()));
    Gates::new(
        Arc::clone(clock) as Arc<dyn Clock>,
        BTreeMap::from(developers),
    )
}

pub(super) fn limited(gates: &Gates, app: &str, kind: Kind, wait: u64) {
    let outcome = Outcome::Limited(limit(kind, wait));
    gates.report(&app.parse().unwrap(), None, outcome);
}

fn enter(gates: &Gates, app: &str) -> Entered {
    gates.enter(&app.parse().unwrap())
}

/// `open`, `probe`, or for how many milliseconds it is closed.
fn seen(gates: &Gates, app: &str) -> String {
    match enter(gates, app) {
        Entered::Open => "open".to_owned(),
        Entered::Probe(_) => "probe".to_owned(),
        Entered::Closed(closed) => closed.remaining.as_millis().to_string(),
    }
}

fn probe(gates: &Gates, app: &str) -> Probe {
    match enter(gates, app) {
        Entered::Probe(probe) => probe,
        other => panic!("{other:?}"),
    }
}

fn passed(gates: &Gates, app: &str, probe: impl Into<Option<Probe>>) {
    gates.report(&app.parse().unwrap(), probe.into(), Outcome::Passed);
}

#[test]
fn without_a_gate_everybody_passes() {
    let (gates, _) = gates();
    assert_eq!(seen(&gates, "a"), "open");
    passed(&gates, "a", None);
    assert_eq!(gates.list(), []);
}

#[test]
fn the_rate_of_one_app_is_no_other_s_and_the_quota_is_its_whole_developer_s() {
    let (gates, _) = gates();
    limited(&gates, "a", Kind::Rate, 30);
    assert_eq!(
        ["a", "b", "c"].map(|app| seen(&gates, app)),
        ["30000", "open", "open"]
    );
    limited(&gates, "b", Kind::Quota, 80_000);
    assert_eq!(
        ["a", "b", "c", "new"].map(|app| seen(&gates, app)),
        ["80000000", "80000000", "open", "open"]
    );
    // An app that is not configured has a developer of its own name.
    limited(&gates, "new", Kind::Quota, 5);
    assert_eq!(seen(&gates, "new"), "5000");
}

#[test]
fn who_is_turned_away_is_told_which_limit_it_is_and_for_how_long() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Quota, 80_000);
    clock.advance(Duration::from_millis(500));
    // A wrong date moves the instants that people see, and no remaining time.
    clock.set_wall(UnixMillis(5));
    let Entered::Closed(closed) = enter(&gates, "b") else {
        panic!("it is open");
    };
    assert_eq!(closed.kind, Kind::Quota);
    assert_eq!(closed.bucket.to_string(), "developer:us");
    assert_eq!(closed.remaining, Duration::from_millis(79_999_500));
    assert_eq!(closed.until, UnixMillis(5 + 79_999_500));
    assert_eq!(closed.since, UnixMillis(1_000_000));
    assert_eq!(closed.retry_after(), 80_000, "never too early");
    let almost = Closed {
        remaining: Duration::from_millis(1),
        ..closed
    };
    assert_eq!(almost.retry_after(), 1);
}

#[test]
fn after_its_end_one_is_let_through_and_the_others_wait_for_its_answer() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 30);
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(seen(&gates, "a"), "1");
    clock.advance(Duration::from_millis(1));
    let first = probe(&gates, "a");
    for _ in 0..100 {
        assert_eq!(seen(&gates, "a"), "1000");
    }
    // Others who were on their way before it closed say nothing about now.
    passed(&gates, "a", None);
    assert_eq!(seen(&gates, "a"), "1000");
    passed(&gates, "a", first);
    assert_eq!(seen(&gates, "a"), "open");
    assert_eq!(gates.list(), []);
}

#[test]
fn a_probe_that_is_turned_away_closes_the_gate_again() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 30);
    clock.advance(seconds(30));
    let first = probe(&gates, "a");
    let again = Outcome::Limited(limit(Kind::Rate, 7));
    gates.report(&"a".parse().unwrap(), Some(first), again);
    assert_eq!(seen(&gates, "a"), "7000");
    assert_eq!(gates.list()[0].since, UnixMillis(1_000_000));
    clock.advance(seconds(7));
    passed(&gates, "a", probe(&gates, "a"));
    assert_eq!(seen(&gates, "a"), "open");
}

#[test]
fn a_probe_whose_client_has_gone_lets_the_next_one_try() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 1);
    clock.advance(SECOND);
    drop(probe(&gates, "a"));
    let second = probe(&gates, "a");
    assert_eq!(seen(&gates, "a"), "1000");
    passed(&gates, "a", second);
    assert_eq!(seen(&gates, "a"), "open");
}

#[test]
fn a_probe_that_hangs_does_not_hold_everybody_up_for_ever() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 1);
    clock.advance(SECOND);
    let lost = probe(&gates, "a");
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(seen(&gates, "a"), "1000");
    clock.advance(Duration::from_millis(1));
    let second = probe(&gates, "a");
    // The first one gives up at last, which is no reason to send a third.
    drop(lost);
    assert_eq!(seen(&gates, "a"), "1000");
    drop(second);
    assert_eq!(seen(&gates, "a"), "probe");
}

#[test]
fn an_answer_to_a_probe_does_not_open_what_has_closed_since() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 1);
    clock.advance(SECOND);
    let early = probe(&gates, "a");
    limited(&gates, "a", Kind::Rate, 20);
    passed(&gates, "a", early);
    assert_eq!(seen(&gates, "a"), "20000");
    clock.advance(seconds(20));
    assert_eq!(seen(&gates, "a"), "probe");
}

#[test]
fn one_probe_passes_both_gates_of_an_app() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 5);
    limited(&gates, "a", Kind::Quota, 10);
    clock.advance(seconds(10));
    let both = probe(&gates, "a");
    assert_eq!(
        seen(&gates, "b"),
        "1000",
        "its developer is asked for already"
    );
    passed(&gates, "a", both);
    assert_eq!(gates.list(), []);
    // Where it meets the one limit, the other gate is still to be tried.
    limited(&gates, "a", Kind::Rate, 5);
    limited(&gates, "a", Kind::Quota, 5);
    clock.advance(seconds(5));
    let both = probe(&gates, "a");
    let again = Outcome::Limited(limit(Kind::Rate, 50));
    gates.report(&"a".parse().unwrap(), Some(both), again);
    assert_eq!(seen(&gates, "a"), "50000");
    assert_eq!(seen(&gates, "b"), "probe");
}

#[test]
fn of_a_hundred_who_come_at_the_end_one_is_the_probe() {
    let (gates, clock) = gates();
    limited(&gates, "a", Kind::Rate, 1);
    clock.advance(SECOND);
    let barrier = std::sync::Barrier::new(20);
    let probes: Vec<Probe> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let entered = (0..5).map(|_| enter(&gates, "a"));
                    let probes = entered.filter_map(|it| match it {
                        Entered::Probe(probe) => Some(probe),
                        Entered::Open => panic!("it is closed"),
                        Entered::Closed(_) => None,
                    });
                    probes.collect::<Vec<_>>()
                })
            })
            .collect();
        let ended = threads.into_iter().map(|it| it.join().unwrap());
        ended.flatten().collect()
    });
    assert_eq!(probes.len(), 1);
}
