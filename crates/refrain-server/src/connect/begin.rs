//! The beginning of a login: the link is used up, and its browser knows it.

use http::Response;

use super::cookie;
use crate::{authority, body::Answer, fault::Fault, visit::Visit};

/// `POST /connect/{link}`.
pub(super) async fn begin(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    let (link, _, origin) = visit.link().await?;
    // Once more, and for every listener: a page of somebody else's must not press the button.
    if !authority::is_own_page(visit.headers(), &[&origin]) {
        return Err(authority::foreign_page());
    }
    let port = visit.shared().front().port();
    let begun = visit
        .ask(|refrain| async move { refrain.begin_link(&link, port).await })
        .await?;
    cookie::sent_on(&begun, visit.host()?)
}
