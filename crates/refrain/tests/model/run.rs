//! The runs: every mode as it should be, and every deliberate fault.

use std::{fmt::Write as _, sync::Arc};

use refrain::time::{Clock, SystemClock};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property, UniformChooser};

use crate::{
    abstraction,
    bug::Bug,
    protocol::{Action, Protocol},
    provider::Mode,
    real::Tie,
    state::{Left, State},
};

/// How far a run goes.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Access tokens, and with them generations.
    mintings: u8,
    /// Mishaps of all kinds together.
    mishaps: u8,
    /// States to generate at most, the same one counted each time; 0: all.
    most: usize,
}

/// What a run came to.
struct Report {
    states: usize,
    steps: usize,
    depth: usize,
    seconds: f64,
    /// The promises broken, and what was to be seen and was not.
    found: Vec<(&'static str, String)>,
}

/// What may go wrong: each kind so often, and all kinds together so often as the extent says.
fn faults(total: u8) -> Left {
    Left {
        crashes: 2,
        pauses: 1,
        logouts: 1,
        logins: 1,
        lost: 3,
        store: 1,
        lies: 1,
        strays: 1,
        asks: 1,
        total,
    }
}

fn protocol(mode: Mode, extent: Extent, bug: Option<Bug>, tie: Option<&Arc<Tie>>) -> Protocol {
    Protocol {
        mode,
        mintings: extent.mintings,
        faults: faults(extent.mishaps),
        bug,
        tie: tie.cloned(),
        strict_steps: false,
        // In a debug build this is most of the time that a run takes.
        sample: if tie.is_some() { 4 } else { 1 },
        seen: Arc::default(),
        symmetric: bug.is_none(),
    }
}

/// A model that is there for its rules alone.
pub(crate) fn tied(mode: Mode, tie: &Arc<Tie>) -> Protocol {
    let extent = Extent {
        mintings: 1,
        mishaps: 0,
        most: 0,
    };
    protocol(mode, extent, None, Some(tie))
}

fn run(model: &Protocol, extent: Extent) -> Report {
    let clock = SystemClock::new();
    let start = clock.uptime();
    let checker = model.clone().checker().threads(2);
    let checker = checker
        .target_state_count(extent.most)
        .finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let seconds = clock.uptime().since(start).as_secs_f64();
    Report {
        seconds,
        ..conclude(model, &checker)
    }
}

fn conclude(model: &Protocol, checker: &impl Checker<Protocol>) -> Report {
    let mut discovered = checker.discoveries();
    let mut found = Vec::new();
    for Property {
        name, expectation, ..
    } in model.properties()
    {
        match (expectation, discovered.remove(name)) {
            (Expectation::Sometimes, None) => found.push((name, "not seen".to_owned())),
            (Expectation::Always, Some(path)) => found.push((name, trace(path))),
            _ => {}
        }
    }
    Report {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        seconds: 0.0,
        found,
    }
}

fn trace(path: Path<State, Action>) -> String {
    let mut text = String::new();
    for (state, action) in path.into_vec() {
        let (row, provider) = (state.row, state.provider);
        writeln!(text, "  {row:?}\n  {provider:?}").unwrap();
        for node in state.nodes {
            writeln!(text, "  {node:?}").unwrap();
        }
        if let Some(action) = action {
            writeln!(text, "{action:?}").unwrap();
        }
    }
    text
}

fn broken(report: &Report) -> Option<&(&'static str, String)> {
    report.found.iter().find(|(_, how)| how != "not seen")
}

fn print(mode: Mode, extent: Extent, report: &Report) {
    let Report {
        states,
        steps,
        depth,
        seconds,
        ..
    } = report;
    let (mode, mishaps) = (format!("{mode:?}"), extent.mishaps);
    println!(
        "{mode:<11} {mishaps:>7} {states:>11} {steps:>11} {depth:>5} {seconds:>7.1} s  {}",
        if extent.most == 0 || *steps < extent.most {
            "all"
        } else {
            "bounded"
        }
    );
    for (name, how) in &report.found {
        println!("  {name}: {how}");
    }
}

const HEADER: &str = "mode        mishaps      states       steps depth   time     extent";

#[test]
fn every_promise_is_kept_whatever_one_mishap_does() {
    abstraction::assert_time_fits();
    let extent = Extent {
        mintings: 1,
        mishaps: 1,
        most: 0,
    };
    let tie = Arc::new(Tie::new());
    println!("{HEADER}");
    for mode in Mode::ALL {
        let report = run(&protocol(mode, extent, None, Some(&tie)), extent);
        print(mode, extent, &report);
        assert!(report.found.is_empty(), "{mode:?}");
    }
    println!("{} answers of the library compared", tie.compared());
}

#[test]
fn every_deliberate_fault_is_found() {
    for bug in Bug::ALL {
        let (mode, mishaps) = bug.found_by();
        let extent = Extent {
            mintings: 2,
            mishaps,
            most: 4_000_000,
        };
        let report = run(&protocol(mode, extent, Some(bug), None), extent);
        let (promise, _) = broken(&report).unwrap_or_else(|| panic!("{bug:?} was not found"));
        let states = report.states;
        println!("{bug:?}, after {states} states: not kept is that {promise}");
    }
}

fn is_full() -> bool {
    std::env::var("REFRAIN_MODEL").is_ok_and(|it| it == "full")
}

/// Everything that one mishap can do, then two together, until memory sets the bound.
fn in_full(mode: Mode) {
    if !is_full() {
        return;
    }
    for mishaps in 1.. {
        let extent = Extent {
            mintings: 3,
            mishaps,
            most: 45_000_000,
        };
        let report = run(&protocol(mode, extent, None, None), extent);
        print(mode, extent, &report);
        assert!(report.found.is_empty(), "{mode:?}");
        if report.steps >= extent.most {
            return;
        }
    }
}

/// More mishaps than can be exhausted: walks at random, each to its end.
fn at_random(mode: Mode) -> bool {
    let extent = Extent {
        mintings: 3,
        mishaps: 12,
        most: 2_000_000,
    };
    let model = Protocol {
        strict_steps: true,
        ..protocol(mode, extent, None, None)
    };
    let checker = model.clone().checker().threads(2);
    let checker = checker
        .target_state_count(extent.most)
        .finish_when(HasDiscoveries::AnyFailures);
    let (clock, seed) = (SystemClock::new(), 1);
    let start = clock.uptime();
    let checker = checker.spawn_simulation(seed, UniformChooser).join();
    let seconds = clock.uptime().since(start).as_secs_f64();
    let report = Report {
        seconds,
        ..conclude(&model, &checker)
    };
    print(mode, extent, &report);
    broken(&report).is_none()
}

#[test]
fn walks() {
    if is_full() {
        let kept = Mode::ALL.map(at_random);
        assert_eq!(kept, [true; 6]);
    }
}

#[test]
fn full_static() {
    in_full(Mode::Static);
}

#[test]
fn full_short_grace() {
    in_full(Mode::Grace(1));
}

#[test]
fn full_long_grace() {
    in_full(Mode::Grace(4));
}

#[test]
fn full_strict() {
    in_full(Mode::Strict);
}

#[test]
fn full_family_kill() {
    in_full(Mode::FamilyKill);
}

#[test]
fn full_until_used() {
    in_full(Mode::UntilUsed);
}
