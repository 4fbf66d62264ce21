//! Clients of Spotify's Web API that other people have written, unmodified, and used as their users use
//! them: they make reads and writes through `refrain serve`, while their tokens expire, are rejected and
//! are replaced behind it. All that they may notice is a 429.
//!
//! The programs around them are in `programs/`; `scripts/clients` installs what those need, in the versions
//! that are pinned there.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "fixtures fail loudly; clippy knows test functions but not their helpers"
)]

#[path = "../shared/example.rs"]
mod example;
mod examples;
mod place;
mod program;
mod proxy;
mod refresh;
