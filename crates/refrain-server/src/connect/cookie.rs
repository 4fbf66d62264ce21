//! What ties the end of a login to the browser that began it.
//!
//! Each login has a cookie of its own, so that two of them in one browser do not take each other's.

use http::{HeaderMap, HeaderValue, Response, header};
use refrain::{
    keeper::{links::LinkBegun, login::ATTEMPT_LIFE},
    secret::{AuthorizationState, BrowserSecret},
};

use crate::{body::Answer, cookie, fault::Fault, page::see_other};

/// So much of the state is in the name.
const TAG: usize = 16;

/// The cookie that a browser is given with this login; `None` where it cannot be written.
fn give(state: &AuthorizationState, secret: &BrowserSecret, secure: bool) -> Option<HeaderValue> {
    cookie::set(
        &name(state, secure)?,
        secret.expose(),
        secure,
        ATTEMPT_LIFE.as_secs(),
    )
}

/// Sends a browser to Spotify that has begun a login, with what ties the end to it.
pub(crate) fn sent_on(begun: &LinkBegun, host: &str) -> Result<Response<Answer>, Fault> {
    let kept = give(&begun.login.state, &begun.browser, cookie::is_secure(host));
    let answer = see_other(&begun.login.url).zip(kept);
    let (mut answer, kept) = answer.ok_or_else(cookie::unwritable)?;
    answer.headers_mut().insert(header::SET_COOKIE, kept);
    Ok(answer.map(Answer::own))
}

/// Takes it away again.
pub(super) fn take_away(state: &AuthorizationState, secure: bool) -> Option<HeaderValue> {
    cookie::take_away(&name(state, secure)?, secure)
}

/// What the browser holds of the login with this state.
pub(super) fn held(
    headers: &HeaderMap,
    state: &AuthorizationState,
    secure: bool,
) -> Option<BrowserSecret> {
    let name = name(state, secure)?;
    cookie::held(headers, &name).map(BrowserSecret::new)
}

/// The name of a login's cookie; `None` for a state that is none of ours.
fn name(state: &AuthorizationState, secure: bool) -> Option<String> {
    let tag = state.expose().get(..TAG)?;
    let legal = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    tag.bytes()
        .all(legal)
        .then(|| cookie::name(&format!("refrain-connect-{tag}"), secure))
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn state() -> AuthorizationState {
        AuthorizationState::new("0123456789abc_-DEFGHIJ")
    }

    #[test]
    fn a_cookie_is_named_after_its_login() {
        let secret = BrowserSecret::new("s3cret");
        let given = give(&state(), &secret, true).unwrap();
        assert_eq!(
            given,
            "__Host-refrain-connect-0123456789abc_-D=s3cret; Path=/; Max-Age=600; HttpOnly; \
             SameSite=Lax; Secure"
        );
        let gone = take_away(&state(), true).unwrap();
        assert!(gone.to_str().unwrap().contains("-D=; Path=/; Max-Age=0;"));
    }

    #[test]
    fn a_browser_shows_the_cookie_of_its_login_and_no_other_counts() {
        let held = |line: &str, state: &AuthorizationState, secure| {
            let headers = HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())]);
            held(&headers, state, secure).map(|it| it.expose().to_owned())
        };
        let plain = "a=b; refrain-connect-0123456789abc_-D=x;c=d";
        let both = format!("{plain}; __Host-refrain-connect-0123456789abc_-D=y");
        assert_eq!(held(plain, &state(), false).as_deref(), Some("x"));
        assert_eq!(held(plain, &state(), true), None);
        assert_eq!(held(&both, &state(), true).as_deref(), Some("y"));
        for state in [
            "",
            "short",
            "0123456789abc_-=x",
            "0123456789abc; ä",
            "ääääääääääääääää",
        ] {
            let state = AuthorizationState::new(state);
            assert_eq!(held(plain, &state, false), None);
            assert!(give(&state, &BrowserSecret::new("x"), false).is_none());
        }
    }
}
