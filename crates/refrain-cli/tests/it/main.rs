//! The real binary against the simulator: what a person types, and what comes of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

mod api;
mod custody;
mod dashboard;
mod doctor;
mod drills;
#[path = "../shared/example.rs"]
mod example;
mod grants;
mod home;
mod import;
mod init;
mod keys;
mod limits;
mod log;
mod login;
mod notices;
mod plain;
mod released;
mod serve;
mod systemd;
mod three_nodes;
mod usage;
mod web_app;
