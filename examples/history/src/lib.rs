//! Keeps a user's listening history, for days and through everything.
//!
//! Spotify remembers the last fifty tracks that a user has played to their end. [`Synchroniser`] asks for
//! them every few minutes and adds what is new to an SQLite file: no play twice, none left out while Spotify
//! still has it, and where it had not, the gap is written down. There is no position beside the plays
//! themselves, so there is nothing that could disagree with them after a crash.
//!
//! What has to do with tokens is refrain's: they are fresh, a 401 is repaired, a 429 is remembered. What is
//! left to a program is here: to wait for as long as it is told, and for a user who has to sign in again.

mod history;
mod spotify;
mod synchroniser;

pub use history::{Gap, History};
pub use spotify::{Play, Spotify, Trouble};
pub use synchroniser::Synchroniser;
