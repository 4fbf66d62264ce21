//! `POST /session/logout`: ends the session of this browser, or all of its user's.
//!
//! With the last session of a user goes what is kept of them: nobody is left who could use the tokens.

use http::{HeaderValue, Response, StatusCode, header};
use refrain::{
    Error, Grant, Refrain,
    json::LoggedOutJson,
    keeper::logout::{LoggedOut, Revocation},
    session::{LocalPath, SessionToken, Whose},
    time::UnixMillis,
    words,
};
use serde::Serialize;

use super::{
    carrier::Opened,
    cookie as own_cookie, log_in, told,
    user::{self, Held, User},
    ways,
};
use crate::{
    audit::{Action, Subject},
    body::Answer,
    cookie::{set, unwritable},
    fault::Fault,
    page::Page,
    visit::Visit,
};

/// How long the next login of this browser asks for consent: as long as one lasts.
const ANEW_SECONDS: u64 = 183 * 24 * 60 * 60;

#[derive(Serialize)]
struct Told<'a> {
    signed_in: bool,
    /// How many browsers of the user are signed in still; nobody knows where each carries its own tokens.
    sessions_left: Option<u64>,
    /// What became of the grant, where it has gone too.
    disconnected: Option<LoggedOutJson<'a>>,
}

pub(super) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    log_in::app(visit)?;
    visit.check_proven_page()?;
    let everywhere = is_everywhere(visit.query());
    let (left, done) = match user::of(visit).await? {
        Some(user) => end(visit, &user, everywhere).await?,
        None => (visit.shared().carrier().is_none().then_some(0), None),
    };
    let now = visit.shared().clock().wall();
    let mut answer = if wants_page(visit) {
        let shown = page(left, done.as_ref(), now);
        let mut ways = vec![ways::home(&LocalPath::root())];
        ways.extend(done.as_ref().map(|_| ways::list_at_spotify()));
        shown.answer_with(StatusCode::OK, &ways).map(Answer::own)
    } else {
        told::json(&Told {
            signed_in: false,
            sessions_left: left,
            disconnected: done.as_ref().map(|done| LoggedOutJson::of(done, now)),
        })?
    };
    let host = visit.host()?;
    let gone = own_cookie::take_away(&own_cookie::user(host), host);
    let headers = answer.headers_mut();
    headers.append(header::SET_COOKIE, gone.ok_or_else(unwritable)?);
    if done.is_some() {
        let secure = crate::cookie::is_secure(host);
        let anew = set(&own_cookie::anew(host), "1", secure, ANEW_SECONDS);
        headers.append(header::SET_COOKIE, anew.ok_or_else(unwritable)?);
    }
    // What this browser has of the Web API's answers is the user's.
    let all = HeaderValue::from_static("\"cache\"");
    headers.insert("clear-site-data", all);
    Ok(answer)
}

/// Ends a session, and notes that. Answers how many are left, where that is known.
async fn end(
    visit: &Visit<'_>,
    user: &User,
    everywhere: bool,
) -> Result<(Option<u64>, Option<LoggedOut>), Fault> {
    let done = if let Some(opened) = user.carries() {
        let done = end_carried(visit, user.grant().clone(), opened).await;
        done.map(|done| (None, done))
    } else {
        let done = end_kept(visit, user, everywhere).await;
        done.map(|(left, done)| (Some(left), done))
    };
    let shared = visit.shared();
    let result = done.as_ref().map_or_else(Fault::code, |_| "done");
    let told = (result, visit.id().text(), shared.clock().wall());
    let caller = format!("session:{}", user.session());
    let (name, audit) = (user.grant().name().clone(), shared.audit());
    audit.note(Action::SignedOut, caller, Subject::Grant(name), told);
    done
}

/// Ends a session of the store, and where it was the last one, or all are to go, signs the grant out. Answers
/// how many are left.
async fn end_kept(
    visit: &Visit<'_>,
    user: &User,
    everywhere: bool,
) -> Result<(u64, Option<LoggedOut>), Fault> {
    let (grant, id) = (user.grant().name().clone(), user.session().clone());
    let done = visit.ask(|refrain| async move { refrain.leave(&id, &grant, everywhere).await });
    let done = done.await;
    visit.shared().sessions().forget(user.session());
    done
}

