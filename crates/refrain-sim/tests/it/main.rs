//! The simulator over real sockets, seen by a client that does nothing by itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails is a failing test"
)]

mod api;
mod authorize;
mod control;
mod faults;
mod raw;
mod rotation;
mod stray;
mod token;
