//! What a key may do.

use std::{fmt, str::FromStr};

/// One thing that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `proxy:read`: read from the Web API by way of refrain, and never see a token.
    ProxyRead,
    /// `proxy`: the same, and write; so it includes `proxy:read`.
    Proxy,
    /// `token`: get access tokens, which are out of refrain's hands from then on.
    Token,
    /// `manage`: grants, logins and keys; neither `proxy` nor `token`.
    Manage,
}

/// A word that is no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no permission: use proxy:read, proxy, token or manage")]
pub struct UnknownPermission {
    given: String,
}

impl Permission {
    /// All there are, the least first.
    pub const ALL: [Self; 4] = [Self::ProxyRead, Self::Proxy, Self::Token, Self::Manage];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProxyRead => "proxy:read",
            Self::Proxy => "proxy",
            Self::Token => "token",
            Self::Manage => "manage",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::ProxyRead => 1,
            Self::Proxy => 2,
            Self::Token => 4,
            Self::Manage => 8,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == text);
        known.ok_or_else(|| UnknownPermission {
            given: text.chars().take(80).collect(),
        })
    }
}

/// What a key may do, taken together. Written as words with commas between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// The only question: whether a key with these may do it.
    pub fn allows(self, asked: Permission) -> bool {
        let has = |permission: Permission| self.0 & permission.bit() != 0;
        match asked {
            Permission::ProxyRead => has(Permission::ProxyRead) || has(Permission::Proxy),
            Permission::Proxy | Permission::Token | Permission::Manage => has(asked),
        }
    }

    /// Whether there is nothing that it may do.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As they were given, for people.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        let given = Permission::ALL.into_iter();
        given.filter(move |permission| self.0 & permission.bit() != 0)
    }

    /// Whether any of them is about grants: all but `manage` are.
    pub fn use_grants(self) -> bool {
        self.iter()
            .any(|permission| permission != Permission::Manage)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let bits = permissions.into_iter().map(Permission::bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Permission::as_str).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for Permissions {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        text.split(',')
            .filter(|it| !it.is_empty())
            .map(str::parse)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_allows_what_the_table_says() {
        use Permission::{Manage, Proxy, ProxyRead, Token};
        let table = [
            (ProxyRead, vec![ProxyRead]),
            (Proxy, vec![ProxyRead, Proxy]),
            (Token, vec![Token]),
            (Manage, vec![Manage]),
        ];
        for (given, allowed) in table {
            let given = Permissions::from_iter([given]);
            for asked in Permission::ALL {
                assert_eq!(
                    given.allows(asked),
                    allowed.contains(&asked),
                    "{given} {asked}"
                );
            }
        }
    }

    #[test]
    fn every_set_allows_what_one_of_its_members_allows() {
        for bits in 0..16 {
            let set = Permissions(bits);
            for asked in Permission::ALL {
                let one = set
                    .iter()
                    .any(|it| Permissions::from_iter([it]).allows(asked));
                assert_eq!(set.allows(asked), one, "{set} {asked}");
            }
            assert_eq!(set.to_string().parse(), Ok(set));
            assert_eq!(set.is_empty(), bits == 0);
            assert_eq!(set.use_grants(), bits & 7 != 0);
        }
    }

    #[test]
    fn a_word_that_is_no_permission_is_named() {
        for word in ["", "proxy:write", "Proxy", "all", " proxy"] {
            let error = word.parse::<Permission>().unwrap_err().to_string();
            assert!(error.contains(&format!("{word:?}")), "{error}");
        }
        assert!("proxy,all".parse::<Permissions>().is_err());
    }
}
