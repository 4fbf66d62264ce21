//! Requests that try to lead a bearer astray.

use std::net::SocketAddr;

use crate::dice::Dice;

/// What a case can point at.
pub struct Trap {
    pub own: SocketAddr,
    pub api: SocketAddr,
    pub decoys: Vec<SocketAddr>,
    pub key: String,
}

pub struct Case {
    pub number: usize,
    pub bytes: Vec<u8>,
    /// Path and query as they have to arrive, if they do.
    pub target: String,
    /// Whether it is a request that refrain is there for.
    pub admitted: bool,
}

const PIECES: [&str; 44] = [
    "me",
    "player",
    "tracks",
    "some.one",
    "a%20b",
    "%C3%A4",
    "...",
    "a;b=c",
    "~x",
    "a,b",
    "a:b",
    "@decoy",
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "..;x",
    ".;",
    "%2e;x",
    "",
    "a%2fb",
    "a%5cb",
    "a\\b",
    "%252e%252e",
    "%00",
    "%0d%0aHost:%20decoy",
    "%",
    "%g1",
    "%1",
    "%ff",
    "a%7fb",
    "%09",
    "*",
    "(x)",
    "a=b&c",
    "$",
    "%E2%80%A5",
    "%c0%ae%c0%ae",
    "..%00",
    "..%3b",
    "%2f",
    "%5c",
    "....",
];
const PREFIXES: [&str; 12] = [
    "/v1/",
    "/v1/",
    "/v1/",
    "/v1/",
    "/v1/",
    "/v1/",
    "/v1",
    "/V1/",
    "//v1/",
    "/v1/../",
    "/x/../v1/",
    "/",
];
const QUERIES: [&str; 10] = [
    "",
    "",
    "",
    "?limit=5",
    "?u=http://decoy/",
    "?q=%2e%2e/..%00",
    "?",
    "?a?b",
    "?a=\\b",
    "?next=//decoy",
];
/// Headers that nobody at the API has to see; each value says so.
const STRANGE: [(&str, &str); 34] = [
    ("X-Forwarded-Host", "decoy"),
    ("X-Forwarded-For", "decoy"),
    ("X-Forwarded-Proto", "decoy"),
    ("x-forwarded-server", "decoy"),
    ("X_Forwarded_Host", "decoy"),
    ("Forwarded", "for=decoy;host=decoy"),
    ("X-Real-IP", "decoy"),
    ("Via", "1.1 decoy"),
    ("Cookie", "sp_dc=decoy"),
    ("cookie", "decoy=1"),
    ("Proxy-Authorization", "Basic decoy"),
    ("Proxy-Connection", "decoy"),
    ("Proxy-Anything", "decoy"),
    ("Connection", "keep-alive, X-Decoy\r\nX-Decoy: decoy"),
    ("Connection", "authorization, host, case-not"),
    ("CONNECTION", "x-decoy ,\tX-Other\r\nX-Other: decoy"),
    ("Connection", "X-Odd, \u{e9}\r\nX-Odd: decoy"),
    ("Keep-Alive", "decoy"),
    ("TE", "trailers, decoy"),
    ("Trailer", "Authorization, decoy"),
    ("Upgrade", "h2c, decoy"),
    ("HTTP2-Settings", "decoy\r\nConnection: HTTP2-Settings"),
    ("Expect", "decoy"),
    ("Authorization_", "decoy"),
    ("X_Authorization", "decoy"),
    ("Referer", "http://decoy/"),
    ("Client-Token", "decoy"),
    ("Content-Access-Token", "decoy"),
    ("Refrain-Anything", "decoy"),
    ("Sec-Fetch-Dest", "decoy"),
    ("X-Original-URL", "/decoy"),
    ("X-Rewrite-URL", "/decoy"),
    ("X-HTTP-Method-Override", "DECOY decoy"),
    ("X-Host", "decoy"),
];

impl Trap {
    pub fn case(&self, number: usize, dice: &mut Dice) -> Case {
        let (target, secret) = self.target(dice);
        let (line, host, named) = self.place(&target, dice);
        let version = if dice.one_in(10) { "1.0" } else { "1.1" };
        let method = dice.of(&["GET", "GET", "POST", "PUT", "DELETE", "OPTIONS"]);
        let mut head = format!("{method} {line} HTTP/{version}\r\n{host}Case: {number}\r\n");
        let shown = self.credentials(dice, &mut head);
        for _ in 0..dice.below(4) {
            let (name, value) = STRANGE[dice.below(STRANGE.len())];
            head.push_str(&[name, ": ", value, "\r\n"].concat());
        }
        head.push_str("Connection: close\r\n");
        if *method != *"GET" {
            head.push_str("Content-Length: 0\r\n");
        }
        head.push_str("\r\n");
        Case {
            number,
            bytes: head.into_bytes(),
            admitted: named && shown && !secret && is_harmless(&target),
            target,
        }
    }

