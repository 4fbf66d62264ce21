//! The library against the simulator: real sockets, a clock moved by hand, every store.
//!
//! Each test is named after the promise that it holds the library to.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod layering;
#[cfg(feature = "reqwest")]
mod middleware;
mod login;
mod races;
mod refresh;
mod refusals;
mod rejected;
mod rotation;
mod storage;
mod world;
