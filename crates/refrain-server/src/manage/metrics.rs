//! `/metrics`.

use http::{Response, StatusCode};
use refrain::{Error, Refrain, Summary, access::Grants, store::Unreadable};

use super::{Asked, told};
use crate::{body::Answer, fault::Fault, metrics::CONTENT_TYPE};

/// So many grants are read at once.
const READ: u32 = 500;

/// Tells what was counted, and how things stand; the grants are read once a minute at most.
pub(super) async fn tell(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let shared = asked.shared();
    let (clock, metrics) = (shared.clock(), shared.metrics());
    if metrics.standing().is_due(clock.uptime()) {
        let read = asked.ask(|refrain| async move { all(&refrain).await });
        match read.await? {
            Ok(grants) => metrics.standing().counted(&grants, clock.wall()),
            // What was counted before is told on, with its age.
            Err(error) => {
                let code = error.code();
                tracing::warn!(code, "the grants could not be counted for the metrics");
            }
        }
    }
    let (refreshes, gates) = (shared.refrain().refreshes(), shared.gates().list());
    metrics.standing().looked(refreshes, &gates, &clock.now());
    let text = metrics.text().map_err(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let what = "the metrics could not be written";
        Fault::request(status, "internal", what, "report this")
    })?;
    Ok(told(StatusCode::OK, CONTENT_TYPE, text))
}

/// All grants; one that cannot be read is counted as such.
async fn all(refrain: &Refrain) -> Result<Vec<Result<Summary, Unreadable>>, Error> {
    let mut all: Vec<Result<Summary, Unreadable>> = Vec::new();
    loop {
        let last = all.last().map(super::grants::name);
        let page = refrain.page(&Grants::All, last, READ).await?;
        let is_last = page.len() < READ as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
