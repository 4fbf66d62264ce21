//! What a request asks the API for: path and query as they came, or a refusal.
//!
//! The bytes are forwarded exactly, so they are judged exactly: whatever two readers could take for
//! different paths is refused and not repaired. A `..` that reaches the API behind a valid prefix names
//! another endpoint than the one that was allowed.

use http::uri::PathAndQuery;

/// Where the Web API begins.
pub(crate) const PREFIX: &str = "/v1/";
/// How the keys of refrain begin.
pub(crate) const KEY: &str = "rfk_";

/// Why a path or query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// It is not below `/v1/`.
    #[error("the path does not begin with /v1/")]
    Elsewhere,
    /// `.` or `..` as a segment, also encoded.
    #[error("the path has a segment of dots, which could lead to another endpoint")]
    Dots,
    /// `//`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A slash or backslash in disguise, or a control character.
    #[error("the path has a character that could be read as another one")]
    Ambiguous,
    /// A `%` without two hexadecimal digits.
    #[error("the path has a percent sign that encodes nothing")]
    BadEncoding,
    /// A key of refrain's in the URL, where logs and histories keep it.
    #[error("a key of refrain's does not belong into a URL: others may have seen it; revoke it")]
    Key,
}

/// Judges path and query.
pub(crate) fn check(target: &PathAndQuery) -> Result<(), TargetError> {
    let (path, query) = (target.path(), target.query().unwrap_or_default());
    if holds_key(path) || holds_key(query) {
        return Err(TargetError::Key);
    }
    let Some(rest) = path.strip_prefix(PREFIX) else {
        return Err(TargetError::Elsewhere);
    };
    if !query.bytes().all(is_plain) {
        return Err(TargetError::Ambiguous);
    }
    // The last segment may be empty: a slash at the end is the API's affair.
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(TargetError::EmptySegment);
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// Whether there is a key, or one with percent signs for some of its characters, which Spotify would read.
fn holds_key(text: &str) -> bool {
    if !text.contains('%') {
        return text.contains(KEY);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let digits = match behind {
            [high, low, ..] if *byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        decoded.push(digits.map_or(*byte, |(high, low)| high << 4 | low));
        if digits.is_some() {
            rest = behind.get(2..).unwrap_or_default();
        }
    }
    decoded
        .windows(KEY.len())
        .any(|window| window == KEY.as_bytes())
}

/// Whether a byte stands for itself: visible ASCII without the backslash.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

fn check_segment(segment: &str) -> Result<(), TargetError> {
    let mut bytes = segment.bytes();
    // `..;x` is `..` to servers that know path parameters: what counts stands before them.
    let (mut dots, mut others, mut in_name) = (0_usize, 0_usize, true);
    while let Some(byte) = bytes.next() {
        let decoded = if byte == b'%' {
            let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
            let (Some(high), Some(low)) = digits else {
                return Err(TargetError::BadEncoding);
            };
            high << 4 | low
        } else if is_plain(byte) {
            byte
        } else {
            return Err(TargetError::Ambiguous);
        };
        match decoded {
            // Encoded once more than once, or a separator in disguise.
            b'/' | b'\\' | b'%' => return Err(TargetError::Ambiguous),
            decoded if decoded.is_ascii_control() => return Err(TargetError::Ambiguous),
            b';' => in_name = false,
            b'.' if in_name => dots = dots.saturating_add(1),
            _ if in_name => others = others.saturating_add(1),
            _ => {}
        }
    }
    if others == 0 && (1..=2).contains(&dots) {
        return Err(TargetError::Dots);
    }
    Ok(())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(target: &str) -> Result<(), TargetError> {
        check(&target.parse().unwrap())
    }

    #[test]
    fn what_the_api_has_is_let_through() {
        for good in [
            "/v1/me",
            "/v1/me/player/recently-played?limit=5&after=1",
            "/v1/me/library?uris=spotify%3Atrack%3A11dFghVXANMlKmJXsNCbNl,spotify:track:2",
            "/v1/users/some.one/playlists",
            "/v1/users/%20%C3%A4/playlists",
            "/v1/search?q=a%2Fb%5Cc..%00",
            "/v1/search?q=../..",
            "/v1/me/",
            "/v1/artists/...",
            "/v1/artists/...;x/a.;y/;z",
        ] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        use TargetError as E;
        for (bad, why) in [
            ("/", E::Elsewhere),
            ("/v1", E::Elsewhere),
            ("/v2/me", E::Elsewhere),
            ("/V1/me", E::Elsewhere),
            ("/v1//me", E::EmptySegment),
            ("/v1/me//", E::EmptySegment),
            ("/v1/../api/token", E::Dots),
            ("/v1/.", E::Dots),
            ("/v1/%2e%2E/x", E::Dots),
            ("/v1/.%2e/x", E::Dots),
            ("/v1/..;x/y", E::Dots),
            ("/v1/%2e.;x/y", E::Dots),
            ("/v1/%2e%3bx/y", E::Dots),
            ("/v1/a%2fb", E::Ambiguous),
            ("/v1/a%5Cb", E::Ambiguous),
            ("/v1/a%00", E::Ambiguous),
            ("/v1/a%0d%0aHost:x", E::Ambiguous),
            ("/v1/%252e%252e/x", E::Ambiguous),
            ("/v1/a%2", E::BadEncoding),
            ("/v1/a%zz", E::BadEncoding),
            ("/v1/me?api_key=rfk_0123", E::Key),
            ("/v1/rfk_0123", E::Key),
            ("/v1/me?k=%72fk%5f0123", E::Key),
            ("/v1/%72%66%6B%5F0123", E::Key),
        ] {
            assert_eq!(checked(bad), Err(why), "{bad}");
        }
    }
}
