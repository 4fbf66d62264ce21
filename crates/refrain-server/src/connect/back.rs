//! The end of a login: the browser comes back from the provider, and goes on to the app.

use http::{HeaderValue, Method, Response, StatusCode, header};
use refrain::{
    Error, keeper::links::Returned, oauth::authorization::AuthorizationResponse,
    secret::AuthorizationState,
};

use super::cookie;
use crate::{
    audit::{Action, Subject},
    body::Answer,
    cookie::{is_secure, unwritable},
    fault::{Fault, Shape},
    page::{FOOTER, Way, login, see_other},
    session::{log_in, ways},
    visit::Visit,
};

/// `GET /callback`.
pub(super) async fn finish(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    let query = visit.query();
    // Whoever asks what reading would bring must not use the answer up.
    if visit.method() == Method::HEAD {
        return Ok(not_ours(visit));
    }
    // Read once more when the login is finished; here it is the state that counts.
    let Ok(AuthorizationResponse { state, .. }) = AuthorizationResponse::from_query(query) else {
        return Ok(not_ours(visit));
    };
    let secure = is_secure(visit.host()?);
    let Some(browser) = cookie::held(visit.headers(), &state, secure) else {
        return Ok(not_ours(visit));
    };
    let query = query.to_owned();
    let returned = visit
        .ask(|refrain| async move { refrain.finish_link(&query, &browser).await })
        .await
        // What it was is not known any more.
        .map_err(|fault| fault.offering(way_in(visit)))?;
    note(visit, &returned);
    let mut answer = match (&returned.session, &returned.result) {
        (Some(path), Ok(done)) => {
            let (grant, carried) = (done.grant.clone(), returned.carried.clone());
            log_in::finish(visit, grant, carried, path)
                .await
                .map_err(|fault| fault.offering(ways::again(path)))?
        }
        (Some(path), Err(error)) if log_in::is_not_asked(error) => {
            let asking = log_in::ask_anew(visit, path.clone()).await;
            asking.map_err(|fault| fault.offering(ways::again(path)))?
        }
        _ => sent_on(visit, returned)?,
    };
    clear(&mut answer, &state, secure);
    Ok(answer)
}

/// The answer belongs to no login of this browser: nothing was looked at, and nothing is used up.
fn not_ours(visit: &Visit<'_>) -> Response<Answer> {
    let ways = way_in(visit);
    let page = if ways.is_empty() {
        login::not_ours()
    } else {
        login::not_ours_or_late()
    };
    let mut page = page.answer_with(StatusCode::BAD_REQUEST, &ways);
    // So that whoever looks for refrain at this address knows that it is here.
    page.headers_mut()
        .insert("refrain-error", HeaderValue::from_static("login_over"));
    page.map(Answer::own)
}

/// The way in for users of an app, where there is one: a login that nobody knows was most often theirs.
fn way_in(visit: &Visit<'_>) -> Vec<Way> {
    let app = visit.shared().front().sessions();
    app.map(|_| ways::in_or_home()).unwrap_or_default()
}

fn note(visit: &Visit<'_>, returned: &Returned) {
    let Some(link) = &returned.link else {
        return;
    };
    let shared = visit.shared();
    let result = returned
        .result
        .as_ref()
        .map_or_else(Error::code, |_| "done");
    let told = (result, visit.id().text(), shared.clock().wall());
    let subject = Subject::Link(link.clone(), returned.grant.clone());
    let caller = format!("link:{link}");
    shared
        .audit()
        .note(Action::Connected, caller, subject, told);
}

/// To the app, where there is one to go to; else a page says what came of it.
fn sent_on(visit: &Visit<'_>, returned: Returned) -> Result<Response<Answer>, Fault> {
    let Returned {
        grant,
        return_to,
        session,
        result,
        ..
    } = returned;
    // The configuration may have changed since the link was made.
    let front = visit.shared().front();
    if let Some(place) = return_to.filter(|it| front.may_send_to(it) || front.leads_home(it)) {
        let grant = ("grant", grant.as_str());
        let place = match &result {
            Ok(_) => place.with(&[("refrain", "connected"), grant]),
            Err(error) => place.with(&[("error", error.code()), grant]),
        };
        let answer = see_other(&place).ok_or_else(unwritable)?;
        return Ok(answer.map(Answer::own));
    }
    Ok(match result {
        Ok(done) => login::success(&done)
            .answer(StatusCode::OK, FOOTER)
            .map(Answer::own),
        Err(error) => {
            let ways = session.as_ref().map(ways::again).unwrap_or_default();
            visit.fault(&error).offering(ways).answer(Shape::Page)
        }
    })
}

fn clear(answer: &mut Response<Answer>, state: &AuthorizationState, secure: bool) {
    if let Some(gone) = cookie::take_away(state, secure) {
        answer.headers_mut().append(header::SET_COOKIE, gone);
    }
}
