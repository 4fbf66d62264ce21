//! The text of a key: `rfk_`, then ten digits that name it, 27 that are its secret, and six to notice
//! a typo by.

use std::{fmt, str::FromStr, sync::Arc};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    access::base62,
    random::{Random, RandomError},
};

/// What every key matches; for whoever searches for keys that have leaked.
pub const PATTERN: &str = "rfk_[0-9A-Za-z]{43}";

const PREFIX: &str = "rfk_";
/// 59 bits: it names a key, and keeps nothing.
const ID: usize = 10;
/// 160 bits.
const SECRET: usize = 27;
const CHECKSUM: usize = 6;
const DIGITS: usize = ID + SECRET + CHECKSUM;

/// An API key of refrain's own, as its holder has it.
///
/// As with the secrets in [`secret`](crate::secret), nothing prints it, and it is wiped when the last
/// clone is dropped.
#[derive(Clone)]
pub struct ApiKey(Arc<Zeroizing<Box<str>>>);

/// Why a text is not a key. None of them repeats any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It begins otherwise.
    #[error("an API key begins with rfk_")]
    Prefix,
    /// Something was cut off, or added.
    #[error("an API key has {DIGITS} characters after rfk_, and this one has {found}")]
    Length {
        /// So many there are.
        found: usize,
    },
    /// There is a character that no key has.
    #[error("an API key has letters and digits alone after rfk_")]
    Alphabet,
    /// The last six do not belong to the others.
    #[error("the API key is mistyped: its last six characters do not belong to the others")]
    Checksum,
}

impl ApiKey {
    /// A fresh key.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        // As long as it will be: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + DIGITS));
        text.push_str(PREFIX);
        base62::draw(&mut text, ID + SECRET, random)?;
        let sum = crc32(text.as_bytes());
        base62::append(&mut text, sum);
        Ok(Self::new(&text))
    }

    /// Reads what somebody presents. The checksum keeps typos away from the store, and nobody else: who
    /// can read this can compute it.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        let digits = text.strip_prefix(PREFIX).ok_or(ApiKeyError::Prefix)?;
        let found = digits.chars().count();
        if found != DIGITS {
            return Err(ApiKeyError::Length { found });
        }
        if !base62::is_base62(digits) {
            return Err(ApiKeyError::Alphabet);
        }
        let (summed, sum) = text.split_at(PREFIX.len() + ID + SECRET);
        let mut expected = String::with_capacity(CHECKSUM);
        base62::append(&mut expected, crc32(summed.as_bytes()));
        if sum != expected {
            return Err(ApiKeyError::Checksum);
        }
        Ok(Self::new(text))
    }

    /// The name under which the store has it; no secret.
    pub fn id(&self) -> ApiKeyId {
        let digits = self.expose().chars().skip(PREFIX.len());
        ApiKeyId(digits.take(ID).collect::<String>().into())
    }

    /// Reveals the key to whoever shows it to its holder, presents or hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        let (one, other) = (self.expose().as_bytes(), other.expose().as_bytes());
        one.ct_eq(other).into()
    }

    fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        Self::parse(text)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// The ten digits that name a key in lists and logs; unlike its name they are never used twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(Box<str>);

impl ApiKeyId {
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

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The CRC-32 of zip and PNG, bit by bit: it notices every change of up to 32 bits in a row, so every
/// single character that is mistyped.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum = (sum >> 1) ^ (low * 0xedb8_8320);
        }
    }
    !sum
}

#[cfg(test)]
mod tests;
