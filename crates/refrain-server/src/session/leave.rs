//! The end of a session, because whoever has it says so.

use http::{Response, StatusCode, header};

use super::{Admin, cookie};
use crate::{
    audit::{Action, Subject},
    body::Answer,
    cookie::unwritable,
    fault::Fault,
    page::{FOOTER, Page},
    visit::Visit,
};

/// Ends the session for good, here and in whatever else has its cookie.
pub(crate) async fn leave(visit: &Visit<'_>, admin: &Admin) -> Result<Response<Answer>, Fault> {
    let (host, shared) = (visit.host()?, visit.shared());
    let (refrain, session) = (shared.refrain().clone(), admin.session().clone());
    let ended = shared
        .at_home(async move { refrain.end_session(&session).await })
        .await?;
    ended.map_err(|error| shared.fault(&error))?;
    let told = ("done", visit.id().text(), shared.clock().wall());
    let caller = format!("admin:{}", admin.session());
    let audit = shared.audit();
    audit.note(Action::SignedOut, caller, Subject::Server, told);
    let gone = cookie::take_away(&cookie::admin(host), host).ok_or_else(unwritable)?;
    let page = Page {
        title: "You have left the dashboard".to_owned(),
        text: "This browser is signed out. The grants go on working.".to_owned(),
        next: "To come back, run refrain dashboard where refrain runs.".to_owned(),
    };
    let mut answer = page.answer(StatusCode::OK, FOOTER).map(Answer::own);
    answer.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(answer)
}
