//! Grants: how they stand, why, and what a person does to them.

use http::{Response, StatusCode};
use refrain::json::LoggedOutJson;
use serde::Deserialize;

use super::{
    Asked, content, json,
    shape::{GrantJson, GrantsJson, RefreshedJson, StoryJson},
};
use crate::{
    audit::{Action, Subject},
    body::{Answer, Sent},
    fault::Fault,
};

/// Nothing is to be said about a refresh.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `GET grants`: those that the caller reaches.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let read = asked.ask(|refrain| async move { refrain.grants().await });
    let mut grants = read.await?.map_err(|error| asked.fault(&error))?;
    grants.retain(|grant| asked.caller.reaches(&grant.name));
    let (shared, now) = (asked.shared(), asked.shared().clock().now());
    let gates = shared.gates().list();
    let parts = shared.refrain().parts();
    let grants = grants
        .iter()
        .map(|it| GrantJson::of(it, &gates, parts, &now));
    let grants = grants.collect();
    json(StatusCode::OK, &GrantsJson { grants })
}

/// `GET grants/{name}`.
pub(super) async fn show(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let grant = asked.grant()?;
    let read = asked.ask(|_| async move { grant.summary().await });
    let grant = read.await?.map_err(|error| asked.fault(&error))?;
    let (shared, now) = (asked.shared(), asked.shared().clock().now());
    let (gates, parts) = (shared.gates().list(), shared.refrain().parts());
    json(StatusCode::OK, &GrantJson::of(&grant, &gates, parts, &now))
}

/// `GET grants/{name}/story`: what `refrain why` tells.
pub(super) async fn story(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let grant = asked.grant()?;
    let read = asked.ask(|_| async move { grant.why().await });
    let why = read.await?.map_err(|error| asked.fault(&error))?;
    json(StatusCode::OK, &StoryJson::of(&why))
}

/// `POST grants/{name}/refresh`: now, because a person asks.
pub(super) async fn refresh(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let Nothing {} = content::read_or_default(&asked.head.headers, body).await?;
    let grant = asked.grant()?;
    let name = grant.name().clone();
    let refreshed = asked.ask(|_| async move { grant.refresh().await }).await?;
    asked.note(Action::Refresh, Subject::Grant(name.clone()), &refreshed);
    let live = refreshed.map_err(|error| asked.fault(&error))?;
    json(
        StatusCode::OK,
        &RefreshedJson {
            grant: name.as_str(),
            token_expires_at: live.expires_at().to_string(),
        },
    )
}

/// `DELETE grants/{name}`: the logout.
pub(super) async fn log_out(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let grant = asked.grant()?;
    let name = grant.name().clone();
    let done = asked.ask(|_| async move { grant.logout().await }).await?;
    asked.note(Action::Logout, Subject::Grant(name), &done);
    let done = done.map_err(|error| asked.fault(&error))?;
    let now = asked.shared().clock().wall();
    json(StatusCode::OK, &LoggedOutJson::of(&done, now))
}
