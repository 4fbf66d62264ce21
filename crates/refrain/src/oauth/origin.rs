//! The origin that a secret may be sent to.

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

/// Why a URL may not be an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL at all.
    #[error("{given:?} is not a URL")]
    NotAUrl {
        /// The text that was given.
        given: String,
    },
    /// Plain http to another machine: everyone on the way could read the secret.
    #[error("{given} is plain http to another machine: use https")]
    Insecure {
        /// The URL that was given.
        given: String,
    },
    /// Something beyond scheme, host and port.
    #[error("{given} holds more than scheme, host and port")]
    TooMuch {
        /// The URL that was given.
        given: String,
    },
}

/// Scheme, host and port: https, or plain http to a loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    url: Url,
}

impl Origin {
    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// `host` or `host:port`, as the Host header has it.
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The origin followed by a path that begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether a URL leads to exactly this scheme, host and port.
    pub fn covers(&self, url: &Url) -> bool {
        self.url.scheme() == url.scheme()
            && self.url.host() == url.host()
            && self.url.port_or_known_default() == url.port_or_known_default()
    }
}

#[cfg(feature = "tower")]
impl Origin {
    /// The same for a URI as HTTP clients take it, which nobody has parsed as a URL: letter by letter, so
    /// that there is no second way to read it.
    pub fn covers_uri(&self, uri: &http::Uri) -> bool {
        let (own, given) = (self.authority(), uri.authority());
        let is = |text: &str| given.is_some_and(|it| it.as_str().eq_ignore_ascii_case(text));
        let implied = self
            .url
            .port()
            .is_none()
            .then(|| self.url.port_or_known_default());
        let explicit = implied.flatten().map(|port| format!("{own}:{port}"));
        uri.scheme_str() == Some(self.url.scheme())
            && (is(&own) || explicit.is_some_and(|explicit| is(&explicit)))
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let not_a_url = || OriginError::NotAUrl {
            given: text.chars().take(120).collect(),
        };
        let url: Url = text.parse().map_err(|_| not_a_url())?;
        let secure = match (url.scheme(), url.host()) {
            ("https", Some(_)) => true,
            ("http", Some(host)) => is_loopback(&host),
            _ => return Err(not_a_url()),
        };
        let given = || format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        if !secure {
            return Err(OriginError::Insecure { given: given() });
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(OriginError::TooMuch { given: given() });
        }
        Ok(Self { url })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// Whether a host is a loopback address literal; a name such as `localhost` can be made to lead elsewhere.
pub fn is_loopback<S>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(ip) => IpAddr::from(*ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::from(*ip).is_loopback(),
        Host::Domain(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_https_or_stay_on_this_machine() {
        for good in [
            "https://accounts.spotify.com",
            "http://127.0.0.1:8080",
            "http://[::1]:1/",
        ] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "http://accounts.spotify.com",
            "http://localhost:8080",
            "http://192.168.1.4",
            "ftp://127.0.0.1",
            "accounts.spotify.com",
            "https://accounts.spotify.com/path",
            "https://user@accounts.spotify.com",
            "https://accounts.spotify.com/?q",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_covers_its_own_urls_alone() {
        let origin: Origin = "https://api.spotify.com".parse().unwrap();
        for (url, covered) in [
            ("https://api.spotify.com/v1/me?x=1", true),
            ("https://api.spotify.com:443/v1/me", true),
            ("http://api.spotify.com/v1/me", false),
            ("https://api.spotify.com:8443/v1/me", false),
            ("https://api.spotify.com.evil.example/v1/me", false),
            ("https://accounts.spotify.com/v1/me", false),
        ] {
            assert_eq!(origin.covers(&url.parse().unwrap()), covered, "{url}");
            #[cfg(feature = "tower")]
            assert_eq!(origin.covers_uri(&url.parse().unwrap()), covered, "{url}");
        }
    }

    #[test]
    #[cfg(feature = "tower")]
    fn a_uri_is_covered_letter_by_letter() {
        let origin: Origin = "http://127.0.0.1:8080".parse().unwrap();
        for (uri, covered) in [
            ("http://127.0.0.1:8080/v1/me", true),
            ("HTTP://127.0.0.1:8080/v1/me", true),
            ("http://user@127.0.0.1:8080/v1/me", false),
            ("http://127.0.0.1:8080@evil.example/v1/me", false),
            ("http://127.1:8080/v1/me", false),
            ("http://127.0.0.1:08080/v1/me", false),
            ("http://127.0.0.1/v1/me", false),
            ("/v1/me", false),
            ("127.0.0.1:8080", false),
            ("*", false),
        ] {
            assert_eq!(origin.covers_uri(&uri.parse().unwrap()), covered, "{uri}");
        }
    }
}
