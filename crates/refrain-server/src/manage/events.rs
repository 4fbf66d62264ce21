//! What was done through this server lately.

use http::{Response, StatusCode};

use super::{Asked, json, page::Page};
use crate::{body::Answer, fault::Fault};

/// `GET events`: those that the caller may hear of, behind the place where an earlier answer ended. There is
/// no last page of them, so that no `Link` leads on for ever.
pub(super) fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let page = Page::asked(&asked.head.uri)?;
    let audit = asked.shared().audit();
    json(
        StatusCode::OK,
        &audit.after(page.after(), page.limit(), asked.caller),
    )
}
