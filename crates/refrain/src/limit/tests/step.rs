//! Keeping step with a store, and by it with other processes.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::{
    gates::{gates, limited, on},
    *,
};
use crate::time::{Clock as _, ManualClock};

/// What a store would have, without one: the gates, each with its write.
#[derive(Default)]
struct Stored(Vec<(u64, Gate)>);

impl Stored {
    /// Compare-and-set, as the contract of the store has it. The writes count on over everything.
    fn tell(&mut self, unkept: &Unkept, write: &mut u64) -> Option<u64> {
        let (seen, bucket) = match unkept {
            Unkept::Closed(seen, gate) => (*seen, &gate.bucket),
            Unkept::Gone(seen, bucket) => (*seen, bucket),
        };
        let there = self.0.iter().position(|(_, it)| it.bucket == *bucket);
        if there.map_or(0, |index| self.0[index].0) != seen {
            return None;
        }
        if let Some(index) = there {
            self.0.remove(index);
        }
        *write += 1;
        if let Unkept::Closed(_, gate) = unkept {
            self.0.push((*write, gate.clone()));
        }
        Some(*write)
    }
}

/// One step of a process, as the keeper does it.
fn step(gates: &Gates, stored: &mut Stored, write: &mut u64) {
    for unkept in gates.unkept() {
        match stored.tell(&unkept, write) {
            Some(write) => gates.settled(&unkept, write),
            None => gates.superseded(&unkept),
        }
    }
    gates.heard(stored.0.clone());
}

fn remaining(gates: &Gates, app: &str) -> u64 {
    match gates.enter(&app.parse().unwrap()) {
        Entered::Open => 0,
        Entered::Probe(_) => 1,
        Entered::Closed(closed) => closed.remaining.as_secs(),
    }
}

fn pass_a_probe(gates: &Gates, app: &str) {
    let app = app.parse().unwrap();
    let Entered::Probe(probe) = gates.enter(&app) else {
        panic!("no probe");
    };
    gates.report(&app, Some(probe), Outcome::Passed);
}

fn two() -> (Gates, Gates, Arc<ManualClock>, Stored, u64) {
    let (one, clock) = gates();
    let other = on(&clock);
    (one, other, clock, Stored::default(), 0)
}

#[test]
fn what_one_process_meets_the_other_obeys_and_what_opens_for_one_opens_for_both() {
    let (one, other, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Quota, 80_000);
    step(&one, &mut stored, &mut write);
    assert_eq!(remaining(&other, "b"), 0, "it has not heard yet");
    step(&other, &mut stored, &mut write);
    assert_eq!(remaining(&other, "b"), 80_000);
    clock.advance(seconds(80_000));
    pass_a_probe(&one, "a");
    step(&one, &mut stored, &mut write);
    assert_eq!(stored.0, []);
    step(&other, &mut stored, &mut write);
    assert_eq!((remaining(&other, "b"), other.list().len()), (0, 0));
}

#[test]
fn of_two_who_meet_a_limit_at_once_the_longer_wait_holds_for_both() {
    for (first, second) in [(10, 20), (20, 10)] {
        let (one, other, _, mut stored, mut write) = two();
        limited(&one, "a", Kind::Rate, first);
        limited(&other, "a", Kind::Rate, second);
        for _ in 0..2 {
            step(&one, &mut stored, &mut write);
            step(&other, &mut stored, &mut write);
        }
        step(&one, &mut stored, &mut write);
        assert_eq!((remaining(&one, "a"), remaining(&other, "a")), (20, 20));
        assert!(one.unkept().is_empty() && other.unkept().is_empty());
        let writes = write;
        for _ in 0..5 {
            step(&one, &mut stored, &mut write);
            step(&other, &mut stored, &mut write);
        }
        assert_eq!(write, writes, "and then there is peace");
    }
}

