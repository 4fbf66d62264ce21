//! What is read from any place: texts of tokens and scopes, instants, and a token from standard input.

use std::io::{IsTerminal as _, Read as _};

use dialoguer::Password;
use refrain::{oauth::scope::Scope, secret::RefreshToken, time::UnixMillis};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{Found, fault};
use crate::report::Explanation;

/// Longer than any token.
const LONGEST: u64 = 16 * 1024;

/// A token as another program wrote it; wiped as soon as it is not needed.
#[derive(Debug, Clone)]
pub(super) struct TokenText(RefreshToken);

impl<'de> Deserialize<'de> for TokenText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        Ok(Self(RefreshToken::new(text.as_str())))
    }
}

impl TokenText {
    /// Whether there is nothing in it, which some programs write for none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.expose().is_empty()
    }

    /// The token, if it can be one.
    pub(super) fn token(&self, place: &str) -> Result<RefreshToken, Explanation> {
        token_of(self.0.expose(), place)
    }
}

/// The token in a text, if it can be one (RFC 6749, appendix A.17, without the space that nobody issues).
pub(super) fn token_of(text: &str, place: &str) -> Result<RefreshToken, Explanation> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().all(|it| it.is_ascii_graphic());
    if good && !text.contains('"') {
        Ok(RefreshToken::new(text))
    } else {
        Err(fault::not_a_token(place))
    }
}

/// The token on standard input; not shown while somebody types it.
pub(super) fn token() -> Result<Found, Explanation> {
    let place = "standard input";
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024 + 1));
    if std::io::stdin().is_terminal() {
        let typed = Password::new()
            .with_prompt("Refresh token (it is not shown)")
            .interact();
        let typed =
            typed.map_err(|_| Explanation::interrupted("interrupted: nothing was changed"))?;
        text = Zeroizing::new(typed);
    } else {
        std::io::stdin()
            .lock()
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|_| fault::not_a_token(place))?;
    }
    if text.trim().is_empty() {
        return Err(fault::no_token(place, "write it there, alone on a line"));
    }
    Ok(Found {
        refresh_token: token_of(&text, place)?,
        client_id: None,
        scope: None,
        consent: refrain::lifecycle::row::Bounds::default(),
    })
}

/// A scope as programs write it: one text, or a list. What is not understood is left out: Spotify's answer
/// says what is granted.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum ScopeText {
    One(String),
    Many(Vec<String>),
    #[default]
    None,
}

impl ScopeText {
    pub(super) fn scope(&self) -> Option<Scope> {
        match self {
            Self::One(text) => text.parse().ok(),
            Self::Many(words) => words.join(" ").parse().ok(),
            Self::None => None,
        }
    }
}

/// An instant as programs write it: seconds since 1970, or RFC 3339.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum InstantText {
    Seconds(f64),
    Text(String),
}

impl InstantText {
    pub(super) fn instant(&self) -> Option<UnixMillis> {
        match self {
            Self::Seconds(seconds) => millis(seconds * 1000.0),
            Self::Text(text) => {
                let at = text.parse::<jiff::Timestamp>().ok()?;
                Some(UnixMillis(at.as_millisecond()))
            }
        }
    }
}

/// Milliseconds since 1970, where they are within this age of the world.
pub(super) fn millis(millis: f64) -> Option<UnixMillis> {
    let end = 32_503_680_000_000.0;
    let sane = millis.is_finite() && (0.0..end).contains(&millis);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it was compared with the bounds"
    )]
    sane.then_some(UnixMillis(millis as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_printable_and_whole() {
        for good in ["AQD-x_y.z", " AQD\n", "a/b+c=="] {
            assert_eq!(token_of(good, "x").unwrap().expose(), good.trim());
        }
        for bad in ["", " ", "a b", "a\nb", "\"AQD\"", "ä", "a\u{1b}[2J"] {
            let error = token_of(bad, "x").unwrap_err();
            assert_eq!(error.code, "import_not_a_token", "{bad:?}");
        }
    }

    #[test]
    fn instants_are_seconds_or_text() {
        let read = |text: &str| serde_json::from_str::<InstantText>(text).unwrap().instant();
        let at = Some(UnixMillis(1_795_000_000_000));
        assert_eq!(read("1795000000"), at);
        assert_eq!(read("1795000000.25"), Some(UnixMillis(1_795_000_000_250)));
        assert_eq!(read("\"2026-11-18T11:06:40.000000Z\""), at);
        assert_eq!(read("\"2026-11-18T12:06:40+01:00\""), at);
        for odd in ["-5", "1e300", "\"yesterday\""] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn scopes_are_a_text_or_a_list() {
        let read = |text: &str| serde_json::from_str::<ScopeText>(text).unwrap().scope();
        let both = read("\"user-read-private streaming\"").unwrap();
        assert_eq!(read("[\"streaming\", \"user-read-private\"]"), Some(both));
        assert_eq!(read("null"), None);
    }
}
