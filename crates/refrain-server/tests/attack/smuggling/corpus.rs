//! Requests of which two servers could make two different things.

use std::net::SocketAddr;

use crate::dice::Dice;

#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: usize,
    pub bytes: Vec<u8>,
    /// So many requests are in it at most, however it is read.
    pub most: usize,
    /// Where there is one right reading: how many.
    pub exactly: Option<usize>,
    /// Whether the second request is one by everybody's reading.
    pub pipelined: bool,
}

impl Attempt {
    pub fn shown(&self) -> String {
        let most = self.bytes.len().min(700);
        format!("{}: {}", self.number, self.bytes[..most].escape_ascii())
    }
}

/// How the length of the first request is written.
const FRAMES: [&str; 52] = [
    "Content-Length: {l}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: {l}",
    "Content-Length: {l}\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: {l}",
    "Content-Length: {l}\r\nContent-Length: {l}",
    "Content-Length: {l}, {l}",
    "Content-Length: {l}, 0",
    "Content-Length: +{l}",
    "Content-Length: -{l}",
    "Content-Length: 0x5",
    "Content-Length: {l} ",
    "Content-Length:\t{l}",
    "Content-Length: {l}\x0b",
    "Content-Length: {l}.0",
    "Content-Length: 1e1",
    "Content-Length: ",
    "Content-Length: 99999999999999999999999",
    "Content-Length: 18446744073709551616",
    "Content-Length: 9223372036854775807",
    "Content-Length : {l}",
    " Content-Length: {l}",
    "Content_Length: {l}",
    "Content-Length\0: {l}",
    "Content-Length: {l}\0",
    "Content-Length: {l}\r",
    "Content-Length: {l}\nTransfer-Encoding: chunked",
    "X: y\rContent-Length: {l}",
    "X: y\nContent-Length: {l}",
    "X: y\r\n Content-Length: {l}",
    "X: y\r\n\tTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer\u{2d}Encoding\0: chunked",
    "Transfer_Encoding: chunked",
    "transfer-encoding:chunked",
    "Transfer-Encoding:\r\n chunked",
];

/// A body that ends at several places, depending on who reads it.
const BODIES: [&str; 14] = [
    "0\r\n\r\n{s}",
    "{s}",
    "5\r\nhello\r\n0\r\n\r\n{s}",
    "5;x=\"\r\n\"\r\nhello\r\n0\r\n\r\n{s}",
    "5 \r\nhello\r\n0\r\n\r\n{s}",
    "05\r\nhello\r\n00\r\n\r\n{s}",
    "0x5\r\nhello\r\n0\r\n\r\n{s}",
    "+5\r\nhello\r\n0\r\n\r\n{s}",
    "-1\r\n{s}",
    "FFFFFFFFFFFFFFFF0\r\n{s}",
    "5\nhello\n0\n\n{s}",
    "5\r\nhelloXX0\r\n\r\n{s}",
    "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 99\r\n\r\n{s}",
    "5\r\nhel",
];

const STARTS: [&str; 3] = ["POST", "GET", "PUT"];

struct Corpus<'a> {
    own: SocketAddr,
    key: &'a str,
    all: Vec<Attempt>,
}

impl Corpus<'_> {
    fn head(&self, line: &str) -> String {
        let (own, key) = (self.own, self.key);
        format!("{line}\r\nHost: {own}\r\nAuthorization: Bearer {key}\r\n")
    }

    fn smuggled(&self) -> String {
        let line = format!("GET /v1/{}/smuggled HTTP/1.1", self.all.len());
        format!("{}\r\n", self.head(&line))
    }

    fn path(&self) -> String {
        format!("/v1/{}/first", self.all.len())
    }

    fn add(&mut self, bytes: impl Into<Vec<u8>>, most: usize, exactly: Option<usize>) {
        self.all.push(Attempt {
            number: self.all.len(),
            bytes: bytes.into(),
            most,
            exactly,
            pipelined: false,
        });
    }

    /// The same where the second request is one by everybody's reading.
    fn add_pair(&mut self, bytes: String, exactly: Option<usize>) {
        self.add(bytes, 2, exactly);
        if let Some(last) = self.all.last_mut() {
            last.pipelined = true;
        }
    }
}

pub fn corpus(own: SocketAddr, key: &str, dice: &mut Dice) -> Vec<Attempt> {
    let all = Vec::new();
    let mut corpus = Corpus { own, key, all };
    lengths(&mut corpus);
    lines(&mut corpus);
    fields(&mut corpus);
    pairs(&mut corpus);
    huge(&mut corpus);
    cut(&mut corpus, dice);
    corpus.all
}

