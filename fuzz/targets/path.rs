//! Path and query as the proxy judges them: what is let through means one thing, and arrives as it came.

#![no_main]

// The judge itself, without a door in the server: it needs nothing but a path.
#[path = "../../crates/refrain-server/src/proxy/target.rs"]
#[allow(dead_code, unreachable_pub, missing_docs)]
mod target;

use http::uri::PathAndQuery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(parsed) = PathAndQuery::try_from(data) else {
        return;
    };
    if target::check(&parsed).is_err() {
        return;
    }
    let sent = parsed.as_str().as_bytes();
    // What a `#` ends is gone, and nothing else.
    assert!(data.starts_with(sent));
    assert!(data.len() == sent.len() || data[sent.len()] == b'#');
    assert!(
        sent.iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
    );
    let rest = parsed.path().strip_prefix("/v1/").expect("below /v1/");
    let segments: Vec<Vec<u8>> = rest.split('/').map(decode).collect();
    for (at, segment) in segments.iter().enumerate() {
        assert!(!segment.is_empty() || at + 1 == segments.len());
        assert!(
            !segment
                .iter()
                .any(|byte| b"/\\%".contains(byte) || byte.is_ascii_control())
        );
        let name = segment
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        assert!(name != b"." && name != b"..");
    }
    let whole = decode(parsed.as_str());
    assert!(!whole.windows(4).any(|window| window == b"rfk_"));
});

/// Reads percent signs once, where they encode something.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|it| std::str::from_utf8(it).ok());
        let plain = |it: &&str| it.bytes().all(|byte| byte.is_ascii_hexdigit());
        match digits.filter(plain).map(|it| u8::from_str_radix(it, 16)) {
            Some(Ok(byte)) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}
