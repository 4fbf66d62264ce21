//! The subset of the Web API: bearer check, limits, routes.

mod bearer;
mod limits;
mod listening;
mod player;
mod routes;

use http::{Method, StatusCode};

use crate::answer::{Answer, Inbound};
use crate::history::EventKind;
use crate::mint;
use crate::service::Context;
use crate::stray;
use crate::world::World;

pub(crate) use bearer::{spurious, token_of};
pub(crate) use limits::throttled;

/// Who calls: what the access token stands for.
#[derive(Debug)]
struct Caller {
    client_id: String,
    /// None for client credentials.
    user: Option<String>,
    scope: std::collections::BTreeSet<String>,
}

// === impl Caller ===

impl Caller {
    /// Refuses with 403 unless one of the scopes was granted.
    fn needs(&self, any_of: &[&str]) -> Result<(), Answer> {
        if any_of.iter().any(|scope| self.scope.contains(*scope)) {
            Ok(())
        } else {
            let status = StatusCode::FORBIDDEN;
            Err(Answer::api_error(status, "Insufficient client scope", None))
        }
    }
}

/// Answers a request to the Web API and records it.
pub(crate) fn answer(world: &mut World, request: &Inbound, context: &Context) -> Answer {
    let answer = dressed(respond(world, request).unwrap_or_else(|refusal| refusal));
    record(world, request, context, answer.status.as_u16());
    answer
}

/// Records a call; status 0 where a fault kept it from being answered.
pub(crate) fn record(world: &mut World, request: &Inbound, context: &Context, status: u16) {
    if !world.profile.record_api {
        world.history.count_api(status);
        return;
    }
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    headers.sort_unstable();
    let event = EventKind::ApiCall {
        query: stray::masked(world, &request.query),
        headers,
        body_bytes: u64::try_from(request.body.len()).unwrap_or(u64::MAX),
        body: (!request.body.is_empty()).then(|| mint::fingerprint_of(&request.body)),
        request: request.number,
        method: request.method.to_string(),
        path: stray::masked(world, &request.path),
        access: token_of(request).map(mint::fingerprint),
        status,
        fault: context.fault.map(str::to_owned),
    };
    world.record(event);
}

fn respond(world: &mut World, request: &Inbound) -> Result<Answer, Answer> {
    if request.method == Method::OPTIONS {
        return Ok(Answer::empty(StatusCode::OK));
    }
    let caller = bearer::check(world, request)?;
    limits::check(world, &caller)?;
    let writes = matches!(request.method, Method::PUT | Method::POST);
    let sized = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| request.headers.contains_key(*name));
    if writes && !sized {
        return Err(Answer::html(
            StatusCode::LENGTH_REQUIRED,
            "<h1>411 Length Required</h1>",
        ));
    }
    routes::route(world, request, &caller)
}

/// Adds the headers that the Web API sends with every answer.
pub(crate) fn dressed(answer: Answer) -> Answer {
    let answer = if answer.has_header("cache-control") {
        answer
    } else {
        answer.with("cache-control", "private, max-age=0")
    };
    answer
        .with("access-control-allow-origin", "*")
        .with(
            "access-control-allow-headers",
            "Accept, App-Platform, Authorization, Content-Type, Origin, Retry-After, \
             Spotify-App-Version, X-Cloud-Trace-Context, client-token, content-access-token",
        )
        .with(
            "access-control-allow-methods",
            "GET, POST, OPTIONS, PUT, DELETE, PATCH",
        )
        .with("access-control-allow-credentials", "true")
        .with("access-control-max-age", "604800")
        .with("strict-transport-security", "max-age=31536000")
        .with("x-content-type-options", "nosniff")
        .with("server", "envoy")
        .with("via", "HTTP/2 edgeproxy, 1.1 google")
}
