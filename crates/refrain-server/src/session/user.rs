//! A user, signed in with a browser: what a cookie proves, and what has to come with it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use refrain::{
    Error, Grant,
    access::Grants,
    keeper::{Problem, sessions::SessionError},
    session::{SessionId, SessionToken},
    time::UnixMillis,
};

use super::{
    carrier::{Carrier, Opened},
    cookie as own_cookie,
};
use crate::{
    body::Answer,
    caller::{self, Caller},
    cookie,
    fault::{Fault, code},
    server::Shared,
    visit::Visit,
};

/// What stands in the place of an access token, for clients that insist on one.
const INSTEAD: &[u8] = b"session";

/// What only a page of the same origin can send, because no form can and no other page may.
const PROOFS: [&str; 2] = ["refrain-csrf", "x-requested-with"];

/// Who it is.
#[derive(Debug, Clone)]
pub(crate) struct User {
    session: SessionId,
    ends_at: UnixMillis,
    grant: Grant,
    grants: Grants,
    /// What their browser carries, where it carries the tokens too.
    carries: Option<Opened>,
}

/// What a browser holds.
#[derive(Debug)]
pub(super) enum Held<'v> {
    /// What names a session of the store.
    Token(SessionToken),
    /// A session that carries its tokens itself, by its looks.
    Cookie(&'v str),
}

impl User {
    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// When they have to sign in again in any case.
    pub(super) fn ends_at(&self) -> UnixMillis {
        self.ends_at
    }

    /// What their browser carries, where it carries the tokens too.
    pub(super) fn carries(&self) -> Option<&Opened> {
        self.carries.as_ref()
    }

    /// The cookie that takes the place of the one that was shown, where there is a newer one.
    async fn newer_cookie(&self, shared: &Shared) -> Option<HeaderValue> {
        let (carrier, opened) = shared.carrier().zip(self.carries.as_ref())?;
        carrier.successor(opened).await
    }

    /// Gives the browser what it is to carry from now on, with an answer or with a fault.
    pub(crate) async fn carry_on(
        &self,
        shared: &Shared,
        answered: Result<Response<Answer>, Fault>,
    ) -> Result<Response<Answer>, Fault> {
        let Some(newer) = self.newer_cookie(shared).await else {
            return answered;
        };
        let mut answer = answered.map_err(|fault| fault.giving(newer.clone()))?;
        let headers = answer.headers_mut();
        headers.append(header::SET_COOKIE, newer);
        // Whatever kept this answer would hand the session to somebody else.
        let none = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, none);
        Ok(answer)
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
    let Some(held) = held(visit)? else {
        // Whoever is no browser has a key, or is behind a Unix socket.
        let browser = visit.headers().contains_key("sec-fetch-site");
        return match bearer {
            None if !browser => Ok(None),
            _ => Err(nobody()),
        };
    };
    check_origin(visit)?;
    let user = identify(visit, &held).await?;
    Ok(Some(Caller::User(user.ok_or_else(nobody)?)))
}

/// Who is signed in with the browser that asks; `None` where nobody is.
pub(super) async fn of(visit: &Visit<'_>) -> Result<Option<User>, Fault> {
    match held(visit)? {
        Some(held) => identify(visit, &held).await,
        None => Ok(None),
    }
}

/// Who is signed in with what a browser holds; `None` where that is over.
async fn identify(visit: &Visit<'_>, held: &Held<'_>) -> Result<Option<User>, Fault> {
    match held {
        Held::Token(token) => known_by(visit, token).await,
        Held::Cookie(text) => match opened(visit, text)? {
            Some((carrier, opened)) => carrying(visit, carrier, opened).await,
            None => Ok(None),
        },
    }
}

async fn known_by(visit: &Visit<'_>, token: &SessionToken) -> Result<Option<User>, Fault> {
    let shared = visit.shared();
    let looked_up = caller::look_up(token, shared.sessions(), shared).await?;
    let Some(known) = unless_over(shared, looked_up)? else {
        return Ok(None);
    };
    let record = known.record();
    let grant = known.only().cloned();
    let live = grant.filter(|_| !record.is_over(shared.clock().wall()));
    Ok(live.map(|grant| User {
        session: record.id.clone(),
        ends_at: record.ends_at,
        grants: Grants::from_iter([grant.name().clone()]),
        grant,
        carries: None,
    }))
}

async fn carrying(
    visit: &Visit<'_>,
    carrier: &Arc<Carrier>,
    opened: Opened,
) -> Result<Option<User>, Fault> {
    let shared = visit.shared();
    if carrier.is_to_sweep() {
        let carrier = Arc::clone(carrier);
        shared.behind(async move { carrier.sweep() });
    }
    let looked_up = caller::look_up(&opened, carrier.going_on(), shared).await?;
    if unless_over(shared, looked_up)?.is_none() {
        return Ok(None);
    }
    let taken_in = carrier.take_in(&opened).await;
    Ok(unless_over(shared, taken_in)?.map(|grant| User {
        session: opened.session().clone(),
        ends_at: opened.times().ends,
        grants: Grants::from_iter([grant.name().clone()]),
        grant,
        carries: Some(opened),
    }))
}

/// `None` where what was shown is over.
fn unless_over<T>(shared: &Shared, result: Result<T, Error>) -> Result<Option<T>, Fault> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.problem() {
            Problem::Session(SessionError::Unknown) => Ok(None),
            _ => Err(shared.fault(&error)),
        },
    }
}

/// What a browser holds, as far as it can be read.
pub(super) fn held<'v>(visit: &Visit<'v>) -> Result<Option<Held<'v>>, Fault> {
    let held = cookie::held(visit.headers(), &own_cookie::user(visit.host()?));
    Ok(match visit.shared().carrier() {
        Some(_) => held.map(Held::Cookie),
        None => held.and_then(SessionToken::parse).map(Held::Token),
    })
}

/// What a cookie carries; `None` where it is none of ours, or over.
pub(super) fn opened<'v>(
    visit: &Visit<'v>,
    text: &str,
) -> Result<Option<(&'v Arc<Carrier>, Opened)>, Fault> {
    let belongs = own_cookie::belongs(visit)?;
    let carrier = visit.shared().carrier();
    let opened = carrier.and_then(|carrier| carrier.open(text, belongs));
    Ok(carrier.zip(opened))
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
            code::FORM_REFUSED,
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
        code::SESSION_OVER,
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
