//! Where a user may be sent after a consent.
//!
//! A redirect that anybody can choose is a door for phishing, so a URL has one way of writing here: whatever
//! a parser would mend is refused, because the next parser mends it otherwise.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{config::server::HostName, oauth::origin::is_loopback};

/// The parameters that are added to the URL; it cannot have them itself.
const OWN: [&str; 3] = ["refrain", "grant", "error"];

/// So long a URL may be.
const LONGEST: usize = 2000;

/// Why a URL is no place to send a user to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReturnToError {
    /// Not an absolute URL, or one that is written otherwise than a parser would write it.
    #[error("{given:?} is not an absolute URL in its plain form")]
    NotPlain {
        /// The text that was given.
        given: String,
    },
    /// Neither https nor http to a loopback address.
    #[error("{given:?} is neither https nor http to 127.0.0.1 or [::1]")]
    Insecure {
        /// The text that was given.
        given: String,
    },
    /// A user name, a password or a fragment.
    #[error("{given:?} has a user name, a password or a fragment")]
    TooMuch {
        /// The text that was given.
        given: String,
    },
    /// A parameter that is added later.
    #[error("{given:?} has one of the parameters refrain, grant and error, which are added to it")]
    Parameter {
        /// The text that was given.
        given: String,
    },
}

/// A URL that a user is sent to after a consent: https, or http to a loopback address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnTo(Url);

impl ReturnTo {
    /// Its scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The URL with parameters behind those that it has.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url.into()
    }
}

impl FromStr for ReturnTo {
    type Err = ReturnToError;

