//! The server under attack: raw bytes on its sockets, and an upstream that writes down what arrives.
//!
//! Everything is on loopback, seeded and bounded. `REFRAIN_SEED` repeats a run; `REFRAIN_MALFORMED` and
//! `REFRAIN_SLOW` set how many malformed requests and slow clients there are.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "hangs are measured by the machine's clock"
)]

#[path = "../../../refrain/tests/support/assembled.rs"]
mod assembled;
#[path = "../../../refrain/tests/support/between.rs"]
mod between;
mod confinement;
mod dice;
mod malformed;
mod place;
mod races;
mod recorder;
mod slow;
mod smuggling;
mod streams;
mod upstream;
mod wire;
