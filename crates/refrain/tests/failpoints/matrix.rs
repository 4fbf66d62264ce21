//! Every point, everything that can happen there in one process, every provider, both stores.

use std::time::Instant;

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

/// All points and kinds under one provider, on one store.
async fn column(mode: &'static str, rotation: Rotation, engine: Engine) -> (Table, Vec<String>) {
    let only = std::env::var("REFRAIN_CELL").unwrap_or_default();
    let world = World::new(rotation, engine).await;
    let stores = [world.store().await, world.store().await];
    let (mut table, mut failures) = (Table::default(), Vec::new());
    let mut number = 0;
    for point in Point::ALL.iter().copied() {
        for kind in Kind::ALL {
            number += 1;
            let place = Place {
                point,
                kind,
                mode,
                engine,
            };
            if !format!("{point} {} {mode} {engine:?}", kind.word()).contains(&only) {
                continue;
            }
            match Cell::run(&world, &stores, point, kind, number).await {
                Ok(outcome) => drop(table.0.insert(place, outcome)),
                Err(what) => failures.push(format!("{place:?}: {what}")),
            }
        }
    }
    if world.sim.counts().stray_credentials != 0 {
        failures.push(format!("{mode} {engine:?}: stray credentials"));
    }
    (table, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "how long the whole takes")]
async fn a_refresh_broken_at_any_point_loses_nothing_that_could_be_kept() {
    let begun = Instant::now();
    let both = |(mode, rotation)| [Engine::Sqlite, Engine::Postgres].map(|it| (mode, rotation, it));
    let mut waiting = MODES.into_iter().flat_map(both);
    let mut columns = tokio::task::JoinSet::new();
    let (mut table, mut failures) = (Table::default(), Vec::new());
    loop {
        while columns.len() < AT_ONCE
            && let Some((mode, rotation, engine)) = waiting.next()
        {
            columns.spawn(column(mode, rotation, engine));
        }
        let Some(column) = columns.join_next().await else {
            break;
        };
        let (cells, failed) = column.unwrap();
        table.0.extend(cells.0);
        failures.extend(failed);
    }
    let modes = MODES.map(|(mode, _)| mode);
    let took = begun.elapsed().as_secs();
    let all = Point::ALL.len() * Kind::ALL.len() * MODES.len() * 2;
    println!(
        "failpoints in one process: {} of {all} cells in {took} s: {}",
        table.0.len(),
        table.counts()
    );
    if std::env::var("REFRAIN_MATRIX").is_ok_and(|it| it == "full") {
        println!("modes: {}\n{}", modes.join(", "), table.print(&modes));
    }
    assert!(
        failures.is_empty(),
        "{} cells failed:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    if std::env::var("REFRAIN_CELL").is_err() {
        assert_eq!(table.0.len(), all, "a cell is empty");
    }
}
