//! Which of its lives a store is in.
//!
//! What browsers carry is over when the store says so, and a backup does not know what was said after it was
//! made. So whoever brings a backup back gives the store another number, and what was carried away under the
//! one before is over. A number and no time: clocks of several machines differ, and one that is set back would
//! let in what is over, or keep everybody out until it has caught up.

use crate::random::{self, Random, RandomError};

/// Drawn when a store is brought back from a backup; 0 where it never was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incarnation(pub i64);

impl Incarnation {
    /// Another one. Not the next: a backup that is brought back twice would give one number twice.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(i64::from_be_bytes(random::bytes(random)?)))
    }
}
