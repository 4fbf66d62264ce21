//! What a 429 says: the wait is between a second and seven days, whatever it says.

#![no_main]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use refrain::{limit::judge, time::UnixMillis};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for _ in 0..2 {
        if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
            headers.append(RETRY_AFTER, value);
        }
    }
    let now = UnixMillis(1_795_500_000_000);
    let limit = judge(&headers, parts.next().unwrap_or_default(), now);
    assert!(limit.wait >= Duration::from_secs(1));
    assert!(limit.wait <= Duration::from_secs(7 * 24 * 3600));
    assert!(
        limit
            .told
            .is_none_or(|told| told >= limit.wait || limit.wait <= Duration::from_secs(3600))
    );
});
