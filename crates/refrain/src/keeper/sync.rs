//! What the keeper shares state and begins tasks with: the standard primitives. In this crate's own unit
//! tests they are shuttle's, whose scheduler decides at each of them who goes on (`schedules`), and which
//! work under that scheduler alone.
//!
//! Not among them: tokio's channels, each of whose operations is one step to a scheduler, and the bucket
//! of `ahead`, which nothing is decided under.

#[cfg(not(test))]
pub(super) use {
    arc_swap::ArcSwapOption,
    std::{
        hash::RandomState,
        sync::{
            Mutex, RwLock,
            atomic::{AtomicBool, AtomicI64},
        },
    },
    tokio::spawn,
};

#[cfg(test)]
pub(super) use {
    crate::keeper::schedules::ArcSwapOption,
    shuttle::{
        future::spawn,
        sync::{
            Mutex, RwLock,
            atomic::{AtomicBool, AtomicI64},
        },
    },
};

/// The same in every run, so that a schedule can be repeated.
#[cfg(test)]
pub(super) type RandomState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
