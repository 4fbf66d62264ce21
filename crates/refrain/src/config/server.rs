//! How the server is reached: addresses, names, certificates.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::ParseIntError,
    path::PathBuf,
    str::FromStr,
};

use crate::config::{return_to::ReturnRule, sessions::Sessions};

/// How the server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Where it listens for TCP connections, if it does.
    pub listen: Option<SocketAddr>,
    /// The Unix socket that it makes, if it does.
    pub socket: Option<PathBuf>,
    /// The users who may connect to that socket beside its own.
    pub socket_uids: Vec<u32>,
    /// The names that it answers to beside those of this machine's loopback.
    pub names: Vec<HostName>,
    /// What it proves itself with; without, it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether it may speak plain HTTP to other machines, because a proxy in front of it ends TLS.
    pub plain_http: bool,
    /// Where a user may be sent after a consent; nowhere, if it is empty.
    pub return_to: Vec<ReturnRule>,
    /// Who may sign in with a browser.
    pub sessions: Sessions,
    /// The folder of a single-page app that it serves beside the API, if it does.
    pub app_dir: Option<PathBuf>,
}

impl Server {
    /// Where it listens unless told otherwise; a login's callback comes to the same port.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4280);

    /// Whether nobody on the way can read what is said at an address: it is on the loopback, or encrypted by
    /// the server itself or by somebody in front of it.
    pub fn is_private_at(&self, address: SocketAddr) -> bool {
        address.ip().to_canonical().is_loopback() || self.tls.is_some() || self.plain_http
    }
}

impl Default for Server {
    /// On the loopback alone.
    fn default() -> Self {
        Self {
            listen: Some(Self::LISTEN),
            socket: None,
            socket_uids: Vec::new(),
            names: Vec::new(),
            tls: None,
            plain_http: false,
            return_to: Vec::new(),
            sessions: Sessions::default(),
            app_dir: None,
        }
    }
}

/// A certificate and its key, as paths: both are read when the server starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// A host as the `Host` header names it, without port: a DNS name in lower case, an IPv4 address, or an
/// IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Box<str>);

/// The text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not the name of a host: it has neither scheme nor port nor path")]
pub struct HostNameError {
    given: String,
}

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        if let Some(address) = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'))
            && let Ok(address) = address.parse::<Ipv6Addr>()
        {
            // One way of writing for one address.
            return Ok(Self(format!("[{address}]").into()));
        }
        let label = |label: &str| {
            let plain = label
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-');
            let edge = label.starts_with('-') || label.ends_with('-');
            plain && !edge && (1..=63).contains(&label.len())
        };
        if text.len() <= 253 && text.split('.').all(label) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(HostNameError {
            given: text.chars().take(80).collect(),
        })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no address to listen at.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is an IP address with a port, or \"\" for none")]
pub(super) struct ListenError;

pub(super) fn listen(text: &str) -> Result<Option<SocketAddr>, ListenError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ListenError)
}

/// The text is no user id.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is not a user id")]
pub(super) struct UidError {
    given: String,
    source: ParseIntError,
}

pub(super) fn uid(text: &str) -> Result<u32, UidError> {
    text.parse().map_err(|source| UidError {
        given: text.chars().take(80).collect(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_way_of_writing() {
        for (text, name) in [
            ("refrain.example", "refrain.example"),
            ("Refrain.Example", "refrain.example"),
            ("nas", "nas"),
            ("192.168.1.5", "192.168.1.5"),
            ("[::1]", "[::1]"),
            ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(64);
        for text in [
            "",
            ".",
            "a.",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a:4280",
            "http://a",
            "a/b",
            "*.a",
            "::1",
            "[::1]:4280",
            "ä.example",
            &long,
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
