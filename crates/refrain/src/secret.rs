//! The secrets, one type each, and the ciphertext they are kept as.
//!
//! A secret has no `Display`, no `Serialize` and a `Debug` that tells its kind alone; it is wiped when
//! it is dropped. [`expose`](AccessToken::expose) is the one door, and it is meant for whoever writes
//! the secret to the wire or seals it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($inner);

        impl $name {
            /// Takes the secret over; the caller's copy is the caller's to wipe.
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(<$inner>::from(Zeroizing::new(text.into())))
            }

            /// Reveals the secret to whoever writes it to the wire or seals it.
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Compares in constant time for equal lengths.
            pub fn ct_eq(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret! {
    /// An access token (RFC 6749 §1.4): what an API call carries, about an hour long.
    ///
    /// Cloning shares the one copy in memory.
    AccessToken(Arc<Zeroizing<Box<str>>>)
}
secret! {
    /// A refresh token (RFC 6749 §1.5): what a new access token is minted with.
    RefreshToken(Arc<Zeroizing<Box<str>>>)
}
secret! {
    /// The secret of a confidential client (RFC 6749 §2.3.1).
    ClientSecret(Arc<Zeroizing<Box<str>>>)
}
secret! {
    /// An authorization code (RFC 6749 §1.3.1): single use, about ten minutes.
    AuthorizationCode(Arc<Zeroizing<Box<str>>>)
}
secret! {
    /// A PKCE code verifier (RFC 7636 §4.1).
    CodeVerifier(Arc<Zeroizing<Box<str>>>)
}
secret! {
    /// The `state` parameter of an authorization request (RFC 6749 §4.1.1): ties the answer to the attempt.
    AuthorizationState(Arc<Zeroizing<Box<str>>>)
}

secret! {
    /// What a browser holds, in a cookie say, from the beginning of a login to its end: without it the
    /// answer of another browser does not find the login.
    BrowserSecret(Arc<Zeroizing<Box<str>>>)
}

/// What messages to others are signed with (Standard Webhooks): the key itself, of 24 to 64 bytes.
#[derive(Clone)]
pub struct WebhookSecret(Arc<Zeroizing<Vec<u8>>>);

/// The text is no secret that messages may be signed with. It is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretError {
    /// It does not look like one.
    #[error("a secret is whsec_ and base64 behind it")]
    Form,
    /// It is too short or too long.
    #[error("the secret has {0} bytes, and 24 to 64 are needed")]
    Length(usize),
    /// It can be guessed.
    #[error("the secret is always the same few bytes: it was not made by chance")]
    Weak,
}

impl WebhookSecret {
    /// A key that came about by chance has more values among its bytes than this.
    const FEW: usize = 8;

    /// Reads `whsec_<base64>`.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let encoded = text
            .strip_prefix("whsec_")
            .ok_or(WebhookSecretError::Form)?;
        // As long as it may become: what grows leaves copies behind.
        let mut key = Zeroizing::new(Vec::with_capacity(encoded.len()));
        STANDARD
            .decode_vec(encoded, &mut key)
            .map_err(|_| WebhookSecretError::Form)?;
        if !(24..=64).contains(&key.len()) {
            return Err(WebhookSecretError::Length(key.len()));
        }
        let values: BTreeSet<u8> = key.iter().copied().collect();
        if values.len() <= Self::FEW {
            return Err(WebhookSecretError::Weak);
        }
        Ok(Self(Arc::new(key)))
    }

    /// Reveals the key to whoever signs.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(redacted)")
    }
}

/// Ciphertext: the only form in which a secret is ever stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// Wraps the bytes of a sealed field.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-5f3a";

    #[test]
    fn no_debug_form_shows_a_secret() {
        let shown = format!(
            "{:?} {:#?} {:?} {:?} {:?} {:?}",
            AccessToken::new(CANARY),
            RefreshToken::new(CANARY),
            ClientSecret::new(CANARY),
            AuthorizationCode::new(CANARY),
            CodeVerifier::new(CANARY),
            AuthorizationState::new(CANARY),
        );
        assert!(!shown.contains("5f3a"), "{shown}");
    }

    #[test]
    fn a_webhook_secret_is_long_and_made_by_chance() {
        let of = |bytes: &[u8]| {
            let text = format!("whsec_{}", STANDARD.encode(bytes));
            WebhookSecret::parse(&text)
        };
        let bytes: Vec<u8> = (0..=65).collect();
        for length in [24, 32, 64] {
            let read = of(&bytes[..length]).unwrap();
            assert_eq!(read.expose(), &bytes[..length]);
            assert_eq!(format!("{read:?}"), "WebhookSecret(redacted)");
        }
        for length in [0, 23, 65] {
            let error = of(&bytes[..length]).unwrap_err();
            assert_eq!(error, WebhookSecretError::Length(length));
        }
        assert_eq!(of(&[7; 32]).unwrap_err(), WebhookSecretError::Weak);
        let text = STANDARD.encode(&bytes[..32]);
        for text in [text.as_str(), "whsec_", "whsec_!", "", "whsec-AAAA"] {
            assert!(WebhookSecret::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equality_is_by_content() {
        assert!(AccessToken::new("a").ct_eq(&AccessToken::new("a")));
        assert!(!AccessToken::new("a").ct_eq(&AccessToken::new("b")));
        assert!(!AccessToken::new("a").ct_eq(&AccessToken::new("aa")));
    }
}
