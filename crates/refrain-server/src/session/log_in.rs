//! `/session/login`: a user signs in with their Spotify account.

use http::{Method, Response, StatusCode, header};
use refrain::{
    Refrain,
    id::{AppName, GrantName},
    keeper::sessions::NewSession,
    session::{LocalPath, SessionToken, Whose},
};

use super::{cookie as own_cookie, user};
use crate::{
    audit::{Action, Subject},
    body::Answer,
    connect::{ask, cookie as login_cookie},
    cookie::{self, is_secure, unwritable},
    fault::Fault,
    page::{FOOTER, Mark, html, see_other},
    visit::Visit,
};

/// `GET` shows who asks, and for what; `POST` sends the browser to Spotify.
pub(super) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    let app = app(visit)?;
    let return_to = return_to(visit.query())?;
    visit.opened_at(app)?;
    if visit.method() == Method::POST {
        return begin(visit, app, return_to).await;
    }
    let parts = visit.shared().refrain().parts();
    let scope = parts.apps.get(app).map(|app| app.scopes.clone());
    let content = ask::sign_in(app, &scope.unwrap_or_default());
    let places = ["'self'", &parts.provider.accounts.to_string()];
    let shown = (StatusCode::OK, Mark::Question);
    let page = html(shown, "Sign in with Spotify", &content, FOOTER, &places);
    Ok(page.map(Answer::own))
}

/// The app whose users may sign in.
pub(super) fn app<'a>(visit: &Visit<'a>) -> Result<&'a AppName, Fault> {
    let app = visit.shared().front().sessions();
    app.ok_or_else(|| {
        Fault::request(
            StatusCode::NOT_FOUND,
            "no_sessions",
            "nobody signs in with a browser here",
            "set sessions.app in the configuration to the app whose users may",
        )
    })
}

/// Where the user goes afterwards: what the query says, if it is a place on this origin.
fn return_to(query: &str) -> Result<LocalPath, Fault> {
    let mut said = url::form_urlencoded::parse(query.as_bytes());
    let said = said.find(|(name, _)| name == "return_to");
    let Some((_, path)) = said else {
        return Ok(LocalPath::root());
    };
    LocalPath::parse(&path).ok_or_else(|| {
        Fault::request(
            StatusCode::BAD_REQUEST,
            "return_to_not_allowed",
            "return_to is no path on this origin",
            "write it as /app, with what follows",
        )
    })
}

async fn begin(
    visit: &Visit<'_>,
    app: &AppName,
    return_to: LocalPath,
) -> Result<Response<Answer>, Fault> {
    visit.check_proven_page()?;
    let anew = cookie::held(visit.headers(), &own_cookie::anew(visit.host()?)).is_some();
    send(visit, app, return_to, anew).await
}

/// Sends a browser to Spotify once more, of which it has turned out that its user has signed out before: now they
/// see what they agree to.
pub(crate) async fn ask_anew(
    visit: &Visit<'_>,
    return_to: LocalPath,
) -> Result<Response<Answer>, Fault> {
    send(visit, app(visit)?, return_to, true).await
}

async fn send(
    visit: &Visit<'_>,
    app: &AppName,
    return_to: LocalPath,
    asks_anew: bool,
) -> Result<Response<Answer>, Fault> {
    let host = visit.host()?;
    let new = NewSession {
        app: app.clone(),
        return_to,
        port: visit.shared().front().port(),
        asks_anew,
    };
    let begun = visit
        .ask(|refrain| async move { refrain.begin_session(new).await })
        .await?;
    let kept = login_cookie::give(&begun.login.state, &begun.browser, is_secure(host));
    let answer = see_other(&begun.login.url).zip(kept);
    let (mut answer, kept) = answer.ok_or_else(unwritable)?;
    answer.headers_mut().insert(header::SET_COOKIE, kept);
    Ok(answer.map(Answer::own))
}

/// Begins the session of a user who has come back, and ends the one that their browser had: whoever signs in
/// gets a new one.
pub(crate) async fn finish(
    visit: &Visit<'_>,
    grant: GrantName,
    path: &LocalPath,
) -> Result<Response<Answer>, Fault> {
    let (host, before) = (visit.host()?, user::shown(visit)?);
    let whose = Whose::User(grant.clone());
    let shared = visit.shared();
    if let Some(before) = &before {
        shared.sessions().forget(&before.id());
    }
    let (token, record) = visit
        .ask(|refrain| async move {
            let opened = refrain.open_session(whose).await?;
            end_before(&refrain, before).await;
            Ok(opened)
        })
        .await?;
    let told = ("done", visit.id().text(), shared.clock().wall());
    let (caller, audit) = (format!("session:{}", record.id), shared.audit());
    audit.note(Action::SignedIn, caller, Subject::Grant(grant), told);
    let kept = own_cookie::give(&own_cookie::user(host), host, (&token, &record));
    let asked = own_cookie::take_away(&own_cookie::anew(host), host);
    let answer = see_other(path.as_str()).zip(kept).zip(asked);
    let ((mut answer, kept), asked) = answer.ok_or_else(unwritable)?;
    let headers = answer.headers_mut();
    headers.append(header::SET_COOKIE, kept);
    headers.append(header::SET_COOKIE, asked);
    Ok(answer.map(Answer::own))
}

/// Ends the session that the browser had. Whoever shows a session may end it; an id alone proves nothing.
async fn end_before(refrain: &Refrain, before: Option<SessionToken>) {
    let Some(before) = before else { return };
    let Ok(record) = refrain.verify_session(&before).await else {
        return;
    };
    if let Whose::User(grant) = &record.whose
        && let Err(error) = refrain.leave(&record.id, grant, false).await
    {
        tracing::warn!(session = %record.id, %error, "the session before was not ended");
    }
}
