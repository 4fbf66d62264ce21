//! Spotify's limits at the proxy: a request that would only be refused does not go out.

use http::StatusCode;
use refrain::{
    id::AppName,
    limit::{Closed, Entered, Gates, Kind, Probe},
};

use crate::fault::Fault;

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
