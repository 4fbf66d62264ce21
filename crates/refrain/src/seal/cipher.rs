//! One key and what it does: XChaCha20-Poly1305 with a random nonce per seal.
//!
//! ```text
//! 1 byte version | 1 byte algorithm | 8 bytes key id | 24 bytes nonce | ciphertext and tag
//! ```
//! The first ten bytes are part of the associated data, so neither can be changed unnoticed.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    random::{self, Random, RandomError},
    seal::Place,
    secret::Sealed,
};

const VERSION: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const HEADER: usize = 10;
const NONCE: usize = 24;

/// Sealing or opening failed. None of these says anything about the user's authorization.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The ciphertext names a key that is not at hand.
    #[error("it is sealed with key {expected}, which is not in the keyring")]
    UnknownKey {
        /// The key it names.
        expected: KeyId,
    },
    /// The ciphertext does not belong where it was found, or has been changed.
    #[error("it was not sealed for this place, or was changed afterwards")]
    Forged,
    /// Too short, or of a version that this program does not know.
    #[error("it is damaged: {why}")]
    Damaged {
        /// In a few words.
        why: &'static str,
    },
    /// No randomness for a nonce or a key.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Names a key without revealing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A 256-bit key.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; 32]>,
    id: KeyId,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// A fresh key.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self::new(Zeroizing::new(random::bytes(random)?)))
    }

    /// Takes 32 bytes as a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes = bytes.try_into().map_err(|_| SealError::Damaged {
            why: "a key of odd length",
        })?;
        Ok(Self::new(Zeroizing::new(bytes)))
    }

    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let mut id = [0; 8];
        // HKDF fails only for outputs of more than 8,160 bytes.
        let derived =
            Hkdf::<Sha256>::new(None, bytes.as_slice()).expand(b"refrain key id", &mut id);
        debug_assert!(derived.is_ok());
        Self {
            bytes,
            id: KeyId(id),
        }
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Seals bytes for one place.
    pub fn seal(
        &self,
        place: &Place,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let nonce: [u8; NONCE] = random::bytes(random)?;
        let mut blob = Vec::with_capacity(HEADER + NONCE + plain.len() + 16);
        blob.extend_from_slice(&[VERSION, XCHACHA20_POLY1305]);
        blob.extend_from_slice(&self.id.0);
        let aad = place.associated_data(&blob);
        let ciphertext = self
            .cipher()
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: &aad,
                },
            )
            .map_err(|_| SealError::Damaged {
                why: "too long to seal",
            })?;
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&ciphertext);
        Ok(Sealed::from_bytes(blob))
    }

    /// Opens what was sealed for one place by this key.
    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Parts::of(sealed)?;
        if parts.key != self.id {
            return Err(SealError::UnknownKey {
                expected: parts.key,
            });
        }
        let aad = place.associated_data(parts.header);
        let nonce = XNonce::from(*parts.nonce);
        self.cipher()
            .decrypt(
                &nonce,
                Payload {
                    msg: parts.ciphertext,
                    aad: &aad,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| SealError::Forged)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.bytes).into())
    }
}

/// A blob taken apart.
struct Parts<'a> {
    header: &'a [u8],
    key: KeyId,
    nonce: &'a [u8; NONCE],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a Sealed) -> Result<Self, SealError> {
        const SHORT: SealError = SealError::Damaged { why: "too short" };
        let (header, rest) = sealed.as_bytes().split_at_checked(HEADER).ok_or(SHORT)?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(SHORT)?;
        let [VERSION, XCHACHA20_POLY1305, id @ ..] = header else {
            return Err(SealError::Damaged {
                why: "an unknown version or algorithm",
            });
        };
        let id = id.try_into().map_err(|_| SHORT)?;
        Ok(Self {
            header,
            key: KeyId(id),
            nonce,
            ciphertext,
        })
    }
}

/// The key that a ciphertext names.
pub(crate) fn key_of(sealed: &Sealed) -> Result<KeyId, SealError> {
    Parts::of(sealed).map(|parts| parts.key)
}
