//! Which request goes where, and what its caller has to be allowed.
//!
//! Everything that is reached by a path stands in one table ([`table`]), with what it needs. A path that is
//! not in it is not there, so nothing is reachable by being forgotten.

pub(crate) mod table;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use tracing::Instrument as _;

use self::table::{Entry, Needs, Route};
use crate::{
    app::App,
    authority,
    body::{Answer, Sent},
    caller::{self, Caller},
    connect,
    connection::Connection,
    dashboard::{self, Desk},
    errand::Errand,
    fault::{Fault, Shape, code},
    health,
    listen::pulse::Pulse,
    manage, proxy,
    proxy::target::{KEY, TargetError},
    request_id::{self, RequestId},
    session, token_endpoint,
    visit::Visit,
};

/// Answers a request.
pub(crate) async fn answer(
    request: Request<Incoming>,
    connection: &Connection,
    pulse: &Arc<Pulse>,
) -> Response<Answer> {
    let found = table::find(request.uri().path());
    let (line, entry) = (found.map(|(line, _)| line), found.map(|(_, entry)| entry));
    let shared = connection.shared();
    let id = RequestId::new(shared.ids());
    let (method, peer) = (logged(request.method()), *connection.peer());
    let span = id.loud_span();
    let answering = respond(request, entry, (connection, pulse), &id).instrument(span);
    let mut answer = match answering.await {
        Ok(answer) => answer,
        Err(fault) => {
            // Neither path nor query: both can hold what is nobody's business.
            let (code, request_id) = (fault.code(), id.text());
            tracing::debug!(method, %peer, code, request_id, "a request was not carried out");
            let fault = match entry {
                Some(entry) if entry.takes_passwords() => fault.asking_for_a_password(),
                _ => fault,
            };
            fault.answer(entry.map_or(Shape::Problem, Entry::shape))
        }
    };
    if let Some(id) = id.made()
        && let Ok(id) = HeaderValue::from_str(id)
    {
        answer.headers_mut().insert(request_id::HEADER, id);
    }
    shared.metrics().answered(line, answer.status());
    answer
}

/// A method as it may be logged: callers make up others, and a key could stand in its place.
fn logged(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "another",
    }
}

async fn respond(
    request: Request<Incoming>,
    entry: Option<&'static Entry>,
    (connection, pulse): (&Connection, &Arc<Pulse>),
    id: &RequestId<'_>,
) -> Result<Response<Answer>, Fault> {
    check_framing(request.headers())?;
    let at_app = is_at_app(&request, connection);
    let app = connection.shared().app();
    let app = app.filter(|_| at_app && App::has(request.uri().path()));
    let welcomes = app.is_some() || entry.is_some_and(Entry::welcomes_visits);
    connection.authorities().check(&request, welcomes)?;
    // What comes back from Spotify is of its making, and can look like anything.
    if entry.is_none_or(|entry| entry.route() != Route::Callback) {
        check_target(request.uri())?;
    }
    if let Some(app) = app {
        return app.answer(request.method(), request.uri().path(), request.headers());
    }
    if at_app && entry.is_some_and(Entry::is_for_admins) {
        return Err(elsewhere());
    }
    let Some(entry) = entry else {
        // Nobody is told what is there before he has shown who he is.
        caller::identify(request.headers(), connection, connection.shared()).await?;
        return Err(nothing_there());
    };
    let (head, body) = request.into_parts();
    let caller = admit(&Visit::new(&head, entry, connection, id), connection).await?;
    let body = Sent::new(body, Arc::clone(pulse));
    match (entry.route(), caller) {
        (Route::TokenEndpoint, _) => {
            let request = Request::from_parts(head, body);
            token_endpoint::answer(request, connection, id).await
        }
        (Route::Connect | Route::Callback, _) => {
            connect::answer(&Visit::new(&head, entry, connection, id)).await
        }
        (Route::SignIn | Route::SessionLogin | Route::SessionLogout | Route::Session, _) => {
            session::answer(&Visit::new(&head, entry, connection, id)).await
        }
        (Route::Root, _) => dashboard::see("/dashboard"),
        (Route::File(file), _) => Ok(dashboard::file(file)),
        (Route::Dashboard(page), Some(Caller::Admin(admin))) => {
            let visit = Visit::new(&head, entry, connection, id);
            let caller = Caller::Admin(admin.clone());
            let errand = Errand {
                caller: &caller,
                connection,
                id,
            };
            dashboard::answer(page, &Desk::new(visit, &admin, errand), body).await
        }
        (Route::Healthz, _) => Ok(health::alive()),
        (Route::Readyz, _) => Ok(health::ready(connection.shared()).await),
        (Route::Api, Some(caller)) => {
            let request = Request::from_parts(head, body);
            let answered = proxy::relay(request, &caller, (connection, pulse), id).await;
            match &caller {
                Caller::User(user) => user.carry_on(connection.shared(), answered).await,
                _ => answered,
            }
        }
        (_, Some(caller)) => {
            let errand = Errand {
                caller: &caller,
                connection,
                id,
            };
            let asked = manage::Asked::new(&head, entry, errand);
            manage::answer(&asked, body).await
        }
        (_, None) => Err(Fault::unauthenticated("the request shows no key")),
    }
}

