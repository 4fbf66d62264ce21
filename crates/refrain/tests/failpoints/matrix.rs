//! Every point, everything that can happen there in one process, every provider, both stores.

use std::{
    io::Write as _,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use refrain::failpoint::Point;
use refrain_sim::Rotation;

use crate::{
    cell::{Cell, Kind},
    table::{Place, Table},
    world::{Engine, World},
};

const MODES: [(&str, Rotation); 7] = [
    ("static", Rotation::Static),
    ("omit", Rotation::Omit),
    ("echo", Rotation::Echo),
    ("grace", Rotation::Grace { seconds: 30 }),
    ("until-used", Rotation::UntilUsed),
    ("strict", Rotation::Strict),
    ("family-kill", Rotation::FamilyKill),
];

/// So many columns of the matrix at once: most of a cell is waiting for a disk.
const AT_ONCE: usize = 4;

/// What to run.
#[derive(Debug, Clone)]
struct Choice {
    full: bool,
    seed: usize,
    /// Part of the names of those to run; empty for all.
    only: String,
}

impl Choice {
    #[expect(clippy::disallowed_methods, reason = "a seed, where none is given")]
    fn read() -> Self {
        let seed = std::env::var("REFRAIN_SEED").ok();
        let now = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .subsec_micros()
        };
        Self {
            full: std::env::var("REFRAIN_MATRIX").is_ok_and(|it| it == "full"),
            seed: seed.map_or_else(|| now() as usize, |text| text.parse().unwrap()),
            only: std::env::var("REFRAIN_CELL").unwrap_or_default(),
        }
    }

    /// Whether a cell is to be run: of the two stores one, unless all are.
    fn has(&self, place: &Place, mode: usize, number: usize) -> bool {
        if !self.only.is_empty() {
            return place.name().contains(&self.only);
        }
        self.full || (number + mode + place.engine as usize + self.seed).is_multiple_of(2)
    }
}

/// The cells under one provider, on one store.
async fn column(choice: Choice, mode: usize, engine: Engine) -> (Table, Vec<String>) {
    let (name, rotation) = MODES[mode];
    let world = World::new(rotation, engine).await;
    let stores = [world.store().await, world.store().await];
    let (mut table, mut failures) = (Table::default(), Vec::new());
    for (number, (point, kind)) in cells().enumerate() {
        let place = Place {
            point,
            kind,
            mode: name,
            engine,
        };
        if !choice.has(&place, mode, number) {
            continue;
        }
        match Cell::run(&world, &stores, point, kind, number).await {
            Ok(outcome) => drop(table.0.insert(place, outcome)),
            Err(what) => failures.push(format!("{}: {what}", place.name())),
        }
    }
    if world.sim.counts().stray_credentials != 0 {
        failures.push(format!("{name} {engine:?}: stray credentials"));
    }
    (table, failures)
}

fn cells() -> impl Iterator<Item = (Point, Kind)> {
    let points = Point::ALL.iter();
    points.flat_map(|point| Kind::ALL.map(|kind| (*point, kind)))
}

/// All columns, some at once.
async fn run(choice: &Choice) -> (Table, Vec<String>) {
    let both = |mode| [Engine::Sqlite, Engine::Postgres].map(|engine| (mode, engine));
    let mut waiting = (0..MODES.len()).flat_map(both);
    let mut columns = tokio::task::JoinSet::new();
    let (mut table, mut failures) = (Table::default(), Vec::new());
    loop {
        while columns.len() < AT_ONCE
            && let Some((mode, engine)) = waiting.next()
        {
            columns.spawn(column(choice.clone(), mode, engine));
        }
        let Some(column) = columns.join_next().await else {
            return (table, failures);
        };
        let (cells, failed) = column.unwrap();
        table.0.extend(cells.0);
        failures.extend(failed);
    }
}

/// A line for whoever watches; the harness does not hold it back.
fn tell(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "how long the whole takes")]
async fn a_refresh_broken_at_any_point_loses_nothing_that_could_be_kept() {
    let (begun, choice) = (Instant::now(), Choice::read());
    let (table, failures) = run(&choice).await;
    let modes = MODES.map(|(mode, _)| mode);
    let (took, seed) = (begun.elapsed().as_secs(), choice.seed);
    let all = cells().count() * MODES.len() * 2;
    tell(&format!(
        "failpoints in one process: {} of {all} cells in {took} s, REFRAIN_SEED={seed}: {}",
        table.0.len(),
        table.counts()
    ));
    if choice.full {
        tell(&format!(
            "modes: {}\n{}",
            modes.join(", "),
            table.print(&modes)
        ));
    }
    assert!(
        failures.is_empty(),
        "REFRAIN_SEED={seed}: {} cells failed:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    if choice.only.is_empty() {
        let wanted = if choice.full { all } else { all / 2 };
        assert_eq!(table.0.len(), wanted, "a cell is empty");
    }
}
