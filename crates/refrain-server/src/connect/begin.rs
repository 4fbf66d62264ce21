//! The beginning of a login: the link is used up, and its browser knows it.

use http::{Response, header};

use super::cookie;
use crate::{
    authority,
    body::Answer,
    cookie::{is_secure, unwritable},
    fault::Fault,
    page::see_other,
    visit::Visit,
};

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
    let (url, held) = (begun.login.url.as_str(), begun.browser);
    let kept = cookie::give(&begun.login.state, &held, is_secure(visit.host()?));
    let answer = see_other(url).zip(kept);
    let (mut answer, kept) = answer.ok_or_else(unwritable)?;
    answer.headers_mut().insert(header::SET_COOKIE, kept);
    Ok(answer.map(Answer::own))
}
