//! `GET /session`: who is signed in, for the page that asks.

use http::{HeaderValue, Response, StatusCode, header};
use refrain::{lifecycle::Status, time::UnixMillis};
use serde::Serialize;

use super::{log_in, user};
use crate::{body::Answer, cookie::unwritable, fault::Fault, visit::Visit};

#[derive(Default, Serialize)]
struct Told {
    signed_in: bool,
    /// What the user calls themselves, and Spotify's id of the account.
    user: Option<String>,
    account_id: Option<String>,
    scopes: Vec<String>,
    /// Whether they have to sign in again before the Web API answers, and why.
    needs_login: bool,
    reason: Option<&'static str>,
    reauthorize_by: Option<String>,
    days_left: Option<u64>,
    session_ends_at: Option<String>,
}

pub(super) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    log_in::app(visit)?;
    let Some(user) = user::of(visit).await? else {
        return json(&Told::default());
    };
    let answered = told(visit, &user).await.and_then(|told| json(&told));
    user.carry_on(visit.shared(), answered).await
}

async fn told(visit: &Visit<'_>, user: &user::User) -> Result<Told, Fault> {
    let grant = user.grant().clone();
    let summary = visit.ask(|_| async move { grant.summary().await }).await?;
    let now = visit.shared().clock().wall();
    let by: Option<UnixMillis> = summary.consent.map(|it| it.reauthorize_by);
    let reason = match &summary.status {
        Status::Active | Status::Suspect(_) => None,
        Status::Reauthorize { reason, .. } => Some(reason.word()),
        Status::SignedOut { .. } => Some("signed_out"),
    };
    let account = summary.account;
    Ok(Told {
        signed_in: true,
        user: account.as_ref().and_then(|it| it.display_name.clone()),
        account_id: account.map(|it| it.id),
        scopes: summary.scope.iter().map(str::to_owned).collect(),
        needs_login: reason.is_some(),
        reason,
        reauthorize_by: by.map(|it| it.to_string()),
        days_left: by.map(|it| it.since(now).as_secs() / 86_400),
        session_ends_at: Some(user.ends_at().to_string()),
    })
}

/// An answer about one user, which nobody on its way keeps.
pub(super) fn json(told: &impl Serialize) -> Result<Response<Answer>, Fault> {
    let text = serde_json::to_string(told).map_err(|_| unwritable())?;
    let mut answer = Response::new(Answer::own(text));
    *answer.status_mut() = StatusCode::OK;
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    let none = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, none);
    Ok(answer)
}
