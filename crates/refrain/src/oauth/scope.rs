//! Scope (RFC 6749 §3.3): a set of tokens whose order means nothing.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A scope token holds a character that RFC 6749 §3.3 forbids, or is empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a scope")]
pub struct ScopeError {
    given: String,
}

/// The set of scope tokens of a request or an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// The tokens in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether no token is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set has this token.
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// The tokens of this set that `granted` lacks.
    #[must_use]
    pub fn missing_from(&self, granted: &Self) -> Self {
        Self(self.0.difference(&granted.0).cloned().collect())
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    fn from_tokens<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, ScopeError> {
        tokens
            .map(|token| {
                // scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
                let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
                if !token.is_empty() && token.bytes().all(legal) {
                    Ok(token.to_owned())
                } else {
                    Err(ScopeError {
                        given: token.chars().take(80).collect(),
                    })
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// Reads a space-separated list; an empty one is the empty set.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::from_tokens(text.split_ascii_whitespace())
    }
}

impl TryFrom<Vec<String>> for Scope {
    type Error = ScopeError;

    fn try_from(tokens: Vec<String>) -> Result<Self, ScopeError> {
        Self::from_tokens(tokens.iter().map(String::as_str))
    }
}

impl From<Scope> for Vec<String> {
    fn from(scope: Scope) -> Self {
        scope.0.into_iter().collect()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for token in &self.0 {
            write!(f, "{separator}{token}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_set() {
        let a: Scope = "user-read-email  streaming".parse().unwrap();
        assert_eq!(
            a,
            "streaming user-read-email user-read-email".parse().unwrap()
        );
        assert_eq!(a.to_string(), "streaming user-read-email");
        assert!("".parse::<Scope>().unwrap().is_empty());
    }

    #[test]
    fn what_was_not_granted_is_named() {
        let asked: Scope = "a b c".parse().unwrap();
        let granted: Scope = "b d".parse().unwrap();
        assert_eq!(asked.missing_from(&granted).to_string(), "a c");
    }

    #[test]
    fn quotes_and_backslashes_are_no_scope() {
        assert!("a\"b".parse::<Scope>().is_err());
        assert!("a\\b".parse::<Scope>().is_err());
        assert!("ä".parse::<Scope>().is_err());
    }
}
