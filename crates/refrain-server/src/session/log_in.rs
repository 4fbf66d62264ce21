//! `/session/login`: a user signs in with their Spotify account.

use http::{HeaderValue, Method, Response, StatusCode, header};
use refrain::{
    Error,
    id::{AppName, GrantName},
    keeper::{Problem, carried::Carried, login::LoginError, sessions::NewSession},
    session::{LocalPath, SessionId, Whose},
};

use super::{cookie as own_cookie, log_out, sealed::SealingError, user};
use crate::{
    audit::{Action, Subject},
    body::Answer,
    connect::{ask, cookie as login_cookie},
    cookie::{self, unwritable},
    fault::{Fault, code},
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
            code::NO_SESSIONS,
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
            code::RETURN_TO_NOT_ALLOWED,
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
    let new = NewSession {
        app: app.clone(),
        return_to,
        port: visit.shared().front().port(),
        asks_anew,
        carries: visit.shared().carrier().is_some(),
    };
    let begun = visit
        .ask(|refrain| async move { refrain.begin_session(new).await })
        .await?;
    login_cookie::sent_on(&begun, visit.host()?)
}

/// Begins the session of a user who has come back, and ends the one that their browser had: whoever signs in
/// gets a new one.
pub(crate) async fn finish(
    visit: &Visit<'_>,
    grant: GrantName,
    brought: Option<Carried>,
    path: &LocalPath,
) -> Result<Response<Answer>, Fault> {
    let (host, shared) = (visit.host()?, visit.shared());
    let before = user::held(visit)?;
    let (session, kept) = match (brought, shared.carrier()) {
        (None, None) => match open(visit, grant.clone()).await? {
            Some(opened) => opened,
            // Signed out with another browser meanwhile, and all that this one has just brought is gone.
            None => return ask_anew(visit, path.clone()).await,
        },
        (Some(brought), Some(carrier)) => {
            let began_in = visit
                .ask(|refrain| async move { refrain.incarnation().await })
                .await?;
            let made = carrier.begin(&brought, began_in, &own_cookie::belongs(visit)?);
            let kept = made.map_err(|error| unsealed(&error))?;
            (brought.session, kept.ok_or_else(unwritable)?)
        }
        // The configuration has changed while the user was at Spotify.
        _ => return Err(begun_otherwise()),
    };
    if let Some(before) = before {
        log_out::end_before(visit, before).await;
    }
    let told = ("done", visit.id().text(), shared.clock().wall());
    let (caller, audit) = (format!("session:{session}"), shared.audit());
    audit.note(Action::SignedIn, caller, Subject::Grant(grant), told);
    let asked = own_cookie::take_away(&own_cookie::anew(host), host);
    let answer = see_other(path.as_str()).zip(asked);
    let (mut answer, asked) = answer.ok_or_else(unwritable)?;
    let headers = answer.headers_mut();
    headers.append(header::SET_COOKIE, kept);
    headers.append(header::SET_COOKIE, asked);
    Ok(answer.map(Answer::own))
}

/// A session of the store, and the cookie that names it; `None` where its user has signed out meanwhile.
async fn open(
    visit: &Visit<'_>,
    grant: GrantName,
) -> Result<Option<(SessionId, HeaderValue)>, Fault> {
    let (host, whose) = (visit.host()?, Whose::User(grant));
    let opened = visit.ask(|refrain| async move {
        match refrain.open_session(whose).await {
            Err(error) if is_not_asked(&error) => Ok(None),
            opened => opened.map(Some),
        }
    });
    let Some((token, record)) = opened.await? else {
        return Ok(None);
    };
    let kept = own_cookie::give(&own_cookie::user(host), host, (&token, &record));
    Ok(Some((record.id, kept.ok_or_else(unwritable)?)))
}

/// Whether a user has signed out who was not asked since what they agree to.
pub(crate) fn is_not_asked(error: &Error) -> bool {
    matches!(error.problem(), Problem::Login(LoginError::NotAsked))
}

fn unsealed(error: &SealingError) -> Fault {
    let (code, fix) = match error {
        SealingError::TooLarge(_) => (
            code::SESSION_TOO_LARGE,
            "have whoever runs this server set sessions.keep = \"store\"; remove the app at \
             https://www.spotify.com/account/apps/ to take your consent back",
        ),
        SealingError::Seal(_) => (code::INTERNAL, "report this"),
    };
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Fault::request(status, code, error.to_string(), fix)
}

fn begun_otherwise() -> Fault {
    let (what, fix) = (
        "sessions are kept in another way here since this login began",
        "sign in once more",
    );
    Fault::request(StatusCode::CONFLICT, code::LOGIN_INTERRUPTED, what, fix)
}
