//! `/dashboard/sessions`: who is signed in here, and how somebody is signed out who has left a browser open or has
//! lost it.

use http::{Response, StatusCode};

use super::{
    Desk, flash, see,
    view::{
        sessions as view,
        shell::{Part, Sheet},
    },
};
use crate::{
    audit::{Action, Subject},
    body::Answer,
    fault::{Fault, code},
};

/// `GET`: which sessions there are.
pub(super) async fn list(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let read = desk
        .errand
        .read(|refrain| async move { refrain.admin_sessions().await });
    let sessions = read.await?;
    let sheet = Sheet {
        part: Part::Grants,
        title: "Signed in".to_owned(),
        notice: flash::asked(desk.query()),
        content: view::content(&sessions, desk.admin.session(), &desk.shell()),
        live: false,
    };
    Ok(desk.page(StatusCode::OK, &sheet))
}

/// `POST {id}/end`: of those who run refrain alone; a user's session is none of them.
pub(super) async fn end(desk: &Desk<'_>) -> Result<Response<Answer>, Fault> {
    let id = desk.parameter();
    let read = desk
        .errand
        .read(|refrain| async move { refrain.admin_sessions().await });
    let sessions = read.await?.into_iter();
    let found = sessions.map(|it| it.id).find(|it| it.as_str() == id);
    let session = found.ok_or_else(unknown)?;
    tracing::info!(%session, "a session of the dashboard is ended from another one");
    let ended = desk
        .errand
        .ask(|refrain| async move { refrain.end_session(&session).await })
        .await?;
    desk.errand.note(Action::SignedOut, Subject::Server, &ended);
    ended.map_err(|error| desk.errand.fault(&error))?;
    see(&format!("/dashboard/sessions?done={}", flash::ENDED))
}

fn unknown() -> Fault {
    let fix = "nothing is left to do; the list is at /dashboard/sessions";
    let what = "there is no such session, or it is over";
    Fault::request(StatusCode::NOT_FOUND, code::SESSION_UNKNOWN, what, fix)
}
