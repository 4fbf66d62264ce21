//! A user, signed in with a browser: what a cookie proves, and what has to come with it.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};
use refrain::{
    Grant,
    access::Grants,
    keeper::{Problem, sessions::SessionError},
    session::{SessionId, SessionToken},
    time::UnixMillis,
};

use super::cookie as own_cookie;
use crate::{
    caller::{self, Caller},
    cookie,
    fault::Fault,
    shown::Known,
    visit::Visit,
};

/// What stands in the place of an access token, for clients that insist on one.
const INSTEAD: &[u8] = b"session";

/// What only a page of the same origin can send, because no form can and no other page may.
const PROOFS: [&str; 2] = ["refrain-csrf", "x-requested-with"];

/// Who it is.
#[derive(Debug, Clone)]
pub(crate) struct User {
    known: Arc<Known<SessionToken>>,
    grant: Grant,
    grants: Grants,
}

impl User {
    pub(crate) fn session(&self) -> &SessionId {
        &self.known.record().id
    }

    /// When they have to sign in again in any case.
    pub(super) fn ends_at(&self) -> UnixMillis {
        self.known.record().ends_at
    }

    /// The one grant that they reach.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The same as a list.
    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }
}

/// Finds out who is signed in with the browser that calls the Web API; `None` where something else is shown
/// than a session.
///
/// # Errors
/// 401 where the session is over; 403 where another page may have the browser call.
pub(crate) async fn caller(visit: &Visit<'_>) -> Result<Option<Caller>, Fault> {
    let bearer = visit.headers().get(header::AUTHORIZATION);
    let bearer = bearer.map(|it| it.as_bytes().split_at_checked(7));
    let instead = |it: Option<(&[u8], &[u8])>| {
        it.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case(b"bearer ") && token == INSTEAD
        })
    };
    if visit.shared().front().sessions().is_none() || !bearer.is_none_or(instead) {
        return Ok(None);
    }
    let Some(token) = shown(visit)? else {
        // Whoever is no browser has a key, or is behind a Unix socket.
        let browser = visit.headers().contains_key("sec-fetch-site");
        return match bearer {
            None if !browser => Ok(None),
            _ => Err(nobody()),
        };
    };
    check_origin(visit)?;
    let user = identify(visit, &token).await?;
    Ok(Some(Caller::User(user.ok_or_else(nobody)?)))
}

/// Who is signed in with a session; `None` where it is over.
pub(super) async fn identify(
    visit: &Visit<'_>,
    token: &SessionToken,
) -> Result<Option<User>, Fault> {
    let shared = visit.shared();
    let known = match caller::look_up(token, shared.sessions(), shared).await? {
        Ok(known) => known,
        Err(error) => match error.problem() {
            Problem::Session(SessionError::Unknown) => return Ok(None),
            _ => return Err(shared.fault(&error)),
        },
    };
    let now = shared.clock().wall();
    let grant = known.only().cloned();
    let live = grant.filter(|_| !known.record().is_over(now));
    Ok(live.map(|grant| User {
        grants: Grants::from_iter([grant.name().clone()]),
        known,
        grant,
    }))
}

/// The session that a browser shows, as far as it can be read.
pub(super) fn shown(visit: &Visit<'_>) -> Result<Option<SessionToken>, Fault> {
    let held = cookie::held(visit.headers(), &own_cookie::user(visit.host()?));
    Ok(held.and_then(SessionToken::parse))
}

/// What changes something comes from a page of ours that says so, and is nothing that a form could send.
fn check_origin(visit: &Visit<'_>) -> Result<(), Fault> {
    if matches!(*visit.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    visit.check_proven_page()?;
    if could_be_a_form(visit.method(), visit.headers()) {
        return Err(Fault::request(
            StatusCode::FORBIDDEN,
            "form_refused",
            "a form could have sent this request",
            "send it with fetch, as application/json or with the header Refrain-Csrf: 1",
        ));
    }
    Ok(())
}

/// Forms send POST with one of three types, and no header of their own choice (Fetch §2.2.2).
fn could_be_a_form(method: &Method, headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let kinds = kinds.filter_map(|it| it.to_str().ok());
    let mut kinds = kinds.map(|it| it.split(';').next().unwrap_or_default().trim());
    let forms = [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ];
    let proven = PROOFS.iter().any(|name| headers.contains_key(*name));
    let formed = kinds.any(|kind| forms.iter().any(|form| form.eq_ignore_ascii_case(kind)));
    *method == Method::POST && formed && !proven
}

fn nobody() -> Fault {
    Fault::request(
        StatusCode::UNAUTHORIZED,
        "session_over",
        "nobody is signed in with this browser",
        "have the user sign in: a form with method POST to /session/login",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_could_send_needs_a_proof() {
        let of = |method: &Method, lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                let name: http::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            could_be_a_form(method, &headers)
        };
        let form = (
            "content-type",
            "Application/X-WWW-form-urlencoded; charset=utf-8",
        );
        assert!(of(&Method::POST, &[form]));
        assert!(of(&Method::POST, &[("content-type", "text/plain")]));
        assert!(of(
            &Method::POST,
            &[("content-type", "multipart/form-data; boundary=x")]
        ));
        assert!(!of(&Method::POST, &[form, ("refrain-csrf", "1")]));
        assert!(!of(&Method::POST, &[form, ("x-requested-with", "fetch")]));
        assert!(!of(&Method::POST, &[("content-type", "application/json")]));
        assert!(!of(&Method::POST, &[]), "a form always says its type");
        assert!(!of(&Method::PUT, &[form]), "forms do not PUT");
    }
}
