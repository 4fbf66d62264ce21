//! The command, broken at named points: with the feature `failpoints`, processes of their own that abort or
//! stop there; without it, a look into the command that finds none.
//!
//! `REFRAIN_MATRIX=full` runs every cell and prints a table, `REFRAIN_SEED` repeats a sample,
//! `REFRAIN_CELL` names those to run (`"send.done stop strict Postgres"`, or a part of that).

#![cfg_attr(
    feature = "failpoints",
    expect(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        reason = "fixtures fail loudly, and processes of their own run on the machine's clock"
    )
)]

#[cfg(not(feature = "failpoints"))]
mod absent;

#[cfg(feature = "failpoints")]
#[path = "../../../refrain/tests/support/postgres.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "shared by tests that need other parts of it"
)]
mod cluster;
#[cfg(feature = "failpoints")]
#[path = "../shared/tools.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "shared by tests that need other parts of it"
)]
mod tools;
#[cfg(feature = "failpoints")]
#[path = "../proof/world.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "shared by tests that need other parts of it"
)]
mod world;

#[cfg(feature = "failpoints")]
mod cell;
#[cfg(feature = "failpoints")]
mod matrix;
