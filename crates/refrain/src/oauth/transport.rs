//! The border that bytes cross, in two steps: connect, then send.
//!
//! They are apart because the difference is the product: a refresh token that was never presented is
//! untouched, whatever went wrong; one that may have been presented may also have been rotated.

use std::fmt;

use async_trait::async_trait;
use http::{HeaderMap, Method, StatusCode, header};
use zeroize::Zeroizing;

use crate::oauth::origin::Origin;

/// The largest body that is read; a token answer is about one kilobyte.
pub const BODY_LIMIT: usize = 64 * 1024;

/// A request without its origin: the connection already leads there.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query; never a secret.
    pub path: String,
    /// Headers; those with a secret are marked sensitive.
    pub headers: HeaderMap,
    /// The body; wiped after use.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, self.path)
    }
}

/// What came back, as far as it came.
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, [`BODY_LIMIT`] at most; wiped after use.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether the body arrived to its end.
    pub complete: bool,
}

impl Answer {
    /// A header as text, where it is there once and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// Whether the body says that it is JSON, or does not say what it is.
    pub fn may_be_json(&self) -> bool {
        let Some(content_type) = self.headers.get(header::CONTENT_TYPE) else {
            return true;
        };
        let content_type = content_type
            .to_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence == "application/json" || essence.ends_with("+json")
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Nothing was presented: no connection came about.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {origin}")]
pub struct ConnectError {
    /// Where to.
    pub origin: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The request went wrong after the connection stood.
#[derive(Debug, thiserror::Error)]
#[error("the request to {origin} failed")]
pub struct SendError {
    /// Where to.
    pub origin: String,
    /// Whether not one byte of the request can have reached the other side.
    pub unsent: bool,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Opens connections. Redirects are not followed, nothing is sent twice, no cookie is kept.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Opens a connection, or takes an idle one; nothing is presented.
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Connection>, ConnectError>;
}

/// One connection, good for one request.
#[async_trait]
pub trait Connection: Send {
    /// Sends the request, once, and reads the answer.
    async fn send(self: Box<Self>, request: Request) -> Result<Answer, SendError>;
}
