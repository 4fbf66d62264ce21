//! The client (RFC 6749 §2): what Spotify calls an app.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::secret::ClientSecret;

/// A client id is empty or holds characters outside printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a client id is 1 to 256 printable ASCII characters without spaces")]
pub struct ClientIdError;

/// A client identifier (RFC 6749 §2.2); public.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ClientId(Box<str>);

impl ClientId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        let legal = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        legal.then(|| Self(text.into())).ok_or(ClientIdError)
    }
}

impl TryFrom<String> for ClientId {
    type Error = ClientIdError;

    fn try_from(text: String) -> Result<Self, ClientIdError> {
        text.parse()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the client proves itself at the token endpoint (RFC 6749 §2.3).
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// The secret in an `Authorization: Basic` header: a confidential client.
    SecretBasic(ClientSecret),
    /// No secret; the identifier goes in the body: a public client.
    None,
}

/// One registration: who asks.
#[derive(Debug, Clone)]
pub struct Client {
    /// The identifier.
    pub id: ClientId,
    /// The proof.
    pub auth: ClientAuth,
}
