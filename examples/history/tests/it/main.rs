//! Days of listening, with everything that happens in them, by a clock that is moved by hand; and real
//! processes.

#![expect(
    clippy::unwrap_used,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../../../../crates/refrain/tests/support/assembled.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "shared with tests in other places"
)]
mod assembled;
mod days;
#[path = "../../../../crates/refrain-cli/tests/shared/example.rs"]
mod example;
mod processes;
mod world;
