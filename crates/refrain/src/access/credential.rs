//! A text that names a record, and proves that it was handed out.
//!
//! 37 digits of base 62: ten that name the record and 27 that are the secret. Whoever keeps the record keeps
//! a keyed hash of the whole text, so that a copy of the store neither has one in it nor lets anybody try one.
//! Each kind is a type of its own, and is hashed in a domain of its own: none passes for another.

use std::{fmt, hash::Hash, marker::PhantomData, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    access::base62,
    random::{Random, RandomError},
    seal::Sealer,
};

/// 59 bits: it names a record, and keeps nothing.
const ID: usize = 10;
/// 160 bits.
const SECRET: usize = 27;

/// What a credential is for.
pub trait CredentialKind: fmt::Debug + Copy + Ord + Hash + Send + Sync + 'static {
    /// What it is called where its secret would stand.
    const NAME: &'static str;
    /// The domain of its hashes.
    const DOMAIN: &'static str;
}

/// A credential as whoever was given it has it. Nothing prints it, and it is wiped when the last clone is
/// dropped.
#[derive(Clone)]
pub struct Credential<K>(Arc<Zeroizing<Box<str>>>, PhantomData<K>);

impl<K: CredentialKind> Credential<K> {
    /// A fresh one.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        // As long as it will be: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(ID + SECRET));
        base62::draw(&mut text, ID + SECRET, random)?;
        Ok(Self::new(&text))
    }

    /// Reads what somebody shows; `None` where it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == ID + SECRET && base62::is_base62(text);
        legal.then(|| Self::new(text))
    }

    /// The name under which the store has it; no secret.
    pub fn id(&self) -> CredentialId<K> {
        let digits = self.expose().chars();
        CredentialId(digits.take(ID).collect::<String>().into(), PhantomData)
    }

    /// Reveals it to whoever hands it out, or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())), PhantomData)
    }
}

impl<K: CredentialKind> fmt::Debug for Credential<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(redacted)", K::NAME)
    }
}

/// The ten digits that name a credential in logs and events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId<K>(Box<str>, PhantomData<K>);

impl<K: CredentialKind> CredentialId<K> {
    /// Reads an id; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == ID && base62::is_base62(text);
        legal.then(|| Self(text.into(), PhantomData))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: CredentialKind> fmt::Display for CredentialId<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K> Serialize for CredentialId<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, K: CredentialKind> Deserialize<'de> for CredentialId<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("not the id of a {}", K::NAME)))
    }
}

/// What a credential is recognised by: HMAC-SHA-256 of its whole text under a value that the master key seals.
#[derive(Clone, Copy)]
pub struct CredentialHash<K>([u8; 32], PhantomData<K>);

impl<K: CredentialKind> CredentialHash<K> {
    /// The hash of a credential in one store.
    pub fn of(credential: &Credential<K>, sealer: &Sealer) -> Self {
        Self::from_bytes(sealer.fingerprint(K::DOMAIN, credential.expose()))
    }

    /// A hash that was read.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes, PhantomData)
    }

    /// The bytes, for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In constant time, whoever compares.
impl<K> PartialEq for CredentialHash<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<K> Eq for CredentialHash<K> {}

impl<K: CredentialKind> fmt::Debug for CredentialHash<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hash of a {}(redacted)", K::NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::SystemRandom,
        seal::{DeploymentId, Keyring},
    };

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    struct One;
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    struct Other;

    impl CredentialKind for One {
        const NAME: &'static str = "One";
        const DOMAIN: &'static str = "one";
    }

    impl CredentialKind for Other {
        const NAME: &'static str = "Other";
        const DOMAIN: &'static str = "other";
    }

    fn sealer() -> Sealer {
        let keyring = Keyring::random(&SystemRandom).unwrap();
        let founded = Sealer::found(keyring, DeploymentId(1), &SystemRandom);
        founded.unwrap().0
    }

    #[test]
    fn a_credential_reads_back_and_its_id_tells_no_secret() {
        let one = Credential::<One>::random(&SystemRandom).unwrap();
        let read = Credential::<One>::parse(one.expose()).unwrap();
        assert_eq!(read.expose(), one.expose());
        assert!(one.expose().starts_with(one.id().as_str()));
        assert_eq!(one.id().as_str().len(), 10);
        assert_eq!(CredentialId::parse(one.id().as_str()), Some(one.id()));
        assert_eq!(format!("{one:?}"), "One(redacted)");
    }

    #[test]
    fn what_is_too_short_or_has_other_characters_is_none() {
        for text in ["", "a", &"a".repeat(36), &"a".repeat(38), &"-".repeat(37)] {
            assert!(Credential::<One>::parse(text).is_none(), "{text}");
        }
        assert!(Credential::<One>::parse(&"ä".repeat(37)).is_none());
        assert_eq!(CredentialId::<One>::parse("a b c d e "), None);
    }

    #[test]
    fn no_two_are_the_same() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let one = Credential::<One>::random(&SystemRandom).unwrap();
            assert!(seen.insert(one.expose().to_owned()));
        }
    }

    #[test]
    fn a_hash_is_that_of_one_credential_of_one_kind_in_one_store() {
        let (here, there) = (sealer(), sealer());
        let one = Credential::<One>::random(&SystemRandom).unwrap();
        let another = Credential::<One>::random(&SystemRandom).unwrap();
        let hash = CredentialHash::of(&one, &here);
        assert_eq!(hash, CredentialHash::of(&one, &here));
        assert_ne!(hash, CredentialHash::of(&one, &there));
        assert_ne!(hash, CredentialHash::of(&another, &here));
        let taken_for = Credential::<Other>::parse(one.expose()).unwrap();
        let other = CredentialHash::of(&taken_for, &here);
        assert_ne!(hash.as_bytes(), other.as_bytes());
        assert_eq!(format!("{hash:?}"), "hash of a One(redacted)");
    }
}
