//! `/sign-in/{link}`: whoever runs refrain gets into the dashboard.

use http::{Method, Response, StatusCode, header};
use refrain::{
    keeper::{Problem, sessions::SessionError},
    session::SessionToken,
};

use super::cookie;
use crate::{
    audit::{Action, Subject},
    body::Answer,
    cookie::unwritable,
    fault::{Fault, code},
    page::{FOOTER, Mark, html, see_other},
    visit::Visit,
};

/// Answers a visit. What a form sends besides is not looked at.
pub(super) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    let link = visit.parameter().and_then(SessionToken::parse);
    let link = link.ok_or_else(|| refused(visit))?;
    if visit.method() == Method::POST {
        return sign_in(visit, link).await;
    }
    // Programs that look into messages open every link that they find.
    let title = "Sign in to refrain";
    let content = "<p>The link in your hands was made where refrain runs, and works once.</p>\n\
         <form method=\"post\"><button>Sign in</button></form>\n";
    let shown = (StatusCode::OK, Mark::Question);
    let page = html(shown, title, content, FOOTER, &["'self'"]);
    Ok(page.map(Answer::own))
}

async fn sign_in(visit: &Visit<'_>, link: SessionToken) -> Result<Response<Answer>, Fault> {
    let (host, shared) = (visit.host()?, visit.shared());
    // Once more, and for every listener: a page of somebody else's must not press the button.
    visit.check_page()?;
    let refrain = shared.refrain().clone();
    let signed_in = shared
        .at_home(async move { refrain.sign_in(&link).await })
        .await?;
    let (token, record) = signed_in.map_err(|error| match error.problem() {
        Problem::Session(SessionError::SignInUnknown) => refused(visit),
        _ => shared.fault(&error),
    })?;
    let told = ("done", visit.id().text(), shared.clock().wall());
    let caller = format!("admin:{}", record.id);
    let audit = shared.audit();
    audit.note(Action::SignedIn, caller, Subject::Server, told);
    let kept = cookie::give(&cookie::admin(host), host, (&token, &record));
    let answer = see_other("/dashboard").zip(kept);
    let (mut answer, kept) = answer.ok_or_else(unwritable)?;
    answer.headers_mut().insert(header::SET_COOKIE, kept);
    Ok(answer.map(Answer::own))
}

/// Whoever tries many is held up, as with keys.
fn refused(visit: &Visit<'_>) -> Fault {
    if let Some(wait) = visit.tried_in_vain() {
        return Fault::too_many_links(wait);
    }
    Fault::request(
        StatusCode::GONE,
        code::SIGN_IN_UNKNOWN,
        "this sign-in link was used already, or is too old",
        "get a new one where refrain runs: `refrain dashboard`",
    )
}