#[test]
fn what_the_store_has_not_taken_is_told_again() {
    let (one, _, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Rate, 10);
    // It is asked for, and the answer is a fault.
    assert_eq!(one.unkept().len(), 1);
    assert_eq!(one.unkept().len(), 1);
    one.heard(Vec::new());
    assert_eq!(remaining(&one, "a"), 10, "the gate is kept in memory");
    step(&one, &mut stored, &mut write);
    assert_eq!(stored.0.len(), 1);
    clock.advance(seconds(10));
    pass_a_probe(&one, "a");
    assert_eq!(one.unkept().len(), 1);
    // That it is gone could not be written: reading does not bring it back.
    one.heard(stored.0.clone());
    assert_eq!(remaining(&one, "a"), 0);
    step(&one, &mut stored, &mut write);
    assert_eq!(stored.0, []);
}

#[test]
fn a_gate_that_lengthens_or_opens_while_it_is_written_is_written_again() {
    let (one, _, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Rate, 10);
    let unkept = one.unkept().remove(0);
    let written = stored.tell(&unkept, &mut write).unwrap();
    limited(&one, "a", Kind::Rate, 15);
    one.settled(&unkept, written);
    step(&one, &mut stored, &mut write);
    assert_eq!(stored.0[0].1.told, Some(seconds(15)));

    limited(&one, "a", Kind::Rate, 20);
    let unkept = one.unkept().remove(0);
    let written = stored.tell(&unkept, &mut write).unwrap();
    clock.advance(seconds(20));
    pass_a_probe(&one, "a");
    one.settled(&unkept, written);
    step(&one, &mut stored, &mut write);
    assert_eq!((stored.0.len(), remaining(&one, "a")), (0, 0));
}

#[test]
fn whose_news_comes_too_late_to_remove_a_gate_obeys_the_new_one() {
    let (one, other, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Rate, 10);
    step(&one, &mut stored, &mut write);
    step(&other, &mut stored, &mut write);
    clock.advance(seconds(10));
    pass_a_probe(&one, "a");
    limited(&other, "a", Kind::Rate, 40);
    step(&other, &mut stored, &mut write);
    step(&one, &mut stored, &mut write);
    assert_eq!((remaining(&one, "a"), remaining(&other, "a")), (40, 40));
}

#[test]
fn a_gate_that_closes_anew_after_it_was_opened_elsewhere_is_not_dropped() {
    let (one, other, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Rate, 10);
    step(&one, &mut stored, &mut write);
    step(&other, &mut stored, &mut write);
    clock.advance(seconds(10));
    pass_a_probe(&one, "a");
    step(&one, &mut stored, &mut write);
    limited(&other, "a", Kind::Rate, 30);
    step(&other, &mut stored, &mut write);
    assert_eq!(remaining(&other, "a"), 30);
    step(&other, &mut stored, &mut write);
    step(&one, &mut stored, &mut write);
    assert_eq!((remaining(&one, "a"), remaining(&other, "a")), (30, 30));
}

#[test]
fn a_gate_that_nobody_comes_to_leaves_the_store_after_a_day() {
    let (one, other, clock, mut stored, mut write) = two();
    limited(&one, "a", Kind::Rate, 10);
    step(&one, &mut stored, &mut write);
    clock.advance(seconds(24 * 3600 + 9));
    step(&one, &mut stored, &mut write);
    assert_eq!((stored.0.len(), remaining(&one, "a")), (1, 1));
    clock.advance(SECOND);
    // Somebody who has just started clears it away too.
    step(&other, &mut stored, &mut write);
    assert_eq!(other.list(), []);
    step(&other, &mut stored, &mut write);
    assert_eq!(stored.0, []);
    // One that closes anew beside such a one is kept.
    limited(&one, "c", Kind::Rate, 10);
    step(&one, &mut stored, &mut write);
    clock.advance(seconds(25 * 3600));
    limited(&other, "c", Kind::Rate, 60);
    for _ in 0..3 {
        step(&other, &mut stored, &mut write);
    }
    assert_eq!((stored.0.len(), remaining(&other, "c")), (1, 60));
    assert!(other.unkept().is_empty());
}

