//! Which headers cross the proxy, in each direction.
//!
//! Names are dropped, not repaired, and everything that is about a connection stays on it (RFC 9110 §7.6.1).
//! The bearer is put in last, by whoever sends, so that no header of the caller's can stand beside it.

use http::{HeaderMap, HeaderName, header};

/// About one connection alone, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a caller's request keeps for itself: his credentials, where he comes from, and what his browser
/// says about him.
const NOT_FORWARDED: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::EXPECT,
    header::FORWARDED,
    header::VIA,
    header::ORIGIN,
    header::REFERER,
    header::TRAILER,
    // Set anew from the body that is sent.
    header::CONTENT_LENGTH,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("client-token"),
    HeaderName::from_static("content-access-token"),
];

/// And what begins so. The last four name another method or path than the one that was allowed, to servers
/// that listen to them: a key that may only read would write.
const NOT_FORWARDED_PREFIXES: [&str; 8] = [
    "x-forwarded-",
    "proxy-",
    "sec-",
    "refrain-",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
];

/// What an answer keeps for Spotify's own clients: its cookies, its promises about its host, and the
/// permission for every web page to read it.
const NOT_RETURNED: [HeaderName; 13] = [
    header::SET_COOKIE,
    header::ALT_SVC,
    header::STRICT_TRANSPORT_SECURITY,
    header::WWW_AUTHENTICATE,
    header::TRAILER,
    header::VIA,
    header::SERVER,
    header::PUBLIC_KEY_PINS,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("set-cookie2"),
    // Browsers would report what they see of refrain to whoever is named here.
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
];

/// Leaves in a request's headers what the API may see.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    strip_connection(headers);
    for name in &NOT_FORWARDED {
        headers.remove(name);
    }
    strip_if(headers, |name| {
        // An underscore is a hyphen to some servers: X_Forwarded_For.
        name.contains('_')
            || NOT_FORWARDED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
    });
}

/// Leaves in an answer's headers what the caller may see.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip_connection(headers);
    for name in &NOT_RETURNED {
        headers.remove(name);
    }
    strip_if(headers, |name| {
        ["access-control-", "proxy-", "refrain-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
}

/// Drops what is about the connection, what `Connection` names included.
fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        // Byte by byte: one name that is none must not hide the others.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn strip_if(headers: &mut HeaderMap, drops: impl Fn(&str) -> bool) {
    // Most requests have none of these: nothing is allocated then.
    let dropped: Vec<HeaderName> = headers
        .keys()
        .filter(|name| drops(name.as_str()))
        .cloned()
        .collect();
    for name in dropped {
        headers.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_request_takes_along_what_the_api_needs() {
        let mut headers = map(&[
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("content-type", "image/jpeg"),
            ("if-none-match", "\"x\""),
            ("user-agent", "spotipy"),
            ("authorization", "Bearer rfk_x"),
            ("authorization", "Basic eA=="),
            ("Connection", "close, X-Secret, authorization"),
            ("connection", "x-more"),
            ("x-secret", "1"),
            ("x-more", "1"),
            ("cookie", "a=b"),
            ("host", "127.0.0.1:4280"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("proxy-authorization", "Basic eA=="),
            ("origin", "http://127.0.0.1:4280"),
            ("sec-fetch-site", "same-origin"),
            ("refrain-grant", "alice"),
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "DELETE"),
            ("x-original-url", "/v1/x"),
            ("x-rewrite-url", "/v1/x"),
            ("x-host", "10.0.0.1"),
        ]);
        strip_request(&mut headers);
        assert_eq!(
            names(&headers),
            [
                "accept",
                "accept-encoding",
                "content-type",
                "if-none-match",
                "user-agent"
            ]
        );
    }

    #[test]
    fn what_connection_names_is_dropped_whatever_else_it_names() {
        let mut headers = map(&[("x-secret", "1")]);
        let named = http::HeaderValue::from_bytes(b"x y, X-Secret , \xe9").unwrap();
        headers.append(header::CONNECTION, named);
        strip_request(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn an_answer_brings_no_cookie_and_opens_no_page() {
        let mut headers = map(&[
            ("content-type", "application/json"),
            ("etag", "\"x\""),
            ("retry-after", "3"),
            ("cache-control", "private"),
            ("nel", "{}"),
            ("report-to", "{}"),
            ("reporting-endpoints", "a=\"https://a\""),
            ("set-cookie2", "a=b"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("access-control-allow-origin", "*"),
            ("access-control-max-age", "604800"),
            ("strict-transport-security", "max-age=1"),
            ("alt-svc", "h3"),
            ("www-authenticate", "Bearer realm=\"spotify\""),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("refrain-generation", "9"),
        ]);
        strip_response(&mut headers);
        assert_eq!(
            names(&headers),
            ["cache-control", "content-type", "etag", "retry-after"]
        );
    }
}
