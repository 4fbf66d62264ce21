//! The pages in a real browser: Chromium, driven from outside, against the server and the simulator.
//!
//! With `REFRAIN_SCREENSHOTS` naming a folder, a picture of each page and state is left there.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

mod actions;
mod app;
#[expect(dead_code, reason = "the library's tests do more with it")]
#[path = "../../../refrain/tests/support/assembled.rs"]
mod assembled;
mod both;
mod chromium;
mod closed;
mod connect;
mod foreign;
mod hostile;
mod injected;
mod kept;
mod keyboard;
mod looks;
mod open;
#[expect(dead_code, reason = "the tests without a browser do more with it")]
#[path = "../support/overheard.rs"]
mod overheard;
mod plain;
mod sign_in;
mod site;
mod undone;
#[expect(dead_code, reason = "the tests without a browser do more with it")]
#[path = "../support/world.rs"]
mod world;
