//! Which headers cross the proxy, in each direction.
//!
//! Names are dropped, not repaired, and everything that is about a connection stays on it (RFC 9110 §7.6.1).
//! The bearer is put in last, by whoever sends, so that no header of the caller's can stand beside it.

use http::{HeaderMap, HeaderName, header};

/// Leaves in a request's headers what the API may see.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    strip(headers, is_own_to_request);
}

/// Leaves in an answer's headers what the caller may see.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, is_own_to_response);
}

/// About one connection alone, whether `Connection` names them or not.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    ) || name.starts_with("proxy-")
}

/// What a caller's request keeps for itself: his credentials, where he comes from, and what his browser
/// says about him. The length is set anew from the body that is sent.
fn is_own_to_request(name: &str) -> bool {
    is_hop_by_hop(name)
        || matches!(
            name,
            "authorization"
                | "content-length"
                | "cookie"
                | "expect"
                | "forwarded"
                | "host"
                | "origin"
                | "referer"
                | "via"
                | "x-host"
                | "x-real-ip"
                | "client-token"
                | "content-access-token"
        )
        || name.starts_with("x-forwarded-")
        || name.starts_with("sec-")
        || name.starts_with("refrain-")
        || names_another_target(name)
        // An underscore is a hyphen to some servers: X_Forwarded_For.
        || name.contains('_')
}

/// Names another method or path than the one that was allowed, to servers that listen to it: a key that may
/// only read would write.
fn names_another_target(name: &str) -> bool {
    name.starts_with("x-http-method")
        || name.starts_with("x-method-override")
        || name.starts_with("x-original-")
        || name.starts_with("x-rewrite-")
}

/// What an answer keeps for Spotify's own clients: its cookies, its promises about its host, and the
/// permission for every web page to read it.
fn is_own_to_response(name: &str) -> bool {
    is_hop_by_hop(name)
        || matches!(
            name,
            "alt-svc"
                | "clear-site-data"
                | "public-key-pins"
                | "server"
                | "set-cookie"
                | "set-cookie2"
                // Browsers would report what they see of refrain to whoever is named here.
                | "nel"
                | "report-to"
                | "reporting-endpoints"
                | "strict-transport-security"
                | "via"
                | "www-authenticate"
        )
        || name.starts_with("access-control-")
        || name.starts_with("refrain-")
}

/// Looks at each header once; nearly all of them stay.
fn strip(headers: &mut HeaderMap, is_own: fn(&str) -> bool) {
    let mut dropped: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        // Byte by byte: one name that is none must not hide the others.
        let names = value.as_bytes().split(|byte| *byte == b',');
        dropped.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
    }
    dropped.extend(headers.keys().filter(|name| is_own(name.as_str())).cloned());
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
