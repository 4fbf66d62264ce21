//! The tests, and how long they are.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    boot,
    judge::MODES,
    kills::{Cell, Tally},
    place::Engine,
    process::allow_many_files,
    rounds,
    tools::{Dice, number, seed, tell},
};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub full: bool,
    pub seed: u64,
}

impl Scale {
    fn new(what: &str) -> Self {
        allow_many_files();
        let full = std::env::var("REFRAIN_TORTURE").is_ok_and(|it| it == "full");
        let seed = seed();
        tell(&format!("{what}: REFRAIN_SEED={seed}"));
        Self { full, seed }
    }

    /// The one for a full run, the other for every run of the suite.
    pub fn of<T>(self, full: T, short: T) -> T {
        if self.full { full } else { short }
    }

    fn check(self, failures: &[String]) {
        let (seed, all) = (self.seed, failures.join("\n\n"));
        assert!(failures.is_empty(), "REFRAIN_SEED={seed}\n{all}");
    }
}

#[test]
fn kills_lose_what_the_oracle_says_and_nothing_else() {
    let scale = Scale::new("kills");
    let kills = number("REFRAIN_KILLS").unwrap_or(scale.of(10_080, 48));
    let block = scale.of(120, 4);
    let begun = Instant::now();
    let end = begun + scale.of(Duration::from_secs(45 * 60), Duration::from_secs(60));
    let engines = Engine::both();
    // Every store in every mode, a block after the other: a run that is cut short has some of each.
    let cells = engines
        .iter()
        .flat_map(|engine| MODES.map(|mode| (engine.clone(), mode)));
    let cells: Vec<_> = cells.collect();
    let blocks = kills.div_ceil(block);
    let next = Mutex::new(0..blocks);
    let tallies = Mutex::new(vec![Tally::default(); cells.len()]);
    let failures = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for _ in 0..scale.of(4, 2) {
            threads.spawn(|| {
                while let Some(nth) = { next.lock().unwrap().next() }
                    && Instant::now() < end
                {
                    let place = usize::try_from(nth).unwrap() % cells.len();
                    let (engine, (mode, rotation)) = &cells[place];
                    let mut dice = Dice(scale.seed ^ (nth << 32));
                    let cell = Cell::new(engine, *rotation);
                    let (tally, failed) = cell.run(block, &mut dice, end);
                    tallies.lock().unwrap()[place].add(tally);
                    if let Some(what) = failed {
                        let what = format!("{} {mode}, block {nth}: {what}", engine.name());
                        tell(&what);
                        failures.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let mut all = Tally::default();
    tell(&format!("\n{}", Tally::HEAD));
    for ((engine, (mode, _)), tally) in cells.iter().zip(tallies.into_inner().unwrap()) {
        tell(&format!("| {} | {mode} | {tally}", engine.name()));
        all.add(tally);
    }
    tell(&format!(
        "| all | all | {all}\n\n{} s",
        begun.elapsed().as_secs()
    ));
    scale.check(&failures.into_inner().unwrap());
    assert_eq!(all.unavoidable, all.named);
    assert!(
        all.between > 0 || !scale.full,
        "no kill fell between the commits"
    );
}

#[test]
fn a_round_of_callers_is_one_token_call() {
    let scale = Scale::new("rounds");
    scale.check(&rounds::run(scale));
}

#[test]
fn a_thousand_orphans_are_taken_up_at_once() {
    let scale = Scale::new("boot");
    scale.check(&boot::run(scale));
}
