//! What client ids and secrets look like, and what they look like when they were pasted wrongly.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What is wrong with a pasted value. No text repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::command) enum Problem {
    #[error("there is nothing")]
    Empty,
    #[error("it has quotes or spaces around it, which are sent along")]
    Quoted,
    #[error("it has a space or a line break in it")]
    Space,
    #[error("it is id and secret together, as they stand in a Basic header: paste each alone")]
    Base64Pair,
    #[error("it is id and secret joined by a colon: paste each alone")]
    Pair,
    #[error("client id and client secret are the same text: one was pasted twice")]
    SameAsId,
    #[error("Spotify's have 32 characters of 0-9 and a-f, and this has not")]
    NotHex32,
}

/// A client id as Spotify's dashboard shows it, without what stuck to it.
pub(in crate::command) fn client_id(text: &str) -> Result<&str, Problem> {
    value(text)
}

/// A client secret; Spotify's look like their ids.
pub(in crate::command) fn client_secret(text: &str) -> Result<&str, Problem> {
    value(text)
}

/// The text without the quotes and spaces around it.
pub(in crate::command) fn trimmed(text: &str) -> &str {
    text.trim().trim_matches(['"', '\'', '`']).trim()
}

pub(in crate::command) fn is_hex32(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn value(text: &str) -> Result<&str, Problem> {
    let text = trimmed(text);
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.contains(char::is_whitespace) {
        return Err(Problem::Space);
    }
    if is_pair(text) {
        return Err(Problem::Pair);
    }
    let decoded = STANDARD.decode(text).ok();
    if decoded.is_some_and(|bytes| str::from_utf8(&bytes).is_ok_and(is_pair)) {
        return Err(Problem::Base64Pair);
    }
    if is_hex32(text) {
        Ok(text)
    } else {
        Err(Problem::NotHex32)
    }
}

fn is_pair(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(id, secret)| is_hex32(id) && is_hex32(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn what_sticks_to_a_pasted_value_is_taken_off() {
        for text in [
            ID,
            " 0123456789abcdef0123456789abcdef\n",
            "\"0123456789abcdef0123456789abcdef\"",
        ] {
            assert_eq!(client_id(text), Ok(ID), "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        let pair = format!("{ID}:{ID}");
        let cases = [
            ("", Problem::Empty),
            ("''", Problem::Empty),
            ("0123456789abcdef 0123456789abcdef", Problem::Space),
            (pair.as_str(), Problem::Pair),
            (&STANDARD.encode(&pair), Problem::Base64Pair),
            ("0123456789ABCDEF0123456789ABCDEF", Problem::NotHex32),
            ("abc", Problem::NotHex32),
        ];
        for (text, problem) in cases {
            assert_eq!(client_id(text), Err(problem), "{text}");
        }
    }
}
