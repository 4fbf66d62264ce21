//! Spotify's limits for a client: asked before each request, told of each 429.

use std::time::Duration;

use bytes::Bytes;
#[cfg(any(feature = "reqwest", feature = "tower"))]
use http::{HeaderValue, header};
use http::{Response, StatusCode};
use hyper::body::Body;

#[cfg(any(feature = "reqwest", feature = "tower"))]
use crate::limit::{Closed, Kind};
use crate::{
    id::AppName,
    limit::{BODY_PREFIX, Gates, Outcome, Probe, judge},
    middleware::body::AnswerBody,
    time::Clock,
};

/// How long the reason of a 429 may take behind its head. Later it is not worth waiting for: others go on
/// asking meanwhile.
const REASON: Duration = Duration::from_secs(2);

#[cfg(any(feature = "reqwest", feature = "tower"))]
/// Nothing was sent, because Spotify wants to be left alone; stands among the extensions of the 429 that
/// refrain answers in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited(pub Closed);

#[cfg(any(feature = "reqwest", feature = "tower"))]
/// The answer in the place of Spotify's.
pub(super) fn refused<B: Body<Data = Bytes> + Unpin>(closed: Closed) -> Response<AnswerBody<B>> {
    let (what, reason) = match closed.kind {
        Kind::Rate => ("Spotify wants this app to wait", "UNKNOWN"),
        Kind::Quota => (
            "the quota of this developer account is used up for now",
            "QUOTA_EXCEEDED",
        ),
    };
    let status = StatusCode::TOO_MANY_REQUESTS;
    let until = closed.until;
    let body = serde_json::json!({ "error": {
        "status": status.as_u16(),
        "message": format!("refrain: {what}; nothing was sent; Spotify may be asked again at {until}"),
        "reason": reason,
    }});
    let mut response = Response::new(AnswerBody::own(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(closed.retry_after()));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response.extensions_mut().insert(Limited(closed));
    response
}

/// Remembers what an answer of the Web API says about the limits of its app. Of a 429 the beginning is read
/// for that, for two seconds at most; nothing of it is lost.
///
/// # Cancel safety
/// Dropping the future gives the answer up, and a probe back.
pub async fn note_limit<B: Body<Data = Bytes> + Unpin>(
    response: Response<B>,
    gates: &Gates,
    clock: &dyn Clock,
    app: &AppName,
    probe: Option<Probe>,
) -> Response<AnswerBody<B>> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::TOO_MANY_REQUESTS {
        if let Some(probe) = probe {
            gates.report(app, Some(probe), Outcome::Passed);
        }
        return Response::from_parts(head, AnswerBody::untouched(body));
    }
    // The kind of limit stands in the body, which is short.
    let body = AnswerBody::begin(body, BODY_PREFIX, clock.sleep(REASON)).await;
    let limit = judge(&head.headers, body.begun(), clock.wall());
    gates.report(app, probe, Outcome::Limited(limit));
    Response::from_parts(head, body)
}
