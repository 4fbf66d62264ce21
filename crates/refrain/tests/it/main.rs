//! The library against the simulator: real sockets, a clock moved by hand, every store.
//!
//! Each test is named after the promise that it holds the library to.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

mod ahead;
#[path = "../support/assembled.rs"]
mod assembled;
#[path = "../support/between.rs"]
mod between;
mod clocks;
#[cfg(feature = "contract")]
mod deaf;
mod incidents;
mod keys;
mod layering;
mod leaving;
mod limits;
mod links;
mod login;
#[cfg(feature = "reqwest")]
mod middleware;
mod races;
mod refresh;
mod refusals;
mod rejected;
mod restored;
mod rotation;
mod sessions;
mod storage;
mod suspend;
#[cfg(feature = "tower")]
mod tower;
mod world;
