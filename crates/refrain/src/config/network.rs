//! How connections leave this machine.

use std::fmt;

use url::Url;

/// How connections leave this machine.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Network {
    /// The proxy on the way, if any.
    pub proxy: Proxy,
}

/// The proxy that connections to the provider go through.
///
/// The environment's proxy variables count only where the configuration says so: whoever can set a
/// variable would otherwise choose the way that tokens take.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// None; connections are direct.
    #[default]
    None,
    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// This one.
    Url(ProxyUrl),
}

/// The address of an HTTP proxy; it may hold a password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The address with its user and password, for whoever connects.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = !self.0.username().is_empty() || self.0.password().is_some();
        let user = if secret { "(redacted)@" } else { "" };
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(f, "{}://{user}{host}:{port}", self.0.scheme())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Environment => f.write_str("environment"),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// The text is no proxy. It is not quoted: a password could be in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is \"\", \"environment\" or http://host:port")]
pub(super) struct ProxyError;

impl Proxy {
    pub(super) fn parse(text: &str) -> Result<Self, ProxyError> {
        match text {
            "" => Ok(Self::None),
            "environment" => Ok(Self::Environment),
            text => {
                let url: Url = text.parse().map_err(|_| ProxyError)?;
                let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
                let http = url.scheme() == "http" && url.has_host();
                (http && bare)
                    .then_some(Self::Url(ProxyUrl(url)))
                    .ok_or(ProxyError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_never_shows_its_password() {
        let proxy = Proxy::parse("http://user:canary@proxy.example:3128").unwrap();
        assert_eq!(proxy.to_string(), "http://(redacted)@proxy.example:3128");
        assert!(!format!("{proxy:?}").contains("canary"));
    }

    #[test]
    fn a_proxy_is_asked_for_or_there_is_none() {
        assert!(matches!(Proxy::parse(""), Ok(Proxy::None)));
        assert!(matches!(
            Proxy::parse("environment"),
            Ok(Proxy::Environment)
        ));
        for bad in [
            "env",
            "socks5://h:1",
            "https://h",
            "http://h/path",
            "h:3128",
        ] {
            assert_eq!(Proxy::parse(bad).unwrap_err(), ProxyError, "{bad}");
        }
    }
}
