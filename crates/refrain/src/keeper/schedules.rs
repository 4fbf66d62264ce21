//! The real keeper under shuttle: a scheduler decides at every lock, atomic, task and step of a store or a
//! provider who goes on, in thousands of orders, and each promise is checked in every one of them.
//!
//! A usual run takes each test through a few hundred orders chosen at random, and as many by PCT with up
//! to three changes of priority. `REFRAIN_SHUTTLE=100000` takes it through so many of each. One that fails
//! prints its schedule; `REFRAIN_SHUTTLE_REPLAY=<schedule>` and the name of the test run that one again.
//!
//! What is not looked at: orders inside one operation of a channel or of the memory store, and atomics
//! that are weaker than sequentially consistent.

mod explore;
mod login;
mod logout;
mod panics;
mod processes;
mod provider;
mod swap;
mod waiters;
mod world;

#[path = "../../tests/support/between.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    clippy::allow_attributes,
    reason = "shared by tests that need other parts of it"
)]
mod between;

pub(super) use swap::ArcSwapOption;