    fn from_str(text: &str) -> Result<Self, ReturnToError> {
        let given = || text.chars().take(120).collect::<String>();
        let not_plain = || ReturnToError::NotPlain { given: given() };
        let url = Url::parse(text).map_err(|_| not_plain())?;
        // The slash behind a bare host is the one thing that people leave out.
        let plain = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
        let host = url
            .host_str()
            .is_none_or(|it| it.parse::<HostName>().is_ok());
        if !plain || !host || text.len() > LONGEST {
            return Err(not_plain());
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback(&host) => {}
            _ => return Err(ReturnToError::Insecure { given: given() }),
        }
        let named = !url.username().is_empty() || url.password().is_some();
        if named || url.fragment().is_some() {
            return Err(ReturnToError::TooMuch { given: given() });
        }
        if url.query_pairs().any(|(name, _)| OWN.contains(&&*name)) {
            return Err(ReturnToError::Parameter { given: given() });
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for ReturnTo {
    type Error = ReturnToError;

    fn try_from(text: String) -> Result<Self, ReturnToError> {
        text.parse()
    }
}

impl From<ReturnTo> for String {
    fn from(url: ReturnTo) -> Self {
        url.0.into()
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// What the configuration allows: every path of an origin, where it names no path, else that path alone.
/// What stands behind a question mark is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRule(ReturnTo);

/// The text allows nothing that could be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReturnRuleError {
    /// Not a URL to send a user to.
    #[error(transparent)]
    Url(#[from] ReturnToError),
    /// A query, which would not be compared.
    #[error("{given:?} has a query, which is not compared: leave it out")]
    Query {
        /// The text that was given.
        given: String,
    },
}

impl ReturnRule {
    /// Whether a user may be sent there.
    pub fn allows(&self, url: &ReturnTo) -> bool {
        let (rule, url) = (&self.0.0, &url.0);
        let same_origin = rule.scheme() == url.scheme()
            && rule.host() == url.host()
            && rule.port_or_known_default() == url.port_or_known_default();
        same_origin && (rule.path() == "/" || rule.path() == url.path())
    }
}

impl FromStr for ReturnRule {
    type Err = ReturnRuleError;

    fn from_str(text: &str) -> Result<Self, ReturnRuleError> {
        let url: ReturnTo = text.parse()?;
        if url.0.query().is_some() {
            let given = text.chars().take(120).collect();
            return Err(ReturnRuleError::Query { given });
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ReturnRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_way_of_writing() {
        for text in [
            "https://app.example",
            "https://app.example/",
            "https://app.example:8443/connected",
            "https://app.example/a?session=1&x=%2F",
            "http://127.0.0.1:3000/done",
            "http://[::1]:3000/done",
            "https://xn--mnchen-3ya.example/",
        ] {
            let url: ReturnTo = text.parse().unwrap();
            assert_eq!(
                url.to_string().trim_end_matches('/'),
                text.trim_end_matches('/')
            );
        }
        for text in [
            "",
            "/done",
            "//app.example",
            "app.example",
            "https:app.example",
            "https:/app.example",
            "https:///app.example/",
            "https:\\\\app.example",
            "https:/\\app.example",
            "https://app.example\\@evil.example/",
            "https://APP.example/",
            "HTTPS://app.example/",
            "https://app.example:443/",
            "https://app.example/a/../b",
            "https://app.example/%2e%2e/b",
            "https://app.example/a b",
            " https://app.example/",
            "https://app.example/\t",
            "https://app.ex\nample/",
            "https://münchen.example/",
            "https://app。example/",
            "https://2130706433/",
            "https://%61pp.example/",
        ] {
            let refused = text.parse::<ReturnTo>().unwrap_err();
            assert!(
                matches!(refused, ReturnToError::NotPlain { .. }),
                "{text}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_user_is_sent_over_https_or_stays_on_this_machine() {
        for text in [
            "http://app.example/",
            "http://localhost:3000/",
            "http://192.168.1.5/",
            "http://0.0.0.0/",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://127.0.0.1/",
            "myapp://app/",
        ] {
            let refused = text.parse::<ReturnTo>().unwrap_err();
            assert!(
                matches!(refused, ReturnToError::Insecure { .. }),
                "{text}: {refused:?}"
            );
        }
        for text in [
            "https://app.example@evil.example/",
            "https://a:b@app.example/",
            "https://app.example/#x",
        ] {
            let refused = text.parse::<ReturnTo>().unwrap_err();
            assert!(matches!(refused, ReturnToError::TooMuch { .. }), "{text}");
        }
        for text in ["https://a.example/?error=x", "https://a.example/?%67rant="] {
            let refused = text.parse::<ReturnTo>().unwrap_err();
            assert!(matches!(refused, ReturnToError::Parameter { .. }), "{text}");
        }
        let long = format!("https://app.example/{}", "a".repeat(2000));
        assert!(long.parse::<ReturnTo>().is_err());
    }

    #[test]
    fn a_rule_allows_an_origin_or_one_path_of_it() {
        let allowed = |rule: &str, url: &str| {
            let rule: ReturnRule = rule.parse().unwrap();
            rule.allows(&url.parse().unwrap())
        };
        for (rule, url, expected) in [
            ("https://app.example", "https://app.example/any?x=1", true),
            ("https://app.example/", "https://app.example", true),
            (
                "https://app.example/done",
                "https://app.example/done?x=1",
                true,
            ),
            (
                "https://app.example/done",
                "https://app.example/done/",
                false,
            ),
            (
                "https://app.example/done",
                "https://app.example/done/er",
                false,
            ),
            (
                "https://app.example/done",
                "https://app.example/Done",
                false,
            ),
            ("https://app.example/done", "https://app.example/", false),
            (
                "https://app.example",
                "https://app.example.evil.example/",
                false,
            ),
            ("https://app.example", "https://evil.app.example/", false),
            ("https://app.example", "https://app.example:8443/", false),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3001/", false),
            ("http://127.0.0.1:3000", "https://127.0.0.1:3000/", false),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/a", true),
        ] {
            assert_eq!(allowed(rule, url), expected, "{rule} {url}");
        }
        for rule in [
            "https://app.example/?x",
            "https://*.example",
            "http://app.example",
        ] {
            assert!(rule.parse::<ReturnRule>().is_err(), "{rule}");
        }
    }

    #[test]
    fn what_is_added_stands_behind_what_is_there() {
        let with = |text: &str| {
            let url: ReturnTo = text.parse().unwrap();
            url.with(&[("refrain", "connected"), ("grant", "a&b")])
        };
        assert_eq!(
            with("https://app.example/done?session=1"),
            "https://app.example/done?session=1&refrain=connected&grant=a%26b"
        );
        assert_eq!(
            with("https://app.example"),
            "https://app.example/?refrain=connected&grant=a%26b"
        );
    }
}
