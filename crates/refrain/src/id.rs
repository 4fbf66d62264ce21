//! Names and numbers: what a grant is called, and the integers that order its life.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::random::{self, Random, RandomError};

/// A name holds other characters than letters, digits, `.`, `_` and `-`, or is empty or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not a name: use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
)]
pub struct NameError {
    given: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
                let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
                if first && rest && text.len() <= 64 {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { given: text.chars().take(80).collect() })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// What a person calls a grant: `alice`.
    GrantName
}
name! {
    /// What the configuration calls an app: `default`.
    AppName
}
name! {
    /// What a person calls an API key: `phone`.
    ApiKeyName
}
name! {
    /// What the configuration calls a developer account: the owner of one app, or of several.
    DeveloperName
}

impl From<&AppName> for DeveloperName {
    /// An app of which nothing is said is its developer's only one, and stands for him.
    fn from(app: &AppName) -> Self {
        Self(app.0.clone())
    }
}

/// A grant's identity in the store; unlike its name it is never used twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(Box<str>);

const GRANT_ID_PREFIX: &str = "grt_";

impl GrantId {
    /// A fresh identity.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        let bytes: [u8; 16] = random::bytes(random)?;
        Ok(Self(
            format!("{GRANT_ID_PREFIX}{:032x}", u128::from_be_bytes(bytes)).into(),
        ))
    }

    /// Reads an identity back from the store; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix(GRANT_ID_PREFIX)?;
        let legal = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        legal.then(|| Self(text.into()))
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one running process of refrain; the owner of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(#[serde(with = "crate::time::hex128")] pub u128);

impl InstanceId {
    /// A fresh identity.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(u128::from_be_bytes(random::bytes(random)?)))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Counts the logins (and logouts) of a grant.
    Epoch
}
counter! {
    /// Counts the refresh tokens within an epoch; the one from the code exchange is generation 0.
    Generation
}
counter! {
    /// Counts the access tokens within an epoch.
    Minting
}
counter! {
    /// Counts the intents of a grant; the higher one wins.
    Fence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_name_is_plain_and_short() {
        for good in ["alice", "a", "Alice.B_c-1", "9"] {
            assert!(good.parse::<GrantName>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "ä", "a\n", &"a".repeat(65)] {
            assert!(bad.parse::<GrantName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grant_id_reads_back() {
        let id = GrantId::random(&SystemRandom).unwrap();
        assert_eq!(GrantId::parse(id.as_str()), Some(id));
        assert_eq!(GrantId::parse("grt_"), None);
    }
}
