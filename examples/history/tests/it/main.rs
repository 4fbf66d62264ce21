//! Days of listening, with everything that happens in them, by a clock that is moved by hand; and real
//! processes.

#![expect(
    clippy::unwrap_used,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

mod days;
#[path = "../../../../crates/refrain-cli/tests/shared/example.rs"]
mod example;
mod processes;
mod world;
