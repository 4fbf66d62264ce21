//! `/metrics`.

use http::{Response, StatusCode};
use refrain::{Error, Refrain, access::Grants, id::GrantName};

use super::{Asked, told};
use crate::{
    body::Answer,
    fault::{Fault, code},
    metrics::{CONTENT_TYPE, standing::Census},
};

/// So many grants are read at once.
const READ: u32 = 500;

/// Tells what was counted, and how things stand; the grants are read once a minute at most.
pub(super) async fn tell(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let shared = asked.shared();
    let (clock, metrics) = (shared.clock(), shared.metrics());
    if metrics.standing().is_due(clock.uptime()) {
        let census = Census::begun(clock.wall());
        let read = asked.ask(|refrain| async move { count(&refrain, census).await });
        match read.await? {
            Ok(census) => metrics.standing().counted(census),
            // What was counted before is told on, with its age.
            Err(error) => {
                let code = error.code();
                tracing::warn!(code, "the grants could not be counted for the metrics");
            }
        }
    }
    let (refreshes, gates) = (shared.refreshes(), shared.gates().list());
    metrics.standing().looked(refreshes, &gates, &clock.now());
    let text = metrics.text().map_err(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let what = "the metrics could not be written";
        Fault::request(status, code::INTERNAL, what, "report this")
    })?;
    Ok(told(StatusCode::OK, CONTENT_TYPE, text))
}

/// Counts all grants, a page at a time: there may be a million of them.
async fn count(refrain: &Refrain, mut census: Census) -> Result<Census, Error> {
    let mut last: Option<GrantName> = None;
    loop {
        let page = refrain.page(&Grants::All, last.as_ref(), READ).await?;
        for grant in &page {
            census.add(grant);
        }
        if page.len() < READ as usize {
            return Ok(census);
        }
        last = page.last().map(|grant| super::grants::name(grant).clone());
    }
}
