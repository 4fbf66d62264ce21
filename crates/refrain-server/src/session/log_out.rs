//! `POST /session/logout`: ends the session of this browser, or all of its user's.
//!
//! With the last session of a user goes what is kept of them: nobody is left who could use the tokens.

use http::{HeaderValue, Response, StatusCode, header};
use refrain::{
    json::LoggedOutJson,
    keeper::logout::LoggedOut,
    session::{LocalPath, SessionToken},
    time::UnixMillis,
    words,
};
use serde::Serialize;

use super::{cookie as own_cookie, log_in, told, user, ways};
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
    /// How many browsers of the user are signed in still.
    sessions_left: u64,
    /// What became of the grant, where it has gone too.
    disconnected: Option<LoggedOutJson<'a>>,
}

pub(super) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    log_in::app(visit)?;
    visit.check_proven_page()?;
    let everywhere = is_everywhere(visit.query());
    let (left, done) = match user::shown(visit)? {
        Some(token) => end(visit, token, everywhere).await?,
        None => (0, None),
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

/// Ends the session, and where it was the last one, or all are to go, signs the grant out. Answers how many
/// are left.
async fn end(
    visit: &Visit<'_>,
    token: SessionToken,
    everywhere: bool,
) -> Result<(u64, Option<LoggedOut>), Fault> {
    let Some(user) = user::identify(visit, &token).await? else {
        return Ok((0, None));
    };
    let (name, id) = (user.grant().name().clone(), user.session().clone());
    let (grant, ending) = (name.clone(), id.clone());
    let done = visit.ask(|refrain| async move { refrain.leave(&ending, &grant, everywhere).await });
    let done = done.await;
    let shared = visit.shared();
    shared.sessions().forget(&id);
    let result = done.as_ref().map_or_else(Fault::code, |_| "done");
    let told = (result, visit.id().text(), shared.clock().wall());
    let (caller, audit) = (format!("session:{id}"), shared.audit());
    audit.note(Action::SignedOut, caller, Subject::Grant(name), told);
    done
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

fn page(left: u64, done: Option<&LoggedOut>, now: UnixMillis) -> Page {
    let title = "You are signed out".to_owned();
    let Some(done) = done else {
        let text = match left {
            0 => "This browser was signed out already.",
            _ => {
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
            words::logout::revocation(&done.revocation),
            words::logout::access(done, now),
        ),
        next: "Spotify may still list the app among those that you have agreed to, and there you can take \
               it from the list. If you sign in again, you are asked for your consent again."
            .to_owned(),
    }
}
