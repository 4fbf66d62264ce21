//! The store goes away while programs are at work: with the real keeper, real stores and real time, and
//! the provider that forgives least.
//!
//! In every outage, however it comes about: whoever holds a living token notices nothing; whoever has
//! none is told within moments that it is the store, and never to log in; an answer that arrives
//! meanwhile is kept and saved afterwards; and seconds after the end all is as before. Each fault comes
//! once, for moments, or as often as `REFRAIN_OUTAGES` and for as long as `REFRAIN_OUTAGE_SECONDS` say.
//!
//! Files that come back damaged are a matter of their own (`damage`).

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../support/postgres.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    reason = "shared by tests of other crates, which need other parts of it"
)]
mod cluster;
mod damage;
#[path = "../support/disk.rs"]
mod disk;
mod keys;
mod postgres;
mod sqlite;
#[path = "../../../refrain-cli/tests/shared/tools.rs"]
#[allow(
    dead_code,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    reason = "shared with tests of real processes, which need other parts of it"
)]
mod tools;
mod world;
