//! The token endpoint.
//!
//! The order of the checks is Spotify's: content type, grant type, client, required parameters,
//! code or refresh token, redirect URI, verifier. Every refusal is a 400, `invalid_client` too.

mod client;
pub(crate) mod grants;

use http::StatusCode;
use serde_json::Value;

use crate::answer::{Answer, Inbound, pairs};
use crate::history::{EventKind, Outcome, TokenCall};
use crate::mint;
use crate::service::Context;
use crate::world::World;

/// The parameters of a token request.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

// === impl Form ===

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str, missing: &'static str) -> Result<&str, Refused> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refused::new("invalid_request", missing, "parameter missing"))
    }
}

/// What can be told about a token request before it is processed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    pub(crate) grant_type: String,
    pub(crate) grant: Option<u64>,
    client_id: Option<String>,
    presented: Option<String>,
}

// === impl Sight ===

impl Sight {
    /// Looks at a request without changing anything.
    pub(crate) fn of(world: &World, request: &Inbound) -> Self {
        let form = Form(pairs(&request.body));
        let code = form
            .get("code")
            .and_then(|code| world.codes.get(code)?.chain);
        let refresh = form
            .get("refresh_token")
            .and_then(|token| world.refresh_tokens.get(token).map(|(chain, _)| *chain));
        Self {
            grant_type: form.get("grant_type").unwrap_or_default().to_owned(),
            grant: refresh.or(code),
            client_id: client::named(request, &form),
            presented: form
                .get("refresh_token")
                .or_else(|| form.get("code"))
                .map(mint::fingerprint),
        }
    }

    /// The record of a call that a fault kept from being processed.
    pub(crate) fn faulted(self, request: u64, context: &Context) -> EventKind {
        EventKind::TokenCall(self.call(request, context))
    }

    fn call(self, request: u64, context: &Context) -> TokenCall {
        TokenCall {
            request,
            grant_type: self.grant_type,
            client_id: self.client_id,
            grant: self.grant,
            presented: self.presented,
            outcome: Outcome::Faulted,
            error: None,
            why: None,
            fault: context.fault.map(str::to_owned),
            committed: false,
            issued_refresh: None,
            issued_access: None,
            concurrent: context.concurrent,
        }
    }
}

/// A refusal, and the reason that Spotify keeps to itself.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    description: Option<String>,
    why: String,
    /// The refusal itself ended the chain.
    committed: bool,
}

// === impl Refused ===

impl Refused {
    fn new(error: &'static str, description: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: Some(description.into()),
            why: why.into(),
            committed: false,
        }
    }
}

/// A token answer.
#[derive(Debug)]
struct Issued {
    body: Value,
    grant: Option<u64>,
    refresh: Option<String>,
    access: String,
    outcome: Outcome,
}

/// Answers `POST /api/token`.
pub(crate) fn answer(world: &mut World, request: &Inbound, context: &Context) -> Answer {
    let mut call = Sight::of(world, request).call(request.number, context);
    let answer = match grants::grant(world, request, context.delivers) {
        Ok(issued) => {
            call.grant = issued.grant.or(call.grant);
            call.outcome = issued.outcome;
            call.committed = true;
            call.issued_refresh = issued.refresh.as_deref().map(mint::fingerprint);
            call.issued_access = Some(mint::fingerprint(&issued.access));
            Answer::json(StatusCode::OK, &issued.body)
        }
        Err(refused) => {
            call.outcome = Outcome::Refused;
            call.committed = refused.committed;
            let description = refused.description.as_deref();
            call.error = Some(match description {
                Some(description) => format!("{}: {description}", refused.error),
                None => refused.error.to_owned(),
            });
            call.why = Some(refused.why);
            Answer::oauth_error(refused.status, refused.error, description)
        }
    };
    world.record(EventKind::TokenCall(call));
    dressed(answer)
}

/// Authenticates the client of a revocation request, or gives the answer that refuses it.
pub(crate) fn authenticated_client(world: &World, request: &Inbound) -> Result<String, Answer> {
    client::authenticate(world, request, &Form(pairs(&request.body)))
        .map(|client| client.id)
        .map_err(|refused| {
            Answer::oauth_error(
                refused.status,
                refused.error,
                refused.description.as_deref(),
            )
        })
}

/// Adds the headers that the token endpoint sends with every answer.
pub(crate) fn dressed(answer: Answer) -> Answer {
    answer
        .with("cache-control", "no-store")
        .with("pragma", "no-cache")
        .with("x-request-id", &mint::trace_id())
        .with("sp-trace-id", &mint::trace_id())
        .with("x-envoy-upstream-service-time", "4")
        .with("server", "envoy")
        .with("strict-transport-security", "max-age=31536000")
        .with("x-content-type-options", "nosniff")
        .with("vary", "Accept-Encoding")
        .with("via", "HTTP/2 edgeproxy, 1.1 google")
        .with(
            "set-cookie",
            "__Host-device_id=AQsimulated;Version=1;Path=/;Secure;HttpOnly",
        )
        .with(
            "set-cookie",
            "sp_tr=false;Version=1;Domain=accounts.spotify.com;Path=/;Secure",
        )
}
