//! What is kept of a key: everything but the key.

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::{
    access::{ApiKey, ApiKeyId, Grants, Permissions},
    id::ApiKeyName,
    seal::Sealer,
    time::UnixMillis,
};

/// A key as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The part of its text that names it.
    pub id: ApiKeyId,
    /// What people call it; no two keys that are not revoked have one name.
    pub name: ApiKeyName,
    /// What it is recognised by.
    pub hash: KeyHash,
    /// Which grants it reaches.
    pub grants: Grants,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether links in the API's answers are to lead to refrain, for whoever follows them.
    pub rewrite_links: bool,
    /// When it was made.
    pub created_at: UnixMillis,
    /// From when on it is not valid.
    pub expires_at: Option<UnixMillis>,
    /// When it was used last, to a minute or so.
    pub last_used_at: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is valid.
    Valid,
    /// Its time is over.
    Expired,
    /// Somebody has revoked it.
    Revoked,
}

impl KeyRecord {
    /// Where it stands at an instant.
    pub fn standing(&self, now: UnixMillis) -> Standing {
        if self.revoked_at.is_some() {
            Standing::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Standing::Expired
        } else {
            Standing::Valid
        }
    }
}

impl Standing {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A keyed hash of a key's whole text: HMAC-SHA-256 under a value that the master key seals, so that a
/// copy of the store neither has a key in it nor lets anybody try one. The secret is too long to be
/// guessed, so that a slow hash would add nothing.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key in one store.
    pub fn of(key: &ApiKey, sealer: &Sealer) -> Self {
        Self(sealer.fingerprint("api-key", key.expose()))
    }

    /// A hash that was read.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In constant time, whoever compares.
impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(redacted)")
    }
}
