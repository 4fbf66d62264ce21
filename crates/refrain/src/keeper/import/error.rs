//! Why a token was not taken over, and what became of it.

use crate::{
    id::{AppName, GrantName},
    keeper::{Error, Kind},
    lifecycle::row::Reason,
    oauth::client::ClientId,
};

/// Why a token was not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The grant has a token, and nobody said that it may go.
    #[error("grant {grant} exists and has a token")]
    Exists {
        /// The grant.
        grant: GrantName,
    },
    /// It was taken over before, under another name.
    #[error("this very token was taken over before, as grant {grant}")]
    AlreadyHere {
        /// The grant.
        grant: GrantName,
    },
    /// Its holder says that it was issued to another client.
    #[error(
        "the token was issued to client id {theirs}, and app {app} of the configuration has {ours}"
    )]
    OtherClient {
        /// The app.
        app: AppName,
        /// Whose it is.
        theirs: ClientId,
        /// The app's.
        ours: ClientId,
    },
    /// `invalid_grant`, for a token that never worked here.
    #[error(
        "Spotify does not accept the token: invalid_grant{}",
        described(description.as_deref())
    )]
    Refused {
        /// The grant that was to be.
        grant: GrantName,
        /// What is known of the reason.
        reason: Reason,
        /// The provider's words.
        description: Option<String>,
    },
    /// It could not be verified yet.
    #[error("the token is here and could not be verified yet: {cause}")]
    Unverified {
        /// Where it is.
        grant: GrantName,
        /// What is in the way.
        cause: Error,
    },
    /// It works, and is another account's than the grant's.
    #[error("the token belongs to another Spotify account than grant {grant}")]
    OtherAccount {
        /// The grant.
        grant: GrantName,
        /// Where it is now.
        kept: GrantName,
    },
    /// It works, and the API does not say whose it is, so that it takes nobody's place.
    #[error("Spotify's API does not say whose token it is ({why})")]
    AccountUnknown {
        /// The grant.
        grant: GrantName,
        /// Where it is now.
        kept: GrantName,
        /// In a few words.
        why: String,
    },
    /// Somebody signed the grant in or out meanwhile.
    #[error("grant {grant} was signed in or out by somebody else meanwhile")]
    Overtaken {
        /// The grant.
        grant: GrantName,
    },
}

fn described(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(" ({text})"))
}

impl ImportError {
    pub(in crate::keeper) fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "import_exists",
            Self::AlreadyHere { .. } => "import_already_here",
            Self::OtherClient { .. } => "import_other_client",
            Self::Refused { .. } => "import_refused",
            Self::Unverified { .. } => "import_unverified",
            Self::OtherAccount { .. } => "import_other_account",
            Self::AccountUnknown { .. } => "import_account_unknown",
            Self::Overtaken { .. } => "import_overtaken",
        }
    }

    pub(in crate::keeper) fn kind(&self) -> Kind {
        match self {
            Self::Exists { .. } | Self::AlreadyHere { .. } => Kind::Usage,
            Self::OtherClient { .. } => Kind::Configuration,
            Self::Refused { .. } => Kind::Reauthorize,
            Self::Unverified { cause, .. } => cause.kind(),
            Self::OtherAccount { .. } => Kind::NotPermitted,
            Self::AccountUnknown { .. } | Self::Overtaken { .. } => Kind::TryLater,
        }
    }

    pub(in crate::keeper) fn safe(&self) -> &'static str {
        match self {
            Self::Exists { .. } | Self::AlreadyHere { .. } | Self::OtherClient { .. } => {
                "nothing was sent and nothing was changed, here or where the token is from"
            }
            Self::Refused { .. } => {
                "nothing of it is kept here, and nothing was changed where it is from; other grants are as \
                 they were"
            }
            Self::Unverified { .. } => {
                "the token is kept here, sealed, and nobody presents it unasked; what it is from was not \
                 changed"
            }
            Self::OtherAccount { .. } | Self::AccountUnknown { .. } => {
                "the grant that was there is as it was, and the imported token is kept under a name of its own"
            }
            Self::Overtaken { .. } => "what they did holds; nothing was written over it",
        }
    }

    pub(in crate::keeper) fn fix(&self) -> String {
        match self {
            Self::Exists { grant } => format!(
                "choose another name; or say --replace, which verifies the new token first and takes it only \
                 if it is of the same Spotify account as {grant}"
            ),
            Self::AlreadyHere { grant } => format!(
                "use it as {grant}; for another name end that one first: `refrain logout {grant}`, and sign \
                 in anew"
            ),
            Self::OtherClient { app, .. } => format!(
                "a token works with the client it was issued to alone: configure that one, as [apps.{app}] or \
                 as another app, and name it with --app; or run `refrain login`"
            ),
            Self::Refused { grant, reason, .. } => {
                let why = match reason {
                    Reason::AnswerLost => {
                        "an answer to an earlier try was lost, and Spotify had replaced the token with it"
                    }
                    Reason::Expired => {
                        "the user consented more than six months ago, as far as the source shows"
                    }
                    Reason::Revoked | Reason::Scope | Reason::Restored | Reason::Imported => {
                        "it is older than six months, or the user removed the app or changed the password, or \
                         it was issued to another client id than the configured one, or the other program \
                         has got a newer one since and this is a copy of the old"
                    }
                };
                format!("{why}; run `refrain login {grant}`")
            }
            Self::Unverified { grant, cause } if cause.kind() == Kind::Configuration => format!(
                "{}; then run the same import again; to give it up: `refrain logout {grant}`",
                cause.explain().fix
            ),
            Self::Unverified { grant, .. } => {
                format!("run the same import again; to give it up: `refrain logout {grant}`")
            }
            Self::OtherAccount { kept, .. } => {
                format!("use it as {kept}; to give it up: `refrain logout {kept}`")
            }
            Self::AccountUnknown { kept, .. } => {
                format!("run the same import again in a minute; until then it works as {kept}")
            }
            Self::Overtaken { grant } => format!("see what `refrain why {grant}` tells"),
        }
    }
}
