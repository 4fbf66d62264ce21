//! The command as it is used: real processes, real sockets on loopback, real files, and the simulator as
//! the judge. Each test is named after the fact that it proves.
//!
//! `REFRAIN_KILLS` sets how many processes the kill test kills, `REFRAIN_SEED` repeats one of its runs;
//! `REFRAIN_REKEY_KILLS` and `REFRAIN_REKEY_GRANTS` are those of the rotation of the master key.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "processes of their own run on the machine's clock"
)]

mod canary;
mod disk;
mod instants;
mod kill;
mod machines;
mod many;
mod parrot;
mod rekey;
mod scan;
mod serve;
mod served;
mod tap;
#[path = "../shared/tools.rs"]
mod tools;
mod world;