    /// The request target, the lines that say for whom it is, and whether that is this server.
    fn place(&self, target: &str, dice: &mut Dice) -> (String, String, bool) {
        let (own, api) = (self.own, self.api);
        let decoy = self.decoys[dice.below(self.decoys.len())];
        let port = own.port();
        let plain = |host: String, named: bool| (target.to_owned(), host, named);
        match dice.below(26) {
            0 => plain(format!("Host: {decoy}\r\n"), false),
            1 => plain(format!("Host: {own}\r\nHost: {decoy}\r\n"), false),
            2 => plain(format!("Host: {own}@{decoy}\r\n"), false),
            3 => plain(format!("Host: {api}\r\n"), false),
            4 => plain(String::new(), false),
            5 => plain(format!("Host: 127.0.0.1.:{port}\r\n"), false),
            6 => plain(format!("Host: localhost:{port}\r\n"), true),
            7 => {
                let line = format!("http://{decoy}{target}");
                (line, format!("Host: {own}\r\n"), false)
            }
            8 => {
                let line = format!("http://{decoy}{target}");
                (line, format!("Host: {decoy}\r\n"), false)
            }
            9 => {
                let line = format!("http://{decoy}@{own}{target}");
                (line, format!("Host: {own}\r\n"), false)
            }
            10 => {
                let line = format!("http://{own}{target}");
                (line, format!("Host: {own}\r\n"), target.starts_with('/'))
            }
            _ => plain(format!("Host: {own}\r\n"), true),
        }
    }

    /// Writes credentials; whether they are those of a caller.
    fn credentials(&self, dice: &mut Dice, head: &mut String) -> bool {
        let key = &self.key;
        let right = format!("Authorization: Bearer {key}\r\n");
        let (lines, shown) = match dice.below(20) {
            0 => (format!("{right}{right}"), false),
            1 => (format!("{right}Authorization: Basic decoy\r\n"), false),
            2 => (format!("Authorization: Bearer decoy\r\n{right}"), false),
            3 => (format!("Authorization: Basic {key}\r\n"), false),
            4 => (
                format!("Authorization: Bearer {key}, Bearer decoy\r\n"),
                false,
            ),
            5 => (
                format!("X-Api-Key: decoy\r\nAuthorization_: Bearer {key}\r\n"),
                false,
            ),
            6 => (format!("aUTHORIZATION: bEARER {key}\r\n"), true),
            _ => (right, true),
        };
        head.push_str(&lines);
        shown
    }

    /// A path and a query, and whether the key is in them.
    fn target(&self, dice: &mut Dice) -> (String, bool) {
        let harmless = dice.one_in(2);
        let any = |dice: &mut Dice, all: &[&str], good: usize| {
            all[dice.below(if harmless { good } else { all.len() })].to_owned()
        };
        let mut target = any(dice, &PREFIXES, 4);
        for at in 0..=dice.below(3) {
            if at > 0 {
                target.push('/');
            }
            target.push_str(&any(dice, &PIECES, 12));
        }
        target.push_str(&any(dice, &QUERIES, 5));
        let secret = dice.one_in(50);
        if secret {
            let key = match dice.below(3) {
                0 => self.key.clone(),
                1 => self.key.replace('r', "%72").replace('_', "%5F"),
                _ => {
                    let bytes = self.key.bytes().map(|byte| format!("%{byte:02x}"));
                    bytes.collect::<Vec<_>>().concat()
                }
            };
            target.push_str(&key);
        }
        (target, secret)
    }
}

/// Whether a path means one thing to everybody: another reading than the server's own, and slower.
fn is_harmless(target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(rest) = path.strip_prefix("/v1/") else {
        return false;
    };
    if target.contains('\\') || query.contains('\\') {
        return false;
    }
    let segments: Vec<&str> = rest.split('/').collect();
    segments.iter().enumerate().all(|(at, segment)| {
        let Some(decoded) = decode(segment) else {
            return false;
        };
        let hidden = decoded
            .iter()
            .any(|byte| byte.is_ascii_control() || b"/\\%".contains(byte));
        let name = decoded.split(|byte| *byte == b';').next().unwrap();
        let dots = name == b"." || name == b"..";
        let empty = segment.is_empty() && at + 1 < segments.len();
        !hidden && !dots && !empty
    })
}

/// Percent signs read once; `None` where one encodes nothing.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let text = std::str::from_utf8(&digits).ok()?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        decoded.push(u8::from_str_radix(text, 16).ok()?);
    }
    Some(decoded)
}
