//! An answer of the token endpoint: classified whatever is in it, and no token stands in what is logged.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use refrain::oauth::{answer::classify, transport::Answer, withheld::Withheld};

const STATUSES: [u16; 12] = [200, 201, 204, 302, 400, 401, 403, 408, 429, 500, 502, 503];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([status, complete], rest)) = data.split_first_chunk() else {
        return;
    };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let mut headers = HeaderMap::new();
    let mut body = rest;
    // Lines before an empty one are headers.
    while let Some(end) = body
        .iter()
        .position(|byte| *byte == b'\n')
        .filter(|_| headers.len() < 8)
    {
        let (line, behind) = (&body[..end], &body[end + 1..]);
        body = behind;
        if line.is_empty() {
            break;
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(halves.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(halves.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: body.to_vec().into(),
        complete: complete % 2 == 0,
    };
    let shown = format!(
        "{:?}",
        classify(&answer, &Withheld::new(["SECRET-TOKEN-SECRET"]))
    );
    assert!(!shown.contains("SECRET-TOKEN-SECRET"));
});
