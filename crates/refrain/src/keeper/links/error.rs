//! What can be wrong about a connect link, and what to do.

use crate::{id::GrantName, keeper::Kind};

/// What is wrong about a connect link. Every grant is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// No link reads so, or its time is long over.
    #[error("this link is not known: it is too old, or was not copied whole")]
    Unknown,
    /// Its time is over.
    #[error("this link is too old")]
    Expired,
    /// A browser has begun with it.
    #[error("this link was used already")]
    Used,
    /// The grant has been signed in or out since the link was made.
    #[error("grant {grant} was signed in or out since this link was made")]
    Overtaken {
        /// The grant.
        grant: GrantName,
    },
    /// A link for somebody new, and somebody is signed in under the name.
    #[error("somebody is signed in as grant {grant}")]
    GrantThere {
        /// The grant.
        grant: GrantName,
    },
    /// A life that is too short, or too long for something that lies around.
    #[error("a link lives between a second and an hour")]
    Lifetime,
}

impl LinkError {
    pub(in crate::keeper) fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "link_unknown",
            Self::Expired => "link_expired",
            Self::Used => "link_used",
            Self::Overtaken { .. } => "link_overtaken",
            Self::GrantThere { .. } => "grant_exists",
            Self::Lifetime => "link_lifetime",
        }
    }

    pub(in crate::keeper) fn kind(&self) -> Kind {
        match self {
            Self::Unknown | Self::GrantThere { .. } | Self::Lifetime => Kind::Usage,
            Self::Expired | Self::Used | Self::Overtaken { .. } => Kind::NotPermitted,
        }
    }

    /// The same for all of them.
    pub(in crate::keeper) const SAFE: &'static str =
        "nothing was changed; every grant is as it was";

    pub(in crate::keeper) fn fix(&self) -> String {
        match self {
            Self::Unknown | Self::Expired | Self::Used | Self::Overtaken { .. } => {
                "get a new link where this one came from"
            }
            Self::GrantThere { .. } => {
                "leave reconnect out to have the same account consent again, or choose another name"
            }
            Self::Lifetime => "leave it out for ten minutes",
        }
        .to_owned()
    }
}
