//! The text of a link, as it stands at the end of its URL.
//!
//! 37 digits of base 62: ten that name the link and 27 that are the secret.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    access::base62,
    random::{Random, RandomError},
};

/// 59 bits: it names a link, and keeps nothing.
const ID: usize = 10;
/// 160 bits.
const SECRET: usize = 27;

/// A link as its user has it. Nothing prints it, and it is wiped when the last clone is dropped.
#[derive(Clone)]
pub struct ConnectLink(Arc<Zeroizing<Box<str>>>);

impl ConnectLink {
    /// A fresh link.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        // As long as it will be: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(ID + SECRET));
        base62::draw(&mut text, ID + SECRET, random)?;
        Ok(Self::new(&text))
    }

    /// Reads what somebody opens; `None` where it cannot be a link.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == ID + SECRET && base62::is_base62(text);
        legal.then(|| Self::new(text))
    }

    /// The name under which the store has it; no secret.
    pub fn id(&self) -> LinkId {
        let digits = self.expose().chars();
        LinkId(digits.take(ID).collect::<String>().into())
    }

    /// Reveals the link to whoever hands it to its user, or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }
}

impl fmt::Debug for ConnectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectLink(redacted)")
    }
}

/// The ten digits that name a link in logs and events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct LinkId(Box<str>);

/// The text is not the id of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a link")]
pub struct LinkIdError;

impl LinkId {
    /// Reads an id; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == ID && base62::is_base62(text);
        legal.then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LinkId {
    type Error = LinkIdError;

    fn try_from(text: String) -> Result<Self, LinkIdError> {
        Self::parse(&text).ok_or(LinkIdError)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_link_reads_back_and_its_id_tells_no_secret() {
        let link = ConnectLink::random(&SystemRandom).unwrap();
        let read = ConnectLink::parse(link.expose()).unwrap();
        assert_eq!(read.expose(), link.expose());
        assert!(link.expose().starts_with(link.id().as_str()));
        assert_eq!(link.id().as_str().len(), 10);
        assert_eq!(LinkId::parse(link.id().as_str()), Some(link.id()));
        let shown = format!("{link:?}");
        assert_eq!(shown, "ConnectLink(redacted)");
    }

    #[test]
    fn what_is_too_short_or_has_other_characters_is_no_link() {
        for text in ["", "a", &"a".repeat(36), &"a".repeat(38), &"-".repeat(37)] {
            assert!(ConnectLink::parse(text).is_none(), "{text}");
        }
        assert!(ConnectLink::parse(&"ä".repeat(37)).is_none());
        assert_eq!(LinkId::parse("a b c d e "), None);
    }

    #[test]
    fn no_two_links_are_the_same() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let link = ConnectLink::random(&SystemRandom).unwrap();
            assert!(seen.insert(link.expose().to_owned()));
        }
    }
}
