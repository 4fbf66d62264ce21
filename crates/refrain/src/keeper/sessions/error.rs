//! What can be wrong about a session, and what to do.

use crate::keeper::Kind;

/// What is wrong about a session. Every grant is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No session reads so, or it is over.
    #[error("nobody is signed in with this session: it is over, or was ended")]
    Unknown,
    /// No sign-in link reads so, or it was used, or its time is over.
    #[error("this sign-in link was used already, or is too old")]
    SignInUnknown,
}

impl SessionError {
    pub(in crate::keeper) fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "session_unknown",
            Self::SignInUnknown => "sign_in_unknown",
        }
    }

    /// The same for all of them.
    pub(in crate::keeper) const KIND: Kind = Kind::NotPermitted;

    /// This too.
    pub(in crate::keeper) const SAFE: &'static str =
        "nothing was changed; every grant is as it was";

    pub(in crate::keeper) fn fix(&self) -> String {
        match self {
            Self::Unknown => "sign in again",
            Self::SignInUnknown => "get a new one where refrain runs: `refrain dashboard`",
        }
        .to_owned()
    }
}
