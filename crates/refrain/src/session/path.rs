//! Where a user goes after signing in: a place on the page's own origin.
//!
//! A redirect that anybody can choose is a door for phishing (RFC 9700 §4.11), so whatever a browser could
//! read as another host is not a path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// So long a path may be.
const LONGEST: usize = 1000;

/// A path of the origin that a user is on, with what stands behind `?` or `#`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalPath(Box<str>);

/// The text leads elsewhere, or could be read so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a path on the same origin")]
pub struct LocalPathError;

impl LocalPath {
    /// Reads a path: it begins with one slash, and is written as a header may have it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let rooted = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
        // Browsers drop tabs and newlines, read a backslash as a slash, and decode what is not ASCII.
        let plain = text.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
        (rooted && plain && text.len() <= LONGEST).then(|| Self(text.into()))
    }

    /// The beginning of everything.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LocalPath {
    type Error = LocalPathError;

    fn try_from(text: String) -> Result<Self, LocalPathError> {
        Self::parse(&text).ok_or(LocalPathError)
    }
}

impl From<LocalPath> for String {
    fn from(path: LocalPath) -> Self {
        path.0.into()
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_where_it_is() {
        for path in [
            "/",
            "/app",
            "/app/?a=//b&c=%2f%2f#d",
            "/%2f%2fevil.example",
            "/a//b",
            "/.",
        ] {
            assert_eq!(LocalPath::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_none() {
        for text in [
            "",
            "app",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            " /app",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nset-cookie: a=b",
            "/ä",
            "/a b",
            "/\0",
            "/\u{2215}\u{2215}evil.example",
            "/\u{ff0f}evil.example",
            "@evil.example",
            "?a",
            "#a",
        ] {
            assert_eq!(LocalPath::parse(text), None, "{text:?}");
        }
        assert!(LocalPath::parse(&format!("/{}", "a".repeat(1000))).is_none());
    }
}