#[test]
fn the_store_s_word_is_not_taken_twice() {
    // Another machine's gate is counted by the date when it is first heard of, and by the uptime then.
    let (one, clock) = gates();
    let far = Moment {
        boot: BootId(99),
        ..clock.now()
    };
    let stored = vec![(1, rate(100, &far))];
    one.heard(stored.clone());
    assert_eq!(remaining(&one, "a"), 100);
    clock.advance(seconds(40));
    clock.set_wall(UnixMillis(0));
    one.heard(stored);
    assert_eq!(remaining(&one, "a"), 60);
    assert!(one.unkept().is_empty());
}

/// Something that happens to one of two processes, or to both.
#[derive(Debug, Clone)]
enum Happens {
    Limited(usize, &'static str, Kind, u64),
    /// Whoever may try does so; the probe comes back, or its client has gone.
    Tried(usize, &'static str, bool),
    Step(usize),
    /// The store takes what it is told, and the process does not hear so.
    Interrupted(usize),
    Passes(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let app = || prop::sample::select(vec!["a", "b", "c"]);
    let kind = prop::sample::select(vec![Kind::Rate, Kind::Quota]);
    prop_oneof![
        3 => (0..2_usize, app(), kind, 1..20_u64).prop_map(|(process, app, kind, wait)| {
            Happens::Limited(process, app, kind, wait)
        }),
        3 => (0..2_usize, app(), any::<bool>())
            .prop_map(|(process, app, passed)| Happens::Tried(process, app, passed)),
        4 => (0..2_usize).prop_map(Happens::Step),
        1 => (0..2_usize).prop_map(Happens::Interrupted),
        3 => (1..15_u64).prop_map(Happens::Passes),
        1 => Just(Happens::Passes(25 * 3600)),
    ]
}

/// For how long each is closed; of two that have ended neither did so earlier.
fn left(gates: &[Gate], now: &Moment) -> BTreeMap<Bucket, Duration> {
    let left = gates
        .iter()
        .map(|it| (it.bucket.clone(), it.remaining(now)));
    left.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn in_every_order_nobody_gets_through_early_and_all_agree_in_the_end(
        story in prop::collection::vec(happens(), 1..60),
    ) {
        let (one, other, clock, mut stored, mut write) = two();
        let processes = [one, other];
        // What each process itself was told, for each app.
        let mut told: BTreeMap<(usize, &str), Uptime> = BTreeMap::new();
        for it in story {
            match it {
                Happens::Limited(process, app, kind, wait) => {
                    limited(&processes[process], app, kind, wait);
                    let end = clock.uptime().after(seconds(wait));
                    let held = told.entry((process, app)).or_insert(end);
                    *held = end.max(*held);
                }
                Happens::Tried(process, app, passed) => {
                    let name = app.parse().unwrap();
                    let entered = processes[process].enter(&name);
                    let now = clock.uptime();
                    if !matches!(entered, Entered::Closed(_)) {
                        let end = told.get(&(process, app)).copied();
                        prop_assert!(end.is_none_or(|end| end <= now), "{app} got through early");
                    }
                    if let Entered::Probe(probe) = entered {
                        if passed {
                            processes[process].report(&name, Some(probe), Outcome::Passed);
                        } else {
                            drop(probe);
                            let next = processes[process].enter(&name);
                            prop_assert!(matches!(next, Entered::Probe(_)), "{next:?}");
                        }
                    }
                }
                Happens::Step(process) => step(&processes[process], &mut stored, &mut write),
                Happens::Interrupted(process) => {
                    for unkept in processes[process].unkept() {
                        stored.tell(&unkept, &mut write);
                    }
                }
                Happens::Passes(time) => clock.advance(seconds(time)),
            }
        }
        for _ in 0..4 {
            for process in &processes {
                step(process, &mut stored, &mut write);
            }
        }
        let in_store: Vec<_> = stored.0.iter().map(|(_, gate)| gate.clone()).collect();
        let now = clock.now();
        for process in &processes {
            prop_assert_eq!(process.unkept(), []);
            prop_assert_eq!(left(&process.list(), &now), left(&in_store, &now));
        }
        let writes = write;
        for process in &processes {
            step(process, &mut stored, &mut write);
        }
        prop_assert_eq!(write, writes, "and then there is peace");
    }
}
