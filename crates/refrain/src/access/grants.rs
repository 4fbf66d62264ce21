//! Which grants a key reaches.

use std::collections::BTreeSet;

use crate::id::GrantName;

/// Which grants a key reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// Every grant, also those that come later.
    All,
    /// These, whoever is signed in under their names.
    Only(BTreeSet<GrantName>),
}

impl Grants {
    /// None; for a key that manages and does nothing else.
    pub fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether a key that has these reaches a grant.
    pub fn reach(&self, grant: &GrantName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(grant),
        }
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

impl FromIterator<GrantName> for Grants {
    fn from_iter<I: IntoIterator<Item = GrantName>>(names: I) -> Self {
        Self::Only(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reaches_its_grants_and_no_other() {
        let name = |text: &str| -> GrantName { text.parse().unwrap() };
        let some = Grants::from_iter([name("alice"), name("bob")]);
        assert!(some.reach(&name("alice")) && !some.reach(&name("alicia")));
        assert!(Grants::All.reach(&name("alice")) && !Grants::All.is_empty());
        assert!(!Grants::none().reach(&name("alice")) && Grants::none().is_empty());
    }
}
