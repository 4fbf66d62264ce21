//! What ties the end of a login to the browser that began it.
//!
//! Each login has a cookie of its own, so that two of them in one browser do not take each other's. On https
//! its name makes browsers keep other hosts and plain pages away from it (RFC 6265bis, `__Host-`); plain http
//! is spoken on loopback alone, where browsers would not keep such a cookie.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use refrain::{
    keeper::login::ATTEMPT_LIFE,
    oauth::origin::is_loopback,
    secret::{AuthorizationState, BrowserSecret},
};
use url::Host;

use crate::fault::Fault;

/// So much of the state is in the name.
const TAG: usize = 16;

/// Whether a browser that names this host speaks https with it: plain http comes to loopback alone.
pub(super) fn is_secure(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = if host.ends_with(']') { host } else { name };
    !Host::parse(name).is_ok_and(|host| is_loopback(&host))
}

/// The cookie that a browser is given with this login; `None` where it cannot be written.
pub(super) fn give(
    state: &AuthorizationState,
    secret: &BrowserSecret,
    secure: bool,
) -> Option<HeaderValue> {
    set(
        &name(state, secure)?,
        secret.expose(),
        secure,
        ATTEMPT_LIFE.as_secs(),
    )
}

/// Takes it away again.
pub(super) fn take_away(state: &AuthorizationState, secure: bool) -> Option<HeaderValue> {
    set(&name(state, secure)?, "", secure, 0)
}

fn set(name: &str, value: &str, secure: bool, seconds: u64) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What the browser holds of the login with this state.
pub(super) fn held(
    headers: &HeaderMap,
    state: &AuthorizationState,
    secure: bool,
) -> Option<BrowserSecret> {
    let name = name(state, secure)?;
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then(|| BrowserSecret::new(value))
    })
}

/// The name of a login's cookie; `None` for a state that is none of ours.
fn name(state: &AuthorizationState, secure: bool) -> Option<String> {
    let tag = state.expose().get(..TAG)?;
    let legal = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    let prefix = if secure { "__Host-" } else { "" };
    tag.bytes()
        .all(legal)
        .then(|| format!("{prefix}refrain-connect-{tag}"))
}

/// Nothing that was made here is illegal in a header.
pub(super) fn unwritable() -> Fault {
    let (status, what) = (
        StatusCode::INTERNAL_SERVER_ERROR,
        "the answer could not be written",
    );
    Fault::request(status, "internal", what, "report this")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> AuthorizationState {
        AuthorizationState::new("0123456789abc_-DEFGHIJ")
    }

    #[test]
    fn a_cookie_has_the_attributes_that_its_place_allows() {
        let secret = BrowserSecret::new("s3cret");
        let given = |secure| give(&state(), &secret, secure).unwrap();
        assert_eq!(
            given(true),
            "__Host-refrain-connect-0123456789abc_-D=s3cret; Path=/; Max-Age=600; HttpOnly; \
             SameSite=Lax; Secure"
        );
        assert_eq!(
            given(false),
            "refrain-connect-0123456789abc_-D=s3cret; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"
        );
        let gone = take_away(&state(), true).unwrap();
        assert!(gone.to_str().unwrap().contains("-D=; Path=/; Max-Age=0;"));
        assert!(!format!("{:?}", given(true)).contains("s3cret"));
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
            ("localhost:4280", true),
        ] {
            assert_eq!(is_secure(host), secure, "{host}");
        }
    }

    #[test]
    fn a_browser_shows_the_cookie_of_its_login_and_no_other_counts() {
        let held = |lines: &[&str], state: &AuthorizationState, secure| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            held(&headers, state, secure).map(|it| it.expose().to_owned())
        };
        let plain = "a=b; refrain-connect-0123456789abc_-D=x;c=d";
        let host = "__Host-refrain-connect-0123456789abc_-D=y";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(held(&[plain], &state(), false), some("x"));
        assert_eq!(held(&["a=b", plain], &state(), false), some("x"));
        assert_eq!(held(&[plain], &state(), true), None);
        assert_eq!(held(&[plain, host], &state(), true), some("y"));
        assert_eq!(held(&[], &state(), false), None);
        assert_eq!(
            held(&["refrain-connect-0123456789abc_-D="], &state(), false),
            None
        );
        for state in [
            "",
            "short",
            "0123456789abc_-=x",
            "0123456789abc; ä",
            "ääääääääääääääää",
        ] {
            let state = AuthorizationState::new(state);
            assert_eq!(held(&[plain], &state, false), None);
            assert!(give(&state, &BrowserSecret::new("x"), false).is_none());
        }
    }
}