/// Whether a browser is at the origin of the web app. Behind a Unix socket there is no telling; there are no
/// browsers either.
fn is_at_app(request: &Request<Incoming>, connection: &Connection) -> bool {
    let front = connection.shared().front();
    if front.sessions().is_none() || connection.peer_uid().is_some() {
        return false;
    }
    let host = authority::host_of(request.headers(), request.uri(), request.version());
    host.is_ok_and(|host| front.is_app(host))
}

fn elsewhere() -> Fault {
    let what = "the dashboard is at another address than the web app";
    let fix = "open the link that `refrain dashboard` prints";
    Fault::request(StatusCode::FORBIDDEN, code::DASHBOARD_ELSEWHERE, what, fix)
}

/// Finds out who calls, and whether he may; `None` where it does not matter.
async fn admit(visit: &Visit<'_>, connection: &Connection) -> Result<Option<Caller>, Fault> {
    let entry = visit.entry();
    let by_key = identify(visit, connection);
    match entry.needs(visit.method()) {
        Some(Needs::Nothing | Needs::OwnCredentials) => Ok(None),
        Some(Needs::Known) => Ok(Some(by_key.await?)),
        Some(Needs::Admin) => {
            let admin = session::admin::identify(visit).await?;
            Ok(Some(Caller::Admin(admin)))
        }
        Some(Needs::Permission(permission)) => {
            let session = match entry.route() {
                Route::Api => session::user::caller(visit).await?,
                _ => None,
            };
            let caller = match session {
                Some(caller) => caller,
                None => by_key.await?,
            };
            if caller.may(permission) {
                return Ok(Some(caller));
            }
            let what = format!("the key may not do this: it lacks {permission}");
            let fix = format!("use a key made with --allow {permission}");
            Err(Fault::not_allowed(what, fix))
        }
        None => {
            if !entry.is_open() {
                by_key.await?;
            }
            Err(wrong_method(entry))
        }
    }
}

async fn identify(visit: &Visit<'_>, connection: &Connection) -> Result<Caller, Fault> {
    let (headers, shared) = (visit.headers(), connection.shared());
    if visit.entry().takes_passwords() {
        return caller::identify_also_by_password(headers, connection, shared).await;
    }
    caller::identify(headers, connection, shared).await
}

fn nothing_there() -> Fault {
    let what = "there is nothing at this path";
    let fix = "Spotify's Web API is below /v1/; /refrain/v1/openapi.json tells of the rest";
    Fault::request(StatusCode::NOT_FOUND, code::NO_SUCH_PATH, what, fix)
}

fn wrong_method(entry: &Entry) -> Fault {
    let what = "the method is not known at this path";
    let fix = "Allow lists those that are";
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Fault::request(status, code::BAD_METHOD, what, fix).allowing(&entry.allow())
}

/// Refuses a key in a URL, where logs and histories keep it, wherever the URL leads.
fn check_target(uri: &Uri) -> Result<(), Fault> {
    let in_query = uri.query().is_some_and(|query| query.contains(KEY));
    if in_query || uri.path().contains(KEY) {
        return Err(TargetError::Key.into());
    }
    Ok(())
}

/// Refuses a request whose length two servers could read differently (RFC 9112 §6.1, §6.3): hyper has chosen
/// one reading, and the next server may choose the other.
///
/// With HTTP/1.1 some never get here in that form. Beside chunks hyper drops the length and closes the
/// connection behind the answer, and of a length that is said twice it keeps one. Neither is to be seen any
/// more, and to look for it in the bytes would be a second reading of every head, with differences of its own.
fn check_framing(headers: &HeaderMap) -> Result<(), Fault> {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let encodings = headers.get_all(header::TRANSFER_ENCODING).iter().count();
    let chunked = headers
        .get(header::TRANSFER_ENCODING)
        .is_none_or(|it| it.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if lengths + encodings <= 1 && chunked {
        return Ok(());
    }
    let (what, fix) = (
        "the length of the request is ambiguous",
        "send one Content-Length",
    );
    Err(Fault::request(StatusCode::BAD_REQUEST, code::BAD_FRAMING, what, fix).closing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_made_up_is_not_logged() {
        assert_eq!(logged(&Method::DELETE), "DELETE");
        assert_eq!(logged(&Method::from_bytes(b"rfk_0123").unwrap()), "another");
    }

    #[test]
    fn a_request_has_one_length() {
        let framing = |lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                let name: http::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            check_framing(&headers).is_ok()
        };
        assert!(framing(&[]));
        assert!(framing(&[("content-length", "3")]));
        assert!(framing(&[("transfer-encoding", "Chunked")]));
        assert!(!framing(&[
            ("content-length", "3"),
            ("content-length", "3")
        ]));
        assert!(!framing(&[
            ("content-length", "3"),
            ("transfer-encoding", "chunked")
        ]));
        assert!(!framing(&[("transfer-encoding", "gzip, chunked")]));
        assert!(!framing(&[
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked")
        ]));
    }
}
