//! Cookies as this server sets and reads them.
//!
//! All are for this host and all of its paths, and no script sees them. On https their names make browsers
//! keep other hosts and plain pages away from them (RFC 6265bis, `__Host-`); plain http is spoken on loopback
//! alone, where browsers would not keep such a cookie.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use refrain::oauth::origin::is_loopback;
use url::Host;

use crate::fault::{Fault, code};

/// Whether a browser that names this host speaks https with it: plain http comes to loopback alone.
pub(crate) fn is_secure(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = if host.ends_with(']') { host } else { name };
    !(name.eq_ignore_ascii_case("localhost") || Host::parse(name).is_ok_and(|it| is_loopback(&it)))
}

/// The name as browsers are to keep it.
pub(crate) fn name(name: &str, secure: bool) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}{name}")
}

/// Sets a cookie for so many seconds; `None` where it cannot be written.
pub(crate) fn set(name: &str, value: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes a cookie away.
pub(crate) fn take_away(name: &str, secure: bool) -> Option<HeaderValue> {
    set(name, "", secure, 0)
}

/// What the browser holds under a name.
pub(crate) fn held<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })
}

/// Nothing that was made here is illegal in a header.
pub(crate) fn unwritable() -> Fault {
    let (status, what) = (
        StatusCode::INTERNAL_SERVER_ERROR,
        "the answer could not be written",
    );
    Fault::request(status, code::INTERNAL, what, "report this")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_has_the_attributes_that_its_place_allows() {
        let given = |secure| set(&name("a", secure), "s3cret", secure, 600).unwrap();
        assert_eq!(
            given(true),
            "__Host-a=s3cret; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            given(false),
            "a=s3cret; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"
        );
        let gone = take_away("a", true).unwrap();
        assert!(gone.to_str().unwrap().starts_with("a=; Path=/; Max-Age=0;"));
        assert!(!format!("{:?}", given(true)).contains("s3cret"));
        assert!(set("a", "b\r\nc", false, 1).is_none());
    }

    #[test]
    fn plain_http_comes_to_loopback_alone() {
        for (host, secure) in [
            ("127.0.0.1:4280", false),
            ("127.0.0.1", false),
            ("[::1]:4280", false),
            ("[::1]", false),
            ("music.example", true),
            ("music.example:8443", true),
            ("192.168.1.5", true),
            ("localhost:4280", false),
            ("localhost.example:4280", true),
        ] {
            assert_eq!(is_secure(host), secure, "{host}");
        }
    }

    #[test]
    fn a_browser_shows_what_it_holds_under_that_name_and_no_other() {
        let of = |lines: &[&str], name: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            held(&headers, name).map(str::to_owned)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(&["x=y; a=1;c=d"], "a"), some("1"));
        assert_eq!(of(&["x=y", "c=d; a=1"], "a"), some("1"));
        assert_eq!(of(&["__Host-a=1; aa=2; a=; A=3"], "a"), None);
        assert_eq!(of(&[], "a"), None);
    }
}
