//! Spotify's limits for a client: asked before each request, told of each 429.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Body;
use serde_json::json;

use crate::{
    handle::Grant,
    id::AppName,
    limit::{BODY_PREFIX, Closed, Gates, Kind, Outcome, Probe, judge},
    middleware::body::AnswerBody,
};

/// Nothing was sent, because Spotify wants to be left alone; stands among the extensions of the 429 that
/// refrain answers in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited(pub Closed);

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
    let body = json!({ "error": {
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

/// Remembers what an answer says about the limits of its app.
pub(super) async fn note<B: Body<Data = Bytes> + Unpin>(
    response: Response<B>,
    grant: &Grant,
    gates: &Gates,
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
    let body = AnswerBody::begin(body, BODY_PREFIX).await;
    let limit = judge(&head.headers, body.begun(), grant.now());
    gates.report(app, probe, Outcome::Limited(limit));
    Response::from_parts(head, body)
}
