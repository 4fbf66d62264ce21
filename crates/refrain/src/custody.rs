//! Custody: what is done to the key and the store as wholes. The master key is replaced, the store is
//! copied, and a copy is put back.
//!
//! Nothing here presents a token. Each of the three may be killed at any instant: what it leaves is the
//! state before or the state after, and running it again completes it.

mod error;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod prove;
mod rotation;

#[cfg(feature = "sqlite")]
mod backup;
#[cfg(feature = "sqlite")]
mod replacement;
mod restore;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use self::prove::prove;
#[cfg(feature = "sqlite")]
pub use self::{
    backup::{BackedUp, backup},
    restore::{Restoration, Restored},
};
pub use self::{
    error::CustodyError,
    restore::{Taken, take_over},
    rotation::{Rotation, Step, rotate},
};
