//! The tests, and how long they are.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    boot,
    judge::MODES,
    kills::{Cell, Tally},
    logouts::{self, Logouts},
    place::Engine,
    process::allow_many_files,
    rounds, signals,
    stops::{self, Stops},
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
                    if scale.full {
                        let at = begun.elapsed().as_secs();
                        tell(&format!("block {nth} of {blocks}, {mode}: {at} s"));
                    }
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
    assert_eq!(all.unavoidable, all.named + all.verified_first);
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

#[test]
fn a_holder_that_is_stopped_loses_nothing_and_holds_nobody_up() {
    let scale = Scale::new("stops");
    let modes: Vec<_> = scale.of(MODES.to_vec(), vec![MODES[4]]);
    let mut table: BTreeMap<String, stops::Seen> = BTreeMap::new();
    let mut failures = Vec::new();
    for round in 0..scale.of(8, 1) {
        // All stores wait for the same lease.
        let mut worlds = Vec::new();
        for engine in Engine::both() {
            for (mode, rotation) in &modes {
                let name = format!("{} | {mode}", engine.name());
                let world = Stops::new(&engine, *rotation, scale.of(3, 2), scale.of(12, 8));
                worlds.push((name, world));
            }
        }
        let place = |nth: usize| u64::try_from(nth).unwrap() << 32;
        thread::scope(|threads| {
            let running = worlds.iter_mut().enumerate().map(|(nth, (_, world))| {
                let mut dice = Dice(scale.seed ^ place(nth) ^ round);
                threads.spawn(move || world.run(&mut dice))
            });
            let running: Vec<_> = running.collect();
            for done in running {
                failures.extend(done.join().unwrap().err());
            }
        });
        for (name, world) in worlds {
            table.entry(name).or_default().add(world.seen);
        }
    }
    tell(&format!("\n{}", stops::Seen::HEAD));
    for (name, mut seen) in table {
        tell(&format!("| {name} | {}", seen.line()));
    }
    scale.check(&failures);
}

#[test]
fn logouts_and_new_logins_win_over_refreshes() {
    let scale = Scale::new("logouts");
    let mut failures = Vec::new();
    tell(&format!("\n{}", logouts::Seen::HEAD));
    let race = |engine: &Engine| {
        let mut all = logouts::Seen::default();
        let mut failures = Vec::new();
        for batch in 0..scale.of(10, 1) {
            let mut dice = Dice(scale.seed ^ batch);
            let (seen, failed) = Logouts::new(engine, scale.of(50, 12)).run(&mut dice);
            all.add(seen);
            failures.extend(failed);
        }
        tell(&format!("| {} | {}", engine.name(), all.line()));
        failures
    };
    let race = &race;
    let engines = Engine::both();
    thread::scope(|threads| {
        let running = engines
            .each_ref()
            .map(|engine| threads.spawn(move || race(engine)));
        for done in running {
            failures.extend(done.join().unwrap());
        }
    });
    scale.check(&failures);
}

#[test]
fn interrupted_commands_take_their_answers_home() {
    let scale = Scale::new("signals");
    let mut failures = Vec::new();
    tell(&format!("\n{}", signals::Seen::HEAD));
    for engine in Engine::both() {
        let each = |thread: u64| {
            let mut dice = Dice(scale.seed ^ (thread << 32));
            signals::run(&engine, scale.of(250, 5), &mut dice)
        };
        let mut all = signals::Seen::default();
        thread::scope(|threads| {
            let running = [0, 1].map(|nth| threads.spawn(move || each(nth)));
            for done in running {
                let (seen, failed) = done.join().unwrap();
                all.add(&seen);
                failures.extend(failed);
            }
        });
        tell(&format!("| {} | {}", engine.name(), all.line()));
    }
    scale.check(&failures);
}
