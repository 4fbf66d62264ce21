//! The secrets, one type each, and the ciphertext they are kept as.
//!
//! A secret has no `Display`, no `Serialize` and a `Debug` that tells its kind alone; it is wiped when
//! it is dropped. [`expose`](AccessToken::expose) is the one door, and it is meant for whoever writes
//! the secret to the wire or seals it.

use std::{fmt, sync::Arc};

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
    fn equality_is_by_content() {
        assert!(AccessToken::new("a").ct_eq(&AccessToken::new("a")));
        assert!(!AccessToken::new("a").ct_eq(&AccessToken::new("b")));
        assert!(!AccessToken::new("a").ct_eq(&AccessToken::new("aa")));
    }
}
