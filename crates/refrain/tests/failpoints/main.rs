//! The library broken at every named point, against the simulator and its oracle, on both stores.
//!
//! `REFRAIN_MATRIX=full` prints what came of every cell.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../support/assembled.rs"]
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
