//! The answers that faults give in place of true ones.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use crate::accounts::token;
use crate::answer::Answer;
use crate::api;
use crate::fault::{Action, BodyKind};
use crate::gzip;
use crate::profile::Api401;
use crate::service::Kind;

/// The text that the proxy in front of Spotify was seen to answer.
const UPSTREAM: &str = "upstream connect error or disconnect/reset before headers. \
     reset reason: connection termination";

/// The answer of a fault that leaves the request unprocessed.
pub(crate) fn instead(kind: &Kind, action: &Action, wording: Api401) -> Answer {
    match action {
        Action::ErrorBeforeCommit { status, body_kind } => error(kind, *status, *body_kind),
        Action::Html { status } => error(kind, *status, BodyKind::Html),
        Action::Body {
            status,
            content_type,
            body,
            headers,
        } => {
            let mut answer = Answer::empty(code(*status));
            answer.body = body.clone().into();
            if !content_type.is_empty() {
                answer = answer.with("content-type", content_type);
            }
            headers
                .iter()
                .fold(answer, |answer, (name, value)| answer.with(name, value))
        }
        Action::FalseRefusal { description } => token::dressed(Answer::oauth_error(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            description.as_deref(),
        )),
        Action::Throttle { retry_after, quota } => {
            dressed(kind, api::throttled(retry_after.as_deref(), *quota))
        }
        Action::Spurious401 => api::dressed(api::spurious(wording)),
        // The others process the request or close the connection.
        _ => Answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// An error answer in the shape of the endpoint, or of what stands before it.
pub(crate) fn error(kind: &Kind, status: u16, body: BodyKind) -> Answer {
    let status = code(status);
    let phrase = status.canonical_reason().unwrap_or("Error");
    match (body, kind) {
        (BodyKind::Json, Kind::Api) => {
            let message = match status {
                StatusCode::INTERNAL_SERVER_ERROR => "Server error.",
                StatusCode::BAD_GATEWAY => "Bad gateway.",
                _ => phrase,
            };
            dressed(kind, Answer::api_error(status, message, None))
        }
        (BodyKind::Json, _) => {
            let error = if status.is_server_error() {
                "server_error"
            } else {
                "invalid_request"
            };
            dressed(kind, Answer::oauth_error(status, error, None))
        }
        (BodyKind::Text, _) => Answer::text(status, UPSTREAM).with("server", "envoy"),
        (BodyKind::Html, _) => Answer::html(
            status,
            format!(
                "<html><body><h1>{} {phrase}</h1>\nNo server is available to handle this \
                 request.\n</body></html>\n",
                status.as_u16()
            ),
        ),
        (BodyKind::Empty, _) => Answer::empty(status),
    }
}

/// The same answer with members of its JSON body set or left out.
pub(crate) fn altered(
    mut answer: Answer,
    set: &BTreeMap<String, Value>,
    remove: &[String],
) -> Answer {
    if let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body) {
        body.retain(|name, _| !remove.contains(name));
        body.extend(set.clone());
        answer.body = Value::Object(body).to_string().into();
    }
    answer
}

/// The same answer with its body gzipped.
pub(crate) fn gzipped(mut answer: Answer) -> Answer {
    answer.body = gzip::stored(&answer.body).into();
    answer.with("content-encoding", "gzip")
}

fn dressed(kind: &Kind, answer: Answer) -> Answer {
    match kind {
        Kind::Api => api::dressed(answer),
        _ => token::dressed(answer),
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        // hyper cannot end an exchange with an informational status.
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
