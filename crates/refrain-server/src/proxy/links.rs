//! Links of the API in an answer, turned into links of refrain's.
//!
//! A page of results names the next one by an absolute URL. A client that follows it would leave the proxy
//! and show refrain's key to Spotify. So where a key asks for it, the values of `href`, `next` and
//! `previous` that begin with the API's origin get refrain's in its place, while the body streams by:
//! nothing else in it is touched, and no more of it is held than the link that is being read.

use bytes::{Bytes, BytesMut};

/// The members whose values are links.
const LINKS: [&[u8]; 3] = [b"href", b"next", b"previous"];
/// A member's name or a link's beginning is no longer than this; what is longer is neither.
const LONGEST: usize = 256;

/// Rewrites one body, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Links {
    /// What links begin with, and what they get instead: `https://api.spotify.com`.
    from: Box<[u8]>,
    to: Box<[u8]>,
    state: State,
    /// What has been read of a string that may have to change, with its quote.
    held: Vec<u8>,
    /// Whether the string before was the name of a link.
    named: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between strings.
    Outside,
    /// In a string that is kept until it is known what it is.
    Held,
    /// In a string that passes as it is.
    Passing,
    /// Behind a backslash in a string that passes.
    Escaped,
}

impl Links {
    pub(crate) fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.as_bytes().into(),
            to: to.as_bytes().into(),
            state: State::Outside,
            held: Vec::new(),
            named: false,
        }
    }

    /// The next chunk, rewritten as far as it is known.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(chunk.len().saturating_add(LONGEST));
        for byte in chunk {
            self.byte(*byte, &mut out);
        }
        out.freeze()
    }

    /// What was held of a body that has ended in the middle of a string.
    pub(crate) fn rest(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.held))
    }

    fn byte(&mut self, byte: u8, out: &mut BytesMut) {
        match self.state {
            State::Outside if byte == b'"' => {
                self.held.push(byte);
                self.state = State::Held;
            }
            State::Outside => {
                // A value that is no string, or the next member: whatever was named is not this.
                if !byte.is_ascii_whitespace() && byte != b':' {
                    self.named = false;
                }
                out.extend_from_slice(&[byte]);
            }
            State::Held => self.in_held(byte, out),
            State::Passing => {
                out.extend_from_slice(&[byte]);
                match byte {
                    b'"' => self.state = State::Outside,
                    b'\\' => self.state = State::Escaped,
                    _ => {}
                }
            }
            State::Escaped => {
                out.extend_from_slice(&[byte]);
                self.state = State::Passing;
            }
        }
    }

    fn in_held(&mut self, byte: u8, out: &mut BytesMut) {
        let escaped = self.held.ends_with(b"\\");
        self.held.push(byte);
        let text = self.held.get(1..).unwrap_or_default();
        if self.named {
            // The value of a link, up to where the origin ends.
            let plain: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\\').collect();
            let beyond = plain.len() > self.from.len();
            if beyond && plain.starts_with(&self.from) && plain.last() == Some(&b'/') {
                let escaped = text.contains(&b'\\');
                out.extend_from_slice(b"\"");
                out.extend_from_slice(&self.to);
                // Behind the origin comes the slash that ended the reading, as it was written.
                out.extend_from_slice(if escaped { b"\\/" } else { b"/" });
                return self.pass(State::Passing);
            }
            if escaped && byte != b'/' {
                // A character in disguise: no link begins so.
                out.extend_from_slice(&self.held);
                return self.pass(State::Passing);
            }
            if !beyond && self.from.starts_with(&plain) && byte != b'"' {
                return;
            }
        } else if byte != b'"' && byte != b'\\' && self.held.len() < LONGEST {
            return;
        }
        // Whole, or nothing to rewrite.
        let whole = byte == b'"' && self.held.len() > 1;
        let name = text.strip_suffix(b"\"").unwrap_or_default();
        let named = whole && !self.named && LINKS.contains(&name);
        out.extend_from_slice(&self.held);
        self.named = named;
        self.held.clear();
        self.state = match byte {
            b'"' => State::Outside,
            b'\\' => State::Escaped,
            _ => State::Passing,
        };
    }

    fn pass(&mut self, state: State) {
        self.held.clear();
        self.named = false;
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "https://api.spotify.com";
    const TO: &str = "http://127.0.0.1:4280";

    fn rewritten(body: &str, chunk: usize) -> String {
        let mut links = Links::new(FROM, TO);
        let mut out = Vec::new();
        for chunk in body.as_bytes().chunks(chunk) {
            out.extend_from_slice(&links.chunk(chunk));
        }
        out.extend_from_slice(&links.rest());
        String::from_utf8(out).unwrap()
    }

    fn check(body: &str, expected: &str) {
        for chunk in 1..=body.len() {
            assert_eq!(rewritten(body, chunk), expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn links_stay_inside() {
        check(
            r#"{"href":"https://api.spotify.com/v1/me","next" : "https://api.spotify.com/v1/x?o=1","previous":null}"#,
            r#"{"href":"http://127.0.0.1:4280/v1/me","next" : "http://127.0.0.1:4280/v1/x?o=1","previous":null}"#,
        );
    }

    #[test]
    fn slashes_may_be_escaped() {
        check(
            r#"{"next":"https:\/\/api.spotify.com\/v1\/x"}"#,
            r#"{"next":"http://127.0.0.1:4280\/v1\/x"}"#,
        );
    }

    #[test]
    fn what_is_no_link_passes_as_it_is() {
        for body in [
            r#"{"description":"https://api.spotify.com/v1/me"}"#,
            r#"{"next":null,"x":"https://api.spotify.com/v1/me"}"#,
            r#"{"next":["https://api.spotify.com/v1/me"]}"#,
            r#"{"href":"https://api.spotify.com.evil.example/v1/me"}"#,
            r#"{"href":"https://api.spotify.com"}"#,
            r#"{"href":"https://open.spotify.com/track/1"}"#,
            r#"{"a\"href":"https://api.spotify.com/v1/me"}"#,
            r#"{"x":"\"href\":","y":"https://api.spotify.com/v1/me"}"#,
            r#"{"href":""}"#,
            r#"{"href":"\"x","y":"https://api.spotify.com/v1/me"}"#,
            r#"{"href":"h\\","y":"https://api.spotify.com/v1/me"}"#,
            r#"["href","https://api.spotify.com/v1/me"]"#,
            r#"{"href":"https://api.spotify.com"#,
            r#"{"hre"#,
            "",
        ] {
            check(body, body);
        }
    }

    #[test]
    fn long_strings_are_not_held() {
        let body = format!(r#"{{"x":"{}","href":"{FROM}/v1/me"}}"#, "y".repeat(5000));
        let expected = format!(r#"{{"x":"{}","href":"{TO}/v1/me"}}"#, "y".repeat(5000));
        for chunk in [1, 7, 100, 6000] {
            assert_eq!(rewritten(&body, chunk), expected);
        }
        let mut links = Links::new(FROM, TO);
        links.chunk(format!("{{\"{}", "y".repeat(5000)).as_bytes());
        assert!(links.held.is_empty());
    }
}
