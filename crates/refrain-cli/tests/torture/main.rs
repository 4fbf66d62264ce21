//! Torture: real processes on real stores, killed, stopped, raced and interrupted, with the simulator as
//! the judge.
//!
//! `scripts/torture` is the full run; without `REFRAIN_TORTURE=full` the same code runs shortly, with the
//! other tests. `REFRAIN_SEED` repeats the random choices of a run, `REFRAIN_KILLS` sets the number of
//! kills. On failure the store and the simulator's history are kept, and the folder is named.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "processes of their own run on the machine's clock"
)]

mod boot;
mod judge;
mod kills;
mod logouts;
mod place;
#[expect(dead_code, reason = "the library's tests do more with a server")]
#[path = "../../../refrain/tests/support/postgres.rs"]
mod postgres;
mod process;
mod rounds;
mod runs;
mod signals;
mod stops;
#[path = "../shared/tools.rs"]
mod tools;
mod wire;
mod worker;

/// Not a test of its own: what a worker process of the other tests runs.
#[test]
fn works_for_the_judge() {
    worker::run();
}
