//! Spotify's limits at the proxy: a request that would only be refused does not go out.

use http::{Response, StatusCode};
use hyper::body::Incoming;
use refrain::{
    id::AppName,
    limit::{Closed, Entered, Gates, Kind, Probe},
    middleware::{AnswerBody, note_limit},
};
use tracing::{Instrument as _, Span};

use crate::{
    fault::{Fault, code},
    request_id::RequestId,
    server::Shared,
};

/// Lets a request of an app out, or says when to come back.
pub(super) fn enter(gates: &Gates, app: &AppName) -> Result<Option<Probe>, Closed> {
    match gates.enter(app) {
        Entered::Open => Ok(None),
        Entered::Probe(probe) => Ok(Some(probe)),
        Entered::Closed(closed) => Err(closed),
    }
}

/// What a request is told that is not sent.
pub(super) fn refused(closed: &Closed) -> Fault {
    let (code, what) = match closed.kind {
        Kind::Rate => (code::RATE_LIMITED, "Spotify wants this app to wait"),
        Kind::Quota => (
            code::QUOTA_EXCEEDED,
            "the quota of this developer account is used up for now",
        ),
    };
    let fix = format!(
        "nothing was sent; Spotify may be asked again at {}",
        closed.until
    );
    Fault::request(StatusCode::TOO_MANY_REQUESTS, code, what, fix).after(closed.remaining)
}

/// Learns from an answer how the limits stand.
pub(super) async fn note(
    response: Response<Incoming>,
    shared: &Shared,
    app: &AppName,
    probe: Option<Probe>,
    id: &RequestId<'_>,
) -> Response<AnswerBody<Incoming>> {
    // Of any other answer nothing is said.
    let told = probe.is_some() || response.status() == StatusCode::TOO_MANY_REQUESTS;
    let span = if told { id.span() } else { Span::none() };
    let clock = shared.clock().as_ref();
    let noting = note_limit(response, shared.gates(), clock, app, probe);
    noting.instrument(span).await
}
