//! What can be wrong about an API key, and what to do.

use crate::{
    access::{ApiKeyId, Refused},
    id::{ApiKeyName, GrantName},
    keeper::Kind,
};

/// What is wrong about an API key. Every key is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Another key that is not revoked has the name.
    #[error("there is an API key {name} already (id {id})")]
    NameTaken {
        /// The name.
        name: ApiKeyName,
        /// The key that has it.
        id: ApiKeyId,
    },
    /// No key has this name or id.
    #[error("there is no API key {given}")]
    Unknown {
        /// What was looked for, unless it looks like a key itself.
        given: String,
    },
    /// A key for grants that are not there.
    #[error("there is no grant {}", listed(unknown))]
    UnknownGrants {
        /// Those that are not there.
        unknown: Vec<GrantName>,
        /// Some that are.
        known: Vec<GrantName>,
    },
    /// A key that may do something with grants, and reaches none.
    #[error("this API key would reach no grant")]
    WithoutGrant,
    /// A key that may do nothing.
    #[error("this API key would be allowed nothing")]
    WithoutPermission,
    /// Somebody presents a key that is not valid. All of them read alike.
    #[error("the API key is not valid")]
    Refused {
        /// Why: for the log, and not for whoever presented it.
        why: Refused,
    },
}

impl KeyError {
    /// No key has this name or id. A text that may be a key, mistyped, is not repeated.
    pub(super) fn unknown(given: &str) -> Self {
        let shown = if given.starts_with("rfk_") {
            "of this text".to_owned()
        } else {
            given.chars().take(80).collect()
        };
        Self::Unknown { given: shown }
    }

    pub(in crate::keeper) fn code(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "key_name_taken",
            Self::Unknown { .. } => "unknown_api_key",
            Self::UnknownGrants { .. } => "unknown_grant",
            Self::WithoutGrant => "key_without_grant",
            Self::WithoutPermission => "key_without_permission",
            Self::Refused { .. } => "api_key_refused",
        }
    }

    pub(in crate::keeper) fn kind(&self) -> Kind {
        match self {
            Self::NameTaken { .. }
            | Self::Unknown { .. }
            | Self::UnknownGrants { .. }
            | Self::WithoutGrant
            | Self::WithoutPermission => Kind::Usage,
            Self::Refused { .. } => Kind::NotPermitted,
        }
    }

    /// The same for all of them.
    pub(in crate::keeper) const SAFE: &'static str = "nothing was changed; every key is as it was";

    pub(in crate::keeper) fn fix(&self) -> String {
        match self {
            Self::NameTaken { name, .. } => format!(
                "choose another name; or, where nobody needs it any more, run `refrain key revoke {name}` \
                 first"
            ),
            Self::Unknown { .. } => "`refrain key list` shows what there is".to_owned(),
            Self::UnknownGrants { known, .. } if known.is_empty() => {
                "nobody has signed in yet: run `refrain login` first".to_owned()
            }
            Self::UnknownGrants { known, .. } => {
                format!("use one that is there: {}", listed(known))
            }
            Self::WithoutGrant => "name at least one grant, or all of them".to_owned(),
            Self::WithoutPermission => {
                "allow at least one of proxy:read, proxy, token and manage".to_owned()
            }
            Self::Refused { .. } => {
                "ask whoever runs this refrain for a key: `refrain key create` makes one".to_owned()
            }
        }
    }
}

fn listed(names: &[GrantName]) -> String {
    let names: Vec<_> = names.iter().map(GrantName::as_str).collect();
    names.join(", ")
}