/// Every way to write a length, before every body.
fn lengths(corpus: &mut Corpus<'_>) {
    for method in STARTS {
        for frame in FRAMES {
            for body in BODIES {
                let smuggled = corpus.smuggled();
                let body = body.replace("{s}", &smuggled);
                // To one of both readers the body ends here, to the other one there.
                let short = body.find("\r\n\r\n").map_or(0, |at| at + 4);
                let length = if method == "PUT" { short } else { body.len() };
                let frame = frame.replace("{l}", &length.to_string());
                let head = corpus.head(&format!("{method} {} HTTP/1.1", corpus.path()));
                corpus.add(format!("{head}{frame}\r\n\r\n{body}"), 2, None);
                if let Some(last) = corpus.all.last_mut() {
                    last.pipelined = has_one_length(&frame);
                    last.most = if last.pipelined { 2 } else { 1 };
                }
            }
        }
    }
}

/// Whether there is one reading of this: then whatever is behind the body may be another request.
fn has_one_length(frame: &str) -> bool {
    let lower = frame.to_ascii_lowercase();
    let one = ["transfer-encoding: chunked", "transfer-encoding:chunked"].contains(&lower.as_str());
    // The same length twice is that length (RFC 9112 §6.3), and a name with an underscore is none.
    let lengths: Vec<_> = lower.split("\r\n").collect();
    let same = lengths.iter().all(|line| {
        let value = line.strip_prefix("content-length:").map(str::trim);
        line == &lengths[0] && value.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let other = lower.starts_with("content_") || lower.starts_with("transfer_");
    // One LF may end a line (§2.2), and does for hyper; the line behind it counts.
    let bare = lower.starts_with("x: y\ncontent-length");
    one || same || other || bare
}

/// Request lines that are none, or could be two.
fn lines(corpus: &mut Corpus<'_>) {
    let own = corpus.own;
    for (before, after) in [
        ("GET  ", " HTTP/1.1"),
        ("GET\t", " HTTP/1.1"),
        (" GET ", " HTTP/1.1"),
        ("GET ", "  HTTP/1.1"),
        ("GET ", " HTTP/1.1 "),
        ("GET ", " HTTP/1.2"),
        ("GET ", " HTTP/2.0"),
        ("GET ", " HTTP/0.9"),
        ("GET ", " http/1.1"),
        ("GET ", " HTTP/1.1\r"),
        ("GET ", " HTTP/01.1"),
        ("GET ", " HTTP/1.10"),
        ("GET ", ""),
        ("get ", " HTTP/1.1"),
        ("G\0ET ", " HTTP/1.1"),
        ("GET ", "\0 HTTP/1.1"),
        ("GET ", "\x7f HTTP/1.1"),
        ("GET ", "\u{e9} HTTP/1.1"),
        ("GET ", " x HTTP/1.1"),
        ("GET ", "\r\nX: HTTP/1.1"),
        ("GET ", "#x HTTP/1.1"),
        ("G(T ", " HTTP/1.1"),
        ("", " HTTP/1.1"),
        ("\r\nGET ", " HTTP/1.1"),
        ("\r\n\r\nGET ", " HTTP/1.1"),
        ("\nGET ", " HTTP/1.1"),
        ("\0GET ", " HTTP/1.1"),
        ("GET http://", " HTTP/1.1"),
        ("GET //", " HTTP/1.1"),
        ("CONNECT ", " HTTP/1.1"),
        ("TRACE ", " HTTP/1.1"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("GET http://decoy", " HTTP/1.1"),
        ("GET decoy:80", " HTTP/1.1"),
        ("GET *", " HTTP/1.1"),
    ] {
        for tail in [
            "\r\n",
            "Content-Length: 0\r\n\r\n",
            "Connection: keep-alive\r\n\r\n",
        ] {
            let path = corpus.path();
            let head = corpus.head(&format!("{before}{path}{after}"));
            corpus.add(format!("{head}{tail}"), 1, None);
        }
    }
    for line in [format!("GET http://{own}"), "POST ".to_owned()] {
        let path = corpus.path();
        let head = corpus.head(&format!("{line}{path} HTTP/1.1"));
        corpus.add(format!("{head}Content-Length: 0\r\n\r\n"), 1, Some(1));
    }
}

/// Header lines that are none, or could be two.
fn fields(corpus: &mut Corpus<'_>) {
    let smuggled = "GET /v1/x/smuggled HTTP/1.1";
    for field in [
        "X : y",
        " X: y",
        "\tX: y",
        "X\t: y",
        "X",
        ": y",
        "X: y\0",
        "X\0: y",
        "X: y\rZ: z",
        "X: y\r\rZ: z",
        "X: y\nZ: z",
        "X: y\n\nGET /v1/x HTTP/1.1",
        "X: y\r\n z",
        "X: y\r\n\tz",
        "X: y\x0b",
        "X: \x01",
        "X: \x7f",
        "X(: y",
        "X\u{e9}: y",
        "X: \u{e9}",
        "\u{feff}X: y",
        "X:y",
        "X:",
        "X: y\r",
        "\rX: y",
        "Host: other",
        "Host:",
        "hOST: other",
        "Connection: close, close",
        "Connection: \0",
        "Expect: 100-continue",
        "Expect: 200-ok",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Keep-Alive: timeout=999999",
        "TE: trailers",
        "Trailer: Content-Length",
        "Connection: Content-Length",
        "Connection: Transfer-Encoding",
    ] {
        for (place, lines) in ["{f}\r\n{h}", "{h}{f}\r\n"].into_iter().enumerate() {
            for tail in ["", "Content-Length: 5\r\n"] {
                let path = corpus.path();
                let head = corpus.head(&format!("GET {path} HTTP/1.1"));
                let (first, rest) = head.split_once("\r\n").unwrap_or_default();
                let lines = lines.replace("{h}", rest).replace("{f}", field);
                let body = if tail.is_empty() { "" } else { "hello" };
                let bytes = format!("{first}\r\n{lines}{tail}\r\n{body}");
                assert!(place < 2 && !bytes.contains(smuggled));
                corpus.add(bytes, 1, None);
            }
        }
    }
}

/// Valid requests in one piece, and a valid one behind a broken one.
fn pairs(corpus: &mut Corpus<'_>) {
    for first in [
        "GET {p} HTTP/1.1{h}\r\n",
        "POST {p} HTTP/1.1{h}Content-Length: 5\r\n\r\nhello",
        "POST {p} HTTP/1.1{h}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST {p} HTTP/1.1{h}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        "DELETE {p} HTTP/1.1{h}Content-Length: 2\r\n\r\n\r\n",
    ] {
        for (broken, exactly) in [
            ("", 2),
            ("X\0: y\r\n", 0),
            ("Content-Length: x\r\n", 0),
            ("X : y\r\n", 0),
        ] {
            for _ in 0..4 {
                let (path, smuggled) = (corpus.path(), corpus.smuggled());
                let head = corpus.head("");
                let first = first
                    .replace("{p}", &path)
                    .replace("{h}", &format!("{head}{broken}"));
                corpus.add_pair(format!("{first}{smuggled}"), Some(exactly));
            }
        }
    }
}

/// Heads that are too long or have too many lines.
fn huge(corpus: &mut Corpus<'_>) {
    // Two lines are there already.
    for (lines, exactly) in [(97, 1), (98, 1), (99, 0), (100, 0), (500, 0), (5000, 0)] {
        let head = corpus.head(&format!("GET {} HTTP/1.1", corpus.path()));
        let many: Vec<_> = (0..lines).map(|at| format!("X-{at}: y\r\n")).collect();
        let many = many.concat();
        corpus.add(format!("{head}{many}\r\n"), 1, Some(exactly));
    }
    for (length, exactly) in [
        (1_000, 1),
        (30_000, 1),
        (150_000, 0),
        (200_000, 0),
        (1_000_000, 0),
    ] {
        let long = "a".repeat(length);
        for place in 0..3 {
            let path = corpus.path();
            let bytes = match place {
                0 => format!("{}\r\n", corpus.head(&format!("GET {path}{long} HTTP/1.1"))),
                1 => format!(
                    "{}X: {long}\r\n\r\n",
                    corpus.head(&format!("GET {path} HTTP/1.1"))
                ),
                _ => format!(
                    "{}{long}: y\r\n\r\n",
                    corpus.head(&format!("GET {path} HTTP/1.1"))
                ),
            };
            corpus.add(bytes, 1, (place < 2 || exactly == 0).then_some(exactly));
        }
    }
}

/// Valid requests that end too early.
fn cut(corpus: &mut Corpus<'_>, dice: &mut Dice) {
    for _ in 0..60 {
        let chunked = dice.one_in(2);
        let path = corpus.path();
        let head = corpus.head(&format!("POST {path} HTTP/1.1"));
        let (frame, body) = if chunked {
            (
                "Transfer-Encoding: chunked",
                "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
            )
        } else {
            ("Content-Length: 20", "twenty bytes of body")
        };
        let whole = format!("{head}{frame}\r\n\r\n{body}");
        let end = dice.below(whole.len());
        corpus.add(&whole.as_bytes()[..end], 1, Some(0));
    }
}
