//! Processes that abort or stop at every point, under every provider, on both stores; in a usual run a
//! sample that a seed chooses.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, iter,
    sync::{Mutex, PoisonError},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use refrain::failpoint::{Point, scale_time};
use refrain_sim::{Profile, Rotation};

use crate::{
    cell::{Kind, Outcome, SCALE, Victim},
    cluster::Cluster,
    tools::{tell, write_private},
    world::World,
};

const MODES: [(&str, Rotation); 7] = [
    ("static", Rotation::Static),
    ("omit", Rotation::Omit),
    ("empty", Rotation::Empty),
    ("grace", Rotation::Grace { seconds: 30 }),
    ("until-used", Rotation::UntilUsed),
    ("strict", Rotation::Strict),
    ("family-kill", Rotation::FamilyKill),
];
const ENGINES: [&str; 2] = ["Sqlite", "Postgres"];
/// So many columns (a provider on a store) at once; most of the time they wait for leases.
const THREADS: usize = 4;
/// A sample: so many columns, and so many cells in each.
const SAMPLE: (usize, usize) = (4, 6);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    mode: usize,
    engine: usize,
    point: Point,
    kind: Kind,
    taken_over: bool,
}

impl Cell {
    fn name(&self) -> String {
        let (mode, engine) = (MODES[self.mode].0, ENGINES[self.engine]);
        let over = if self.taken_over { " taken over" } else { "" };
        format!("{} {} {mode} {engine}{over}", self.point, self.kind.word())
    }
}

type Table = BTreeMap<Cell, Outcome>;

/// Every cell. Of two stops at one point in neighbouring columns one is taken over; a seed says which.
fn all(seed: u64) -> Vec<Vec<Cell>> {
    let columns = (0..MODES.len()).flat_map(|mode| (0..ENGINES.len()).map(move |it| (mode, it)));
    let column = |(mode, engine): (usize, usize)| {
        let points = Point::ALL.iter().enumerate();
        points
            .flat_map(|(nth, point)| Kind::ALL.map(|kind| (nth, *point, kind)))
            .map(|(nth, point, kind)| Cell {
                mode,
                engine,
                point,
                kind,
                taken_over: kind == Kind::Stop
                    && (nth + mode + engine + usize::from(seed % 2 == 1)).is_multiple_of(2),
            })
            .collect()
    };
    columns.map(column).collect()
}

/// The cells to run.
fn chosen(seed: u64) -> Vec<Vec<Cell>> {
    let mut columns = all(seed);
    if let Ok(only) = std::env::var("REFRAIN_CELL") {
        for column in &mut columns {
            column.retain(|cell| cell.name().contains(&only));
        }
    } else if !is_full() {
        let mut dice = Dice(seed);
        dice.shuffle(&mut columns);
        columns.truncate(SAMPLE.0);
        for column in &mut columns {
            dice.shuffle(column);
            column.truncate(SAMPLE.1);
        }
    }
    columns.retain(|column| !column.is_empty());
    columns
}

fn is_full() -> bool {
    std::env::var("REFRAIN_MATRIX").is_ok_and(|it| it == "full")
}

/// Runs the cells of a column. After a loss the next one begins anew: several at once look like an outage of
/// the provider, and are judged as one.
fn run(column: &[Cell], cluster: &Cluster) -> (Table, Vec<String>) {
    let (mut table, mut failures) = (Table::new(), Vec::new());
    let mut waiting = column.iter().peekable();
    while let Some(first) = waiting.peek() {
        let (mode, engine) = (MODES[first.mode], ENGINES[first.engine]);
        let world = World::new(Profile::rotating(mode.1));
        let home = world.home();
        if engine == "Postgres" {
            let text = fs::read_to_string(&home.config).unwrap();
            let sqlite = format!("sqlite:{}", home.db.display());
            write_private(&home.config, &text.replace(&sqlite, &cluster.database()));
        }
        let victim = Victim::new(&world, &home, mode.1);
        for cell in waiting.by_ref() {
            match victim.cell(cell.point, cell.kind, cell.taken_over) {
                Ok(outcome) => drop(table.insert(*cell, outcome)),
                Err(what) => failures.push(format!("{}: {what}", cell.name())),
            }
            if table.get(cell) != Some(&Outcome::Kept) {
                break;
            }
        }
        if world.sim.counts().stray_credentials != 0 {
            failures.push(format!("{}: stray credentials", mode.0));
        }
    }
    (table, failures)
}

#[test]
fn a_process_that_dies_or_stops_at_any_point_loses_nothing_that_could_be_kept() {
    // Before anything asks for the time: this process signs users in, on the same clock as its children.
    scale_time(SCALE);
    let begun = Instant::now();
    let seed = seed();
    let columns = chosen(seed);
    let wanted: usize = columns.iter().map(Vec::len).sum();
    tell(&format!(
        "failpoints in processes: {wanted} of {} cells, REFRAIN_SEED={seed}",
        all(seed).iter().map(Vec::len).sum::<usize>()
    ));
    let cluster = Cluster::start();
    let waiting = Mutex::new(columns);
    let done = Mutex::new((Table::new(), Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                for column in iter::from_fn(next) {
                    let (table, failed) = run(&column, &cluster);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.0.extend(table);
                    done.1.extend(failed);
                }
            });
        }
    });
    let (table, failures) = done.into_inner().unwrap();
    let took = begun.elapsed().as_secs();
    tell(&format!(
        "{} cells in {took} s: {}",
        table.len(),
        counts(&table)
    ));
    if is_full() {
        tell(&print(&table));
    } else {
        for (cell, outcome) in &table {
            tell(&format!("    {}: {outcome:?}", cell.name()));
        }
    }
    assert!(
        failures.is_empty(),
        "REFRAIN_SEED={seed}: {} cells failed:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    assert_eq!(table.len(), wanted, "a cell is empty");
}

fn counts(table: &Table) -> String {
    let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
    for outcome in table.values() {
        *counts.entry(*outcome).or_default() += 1;
    }
    let counts = counts
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome:?}"));
    counts.collect::<Vec<_>>().join(", ").to_lowercase()
}

/// One line for each point and kind, one letter for each mode; small where nobody has taken over.
fn print(table: &Table) -> String {
    let mut text = format!("modes: {}\n", MODES.map(|(mode, _)| mode).join(", "));
    for point in Point::ALL {
        for kind in Kind::ALL {
            write!(text, "    {point:<22} {:<6}", kind.word()).unwrap();
            for engine in 0..ENGINES.len() {
                text.push(' ');
                for mode in 0..MODES.len() {
                    let at = |cell: &&Cell| {
                        (cell.point, cell.kind, cell.mode, cell.engine)
                            == (*point, kind, mode, engine)
                    };
                    let found = table.keys().find(at);
                    text.push(match found.map(|cell| (table[cell], cell.taken_over)) {
                        None => '.',
                        Some((Outcome::Kept, false)) => 'k',
                        Some((Outcome::Kept, true)) => 'K',
                        Some((Outcome::Lost, false)) => 'l',
                        Some((Outcome::Lost, true)) => 'L',
                        Some((Outcome::Paused, _)) => 'P',
                        Some((Outcome::SignedOut, _)) => 'o',
                    });
                }
            }
            text.push('\n');
        }
    }
    text
}

fn seed() -> u64 {
    let given = std::env::var("REFRAIN_SEED").ok();
    given.map_or_else(
        || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos())
        },
        |text| text.parse().unwrap(),
    )
}

/// Numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (end as u64)).unwrap()
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }
}
