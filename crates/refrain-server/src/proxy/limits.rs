//! Spotify's limits at the proxy: a request that would only be refused does not go out, and an answer that
//! refuses one is remembered for all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use refrain::{
    id::AppName,
    limit::{BODY_PREFIX, Closed, Entered, Gates, Kind, Outcome, Probe, judge},
};

use super::Answered;
use crate::{fault::Fault, server::Shared};

/// How long the reason of a refusal may take behind its head.
const REASON: Duration = Duration::from_secs(2);

/// Lets a request of an app out, or says when to come back.
pub(super) fn enter(gates: &Gates, app: &AppName) -> Result<Option<Probe>, Closed> {
    match gates.enter(app) {
        Entered::Open => Ok(None),
        Entered::Probe(probe) => Ok(Some(probe)),
        Entered::Closed(closed) => Err(closed),
    }
}

/// Remembers what an answer says about the limits of its app.
pub(super) async fn note(
    answered: &mut Answered,
    shared: &Shared,
    app: &AppName,
    probe: Option<Probe>,
) {
    let gates = shared.gates();
    if answered.response.status() != StatusCode::TOO_MANY_REQUESTS {
        if let Some(probe) = probe {
            gates.report(app, Some(probe), Outcome::Passed);
        }
        return;
    }
    // The kind of limit stands in the body, which is short.
    let begun = begin(answered).await;
    let limit = judge(answered.response.headers(), &begun, shared.clock().wall());
    answered.begun = Some(begun).filter(|it| !it.is_empty());
    gates.report(app, probe, Outcome::Limited(limit));
}

/// Reads the beginning of a body; what follows is read by whoever gets the answer.
async fn begin(answered: &mut Answered) -> Bytes {
    let mut begun = BytesMut::new();
    let body = answered.response.body_mut();
    let read = async {
        while begun.len() < BODY_PREFIX {
            let Some(Ok(frame)) = body.frame().await else {
                break;
            };
            if let Ok(data) = frame.into_data() {
                begun.extend_from_slice(&data);
            }
        }
    };
    // Late, the reason is not worth waiting for: others go on asking meanwhile.
    if tokio::time::timeout(REASON, read).await.is_err() {
        tracing::debug!("the API has not said in time which limit it means");
    }
    begun.freeze()
}

/// What a request is told that is not sent.
pub(super) fn refused(closed: &Closed) -> Fault {
    let (code, what) = match closed.kind {
        Kind::Rate => ("rate_limited", "Spotify wants this app to wait"),
        Kind::Quota => (
            "quota_exceeded",
            "the quota of this developer account is used up for now",
        ),
    };
    let fix = format!(
        "nothing was sent; Spotify may be asked again at {}",
        closed.until
    );
    Fault::request(StatusCode::TOO_MANY_REQUESTS, code, what, fix).after(closed.remaining)
}
