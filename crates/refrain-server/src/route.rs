//! Which request goes where, and what its caller has to be allowed.
//!
//! Everything that is reached by a path stands in one table, with what it needs. A path that is not in it is
//! not there, so nothing is reachable by being forgotten.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use refrain::access::Permission;

use crate::{
    body::{Answer, Sent},
    caller,
    connection::Connection,
    fault::{Fault, Shape},
    health, proxy,
    proxy::target::PREFIX,
    token_endpoint,
};

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The Web API.
    Api,
    /// The token endpoint for programs that refresh by themselves.
    TokenEndpoint,
    /// Whether the process lives.
    Healthz,
    /// Whether it can do its work.
    Readyz,
}

/// What a caller has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it tells nothing about anybody.
    Nothing,
    /// Credentials in the body, which the handler looks at.
    OwnCredentials,
    /// A key, or being a peer, with this permission.
    Permission(Permission),
}

impl Route {
    /// The routes with a path of their own; the Web API is everything below `/v1/`.
    const FIXED: [(&'static str, Self); 3] = [
        ("/api/token", Self::TokenEndpoint),
        ("/healthz", Self::Healthz),
        ("/readyz", Self::Readyz),
    ];

    /// The route of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        if path.starts_with(PREFIX) {
            return Some(Self::Api);
        }
        let found = Self::FIXED.iter().find(|(fixed, _)| *fixed == path);
        found.map(|(_, route)| *route)
    }

    /// The methods that it knows; `None` for those of the Web API.
    fn methods(self) -> Option<&'static [Method]> {
        match self {
            Self::Api => None,
            Self::TokenEndpoint => Some(&[Method::POST]),
            Self::Healthz | Self::Readyz => Some(&[Method::GET, Method::HEAD]),
        }
    }

    /// What a caller has to show.
    pub(crate) fn needs(self, method: &Method) -> Needs {
        match self {
            Self::Api if method == Method::GET || method == Method::HEAD => {
                Needs::Permission(Permission::ProxyRead)
            }
            Self::Api => Needs::Permission(Permission::Proxy),
            Self::TokenEndpoint => Needs::OwnCredentials,
            Self::Healthz | Self::Readyz => Needs::Nothing,
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Api => Shape::Spotify,
            Self::TokenEndpoint => Shape::OAuth,
            Self::Healthz | Self::Readyz => Shape::Problem,
        }
    }
}

/// Answers a request.
pub(crate) async fn answer(
    request: Request<Incoming>,
    connection: &Connection,
) -> Response<Answer> {
    let route = Route::of(request.uri().path());
    let shape = route.map_or(Shape::Problem, Route::shape);
    let (method, peer) = (logged(request.method()), *connection.peer());
    match respond(request, route, connection).await {
        Ok(answer) => answer,
        Err(fault) => {
            // Neither path nor query: both can hold what is nobody's business.
            tracing::debug!(method, %peer, code = fault.code(), "a request was not carried out");
            fault.answer(shape)
        }
    }
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
    route: Option<Route>,
    connection: &Connection,
) -> Result<Response<Answer>, Fault> {
    check_framing(request.headers())?;
    connection.authorities().check(&request)?;
    let shared = connection.shared();
    let Some(route) = route else {
        // Nobody is told what is there before he has shown who he is.
        caller::identify(request.headers(), connection, shared).await?;
        let (what, fix) = (
            "there is nothing at this path",
            "Spotify's Web API is below /v1/",
        );
        return Err(Fault::request(
            StatusCode::NOT_FOUND,
            "no_such_path",
            what,
            fix,
        ));
    };
    let caller = match route.needs(request.method()) {
        Needs::Nothing | Needs::OwnCredentials => None,
        Needs::Permission(permission) => {
            let caller = caller::identify(request.headers(), connection, shared).await?;
            if !caller.may(permission) {
                let what = format!("the key may not do this: it lacks {permission}");
                let fix = format!("use a key made with --allow {permission}");
                return Err(Fault::not_allowed(what, fix));
            }
            Some(caller)
        }
    };
    check_method(route, request.method())?;
    let request = request.map(|body| Sent::new(body, Arc::clone(connection.pulse())));
    match (route, caller) {
        (Route::Api, Some(caller)) => proxy::relay(request, &caller, connection).await,
        (Route::TokenEndpoint, _) => token_endpoint::answer(request, connection).await,
        (Route::Healthz, _) => Ok(health::alive()),
        (Route::Readyz, _) => Ok(health::ready(shared).await),
        (Route::Api, None) => Err(Fault::unauthenticated("the request shows no key")),
    }
}

fn check_method(route: Route, method: &Method) -> Result<(), Fault> {
    let known = match route.methods() {
        Some(methods) => methods.contains(method),
        // Those two are about connections, and echo what they are sent.
        None => *method != Method::CONNECT && *method != Method::TRACE,
    };
    if known {
        return Ok(());
    }
    let (what, fix) = (
        "the method is not known at this path",
        "look at the documentation",
    );
    Err(Fault::request(
        StatusCode::METHOD_NOT_ALLOWED,
        "bad_method",
        what,
        fix,
    ))
}

/// Refuses a request whose length two servers could read differently (RFC 9112 §6.1, §6.3): hyper has chosen
/// one reading, and the next server may choose the other.
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
    Err(Fault::request(StatusCode::BAD_REQUEST, "bad_framing", what, fix).closing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_not_there() {
        for (path, route) in [
            ("/v1/me", Some(Route::Api)),
            ("/v1/", Some(Route::Api)),
            ("/v1", None),
            ("/V1/me", None),
            ("/api/token", Some(Route::TokenEndpoint)),
            ("/api/token/", None),
            ("/healthz", Some(Route::Healthz)),
            ("/", None),
            ("//v1/me", None),
            ("/x/../v1/me", None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn reading_and_writing_are_two_permissions() {
        for (method, permission) in [
            (Method::GET, Permission::ProxyRead),
            (Method::HEAD, Permission::ProxyRead),
            (Method::POST, Permission::Proxy),
            (Method::PUT, Permission::Proxy),
            (Method::DELETE, Permission::Proxy),
            (Method::OPTIONS, Permission::Proxy),
            (Method::from_bytes(b"BREW").unwrap(), Permission::Proxy),
        ] {
            assert_eq!(
                Route::Api.needs(&method),
                Needs::Permission(permission),
                "{method}"
            );
        }
    }

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