/// Ends a session that its browser carries: every copy of its cookie is over, wherever it is. Other browsers
/// of the user have sessions of their own, which nobody here knows of.
async fn end_carried(
    visit: &Visit<'_>,
    grant: Grant,
    opened: &Opened,
) -> Result<Option<LoggedOut>, Fault> {
    let (id, ends_at) = (opened.session().clone(), opened.times().ends);
    let done = visit.ask(|refrain: Refrain| async move {
        refrain.sign_session_out(&id, ends_at).await?;
        signed_out(&grant).await
    });
    let done = done.await;
    if let Some(carrier) = visit.shared().carrier() {
        carrier.going_on().forget(opened.session());
    }
    done
}

/// Signs a grant out. Where somebody else was faster there is nothing left to end.
async fn signed_out(grant: &Grant) -> Result<Option<LoggedOut>, Error> {
    match grant.logout().await {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.code() == "signed_out" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends the session that a browser had before it signed in once more. Spotify is not asked to revoke anything:
/// it could take the new consent with the old.
pub(super) async fn end_before(visit: &Visit<'_>, before: Held<'_>) {
    let ended = match before {
        Held::Token(token) => {
            visit.shared().sessions().forget(&token.id());
            visit
                .ask(|refrain: Refrain| async move { leave(&refrain, &token).await })
                .await
        }
        Held::Cookie(text) => abandon(visit, text).await,
    };
    if let Err(fault) = ended {
        tracing::warn!(code = fault.code(), "the session before was not ended");
    }
}

/// Whoever shows a session may end it; an id alone proves nothing.
async fn leave(refrain: &Refrain, token: &SessionToken) -> Result<(), Error> {
    let Ok(record) = refrain.verify_session(token).await else {
        return Ok(());
    };
    if let Whose::User(grant) = &record.whose {
        refrain.leave(&record.id, grant, false).await?;
    }
    Ok(())
}

async fn abandon(visit: &Visit<'_>, text: &str) -> Result<(), Fault> {
    let Some((carrier, opened)) = user::opened(visit, text)? else {
        return Ok(());
    };
    let (id, ends_at) = (opened.session().clone(), opened.times().ends);
    visit
        .ask(|refrain: Refrain| async move { refrain.sign_session_out(&id, ends_at).await })
        .await?;
    carrier.abandon(opened.session());
    Ok(())
}

fn is_everywhere(query: &str) -> bool {
    let mut said = url::form_urlencoded::parse(query.as_bytes());
    said.any(|(name, value)| name == "everywhere" && matches!(&*value, "" | "1" | "true"))
}

/// A form is answered with a page, a script with JSON.
fn wants_page(visit: &Visit<'_>) -> bool {
    let accepted = visit.headers().get(header::ACCEPT);
    let accepted = accepted.and_then(|it| it.to_str().ok());
    accepted.is_some_and(|it| it.contains("text/html"))
}

fn page(left: Option<u64>, done: Option<&LoggedOut>, now: UnixMillis) -> Page {
    let title = "You are signed out".to_owned();
    let Some(done) = done else {
        let text = match left {
            None | Some(0) => "This browser was signed out already.",
            Some(_) => {
                "This browser is signed out. You are signed in with another one still, so the connection to \
                 Spotify stays."
            }
        };
        return Page {
            title,
            text: text.to_owned(),
            next: "You may close this page, or go back and sign in again.".to_owned(),
        };
    };
    Page {
        title,
        text: format!(
            "Everything that was kept of you here is destroyed: the tokens, their key, your name. {} {}",
            revocation(&done.revocation),
            access(done, now),
        ),
        next: "Spotify may still list the app among those that you have agreed to, and there you can take \
               it from the list. If you sign in again, you are asked for your consent again."
            .to_owned(),
    }
}

/// What became of it at Spotify, for somebody who uses a web app.
fn revocation(revocation: &Revocation) -> &'static str {
    match revocation {
        Revocation::NotOffered => "Spotify was not told so: it offers no way to do that.",
        Revocation::Answered { status: 200 } => {
            "Spotify was asked to end the connection too, and does not say whether it did."
        }
        Revocation::Answered { .. } => {
            "Spotify was asked to end the connection too, and refused to."
        }
        Revocation::Failed { .. } => {
            "Spotify was to be asked to end the connection too, and could not be reached."
        }
    }
}

/// How long something works that was handed out before.
fn access(done: &LoggedOut, now: UnixMillis) -> String {
    let Some(until) = done.access_until else {
        return String::new();
    };
    let minutes = until.since(now).as_secs().div_ceil(60);
    let minutes = words::count(minutes, "minute");
    format!("Whoever was handed an access token before can use it for {minutes} more at most.")
}
