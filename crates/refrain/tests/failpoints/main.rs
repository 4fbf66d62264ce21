//! The library broken at every named point, against the simulator and its oracle, on both stores.
//!
//! A usual run takes each point, action and provider to one of the two stores; a seed says which.
//! `REFRAIN_MATRIX=full` takes them to both and prints what came of every cell, `REFRAIN_SEED` repeats a run,
//! `REFRAIN_CELL` names the cells to run (`"send.done panic strict Postgres"`, or a part of that).

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../support/assembled.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shared by tests that need other parts of it"
)]
mod assembled;
#[path = "../support/postgres.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    reason = "shared by tests that need other parts of it"
)]
mod cluster;

mod after;
mod cell;
mod matrix;
mod table;
mod world;
