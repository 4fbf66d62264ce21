//! What may happen to a grant: pure functions from a row and an event to the next row.
//!
//! No clock, no store, no HTTP. The keeper reads a row, asks a function of this module what the row
//! becomes, and writes the result by compare-and-set; when somebody else was faster it asks again with
//! the newer row. So each promise about a grant can be read off here:
//!
//! | promise | where |
//! | --- | --- |
//! | an intent is durable before a refresh token is presented, one presenter at a time | [`arm`] |
//! | (epoch, generation, fence) only grow; a late answer is kept, never written over a newer one | [`commit`] |
//! | the answer decides rotation; rotation does not move `reauthorize_by` | [`commit`] |
//! | only `invalid_grant` for the exact token that is still the durable one counts | [`refuse`] |
//! | a refusal well before its time is verified again; nothing is erased | [`refuse`] |
//! | no token is given up that may still be accepted: it stands by, and is tried before the verdict | [`promote`] |
//! | a fault moves no grant towards `reauthorize` | [`resolve`] |
//! | a token from a backup that may have been replaced since is presented by a person alone | [`restored()`] |
//! | a token of another program is presented by a person alone, until it was accepted | [`import`] |
//! | logout and re-login win over any refresh in flight | [`consent`], [`sign_out`] |
//! | many refusals at once open a breaker | [`app`] |

pub mod app;
mod arm;
mod candidate;
mod consent;
pub mod event;
mod import;
mod outcome;
mod restored;
pub mod row;
pub mod timing;
mod verdict;

pub use arm::{Ask, Cause, Hold, Ticket, arm, retime};
pub use candidate::{Exchange, promote, successor};
pub use consent::{Consented, consent, sign_out};
pub use event::Event;
pub use import::{Imported, Origin, import};
pub use outcome::{Commit, Minted, Replaced, Resolution, commit, resolve};
pub use restored::{Habit, habit, restored};
pub use row::{GrantRow, Status};
pub use verdict::{Before, Evidence, Refusal, refuse};
pub(crate) use verdict::{expected, may_be_over};

/// A row's next state and what the grant's story gains by it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The row to write.
    pub row: GrantRow,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Whether the story so far goes: it is about a user who has left.
    pub forgets: bool,
}

#[cfg(test)]
mod tests;
