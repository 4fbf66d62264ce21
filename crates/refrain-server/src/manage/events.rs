//! What was done through this server lately.

use http::{Response, StatusCode};

use super::{Asked, json, query};
use crate::{body::Answer, fault::Fault};

/// So many are told at once, where nobody says otherwise.
const USUAL: u64 = 100;
/// And at most.
const MOST: u64 = 1000;

/// `GET events`: those that the caller may hear of, behind the place where an earlier answer ended.
pub(super) fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let [after, limit] = query::read(&asked.head.uri, ["after", "limit"])?;
    let limit = limit.map(|text| query::number(&text, 1, MOST));
    let limit = limit.transpose()?.unwrap_or(USUAL);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let audit = asked.shared().audit();
    json(
        StatusCode::OK,
        &audit.after(after.as_deref(), limit, asked.caller),
    )
}
