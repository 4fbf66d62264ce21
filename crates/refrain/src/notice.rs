//! What is told of a grant without anybody asking: that it was connected, that the day comes nearer on which
//! Spotify stops honouring it, that it needs a new consent, that it works again, that it was signed out.
//!
//! Nothing is told because something happens; it is told because a grant stands otherwise than it was told
//! of last ([`due`]). So a process that dies leaves nothing out, and what fell due while none ran is told as
//! it is now, once. What is to be told becomes a [`Message`], and for each place that hears of it a
//! [`Delivery`], which is tried again for three days ([`delivery`]). How a message proves where it comes from
//! is in [`sign`]. Nothing here does any I/O.
//!
//! A message holds names, states and dates: no id of an account, nothing that a user is called.

pub mod delivery;
mod due;
mod message;
pub mod sign;

pub use self::{
    delivery::{Delivery, Target, TargetId},
    due::{Due, News, Standing, Told, due},
    message::{Message, MessageId},
};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A user has consented, for the first time or again.
    Connected,
    /// The day is near on which the consent ends.
    ReauthorizeSoon,
    /// A new consent is needed.
    Reauthorize,
    /// One was, and the grant works again without.
    Recovered,
    /// Its tokens were destroyed.
    SignedOut,
    /// Nothing has happened: somebody tries whether messages arrive.
    Test,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Connected,
        Self::ReauthorizeSoon,
        Self::Reauthorize,
        Self::Recovered,
        Self::SignedOut,
        Self::Test,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connected => "grant.connected",
            Self::ReauthorizeSoon => "grant.reauthorize_soon",
            Self::Reauthorize => "grant.reauthorize",
            Self::Recovered => "grant.recovered",
            Self::SignedOut => "grant.signed_out",
            Self::Test => "refrain.test",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests;
