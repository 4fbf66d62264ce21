//! The server against the simulator: everything real but the clock.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[expect(dead_code, reason = "the library's tests do more with it")]
#[path = "../../../refrain/tests/support/assembled.rs"]
mod assembled;
#[path = "../../../refrain/tests/support/between.rs"]
mod between;
mod browser;
mod calendar;
mod canary;
mod connect;
mod connect_links;
mod contract;
mod dashboard;
mod deploy;
mod doors;
mod lists;
mod manage;
mod matrix;
mod metrics;
mod notices;
#[path = "../support/overheard.rs"]
mod overheard;
mod passage;
mod proxy;
mod receiver;
mod repair;
mod session;
mod sign_in;
mod token;
mod web_app;
#[path = "../support/world.rs"]
mod world;
