//! Grants: how they stand, why, and what a person does to them.

use std::sync::Arc;

use http::{Response, StatusCode};
use refrain::{
    Grant, Summary,
    id::GrantName,
    json::LoggedOutJson,
    keeper::{Live, logout::LoggedOut},
    store::Unreadable,
};

use super::{
    Asked,
    content::{self, Nothing},
    json,
    page::{self, Page},
    query,
    shape::{GrantJson, GrantsJson, RefreshedJson, StoryJson, UnreadableJson},
};
use crate::{
    audit::{Action, Subject},
    body::{Answer, Sent},
    errand::Errand,
    fault::Fault,
};

/// `GET grants`: those that the caller reaches, by name and a page at a time. One that cannot be read stands
/// beside them.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let page = Page::asked(&asked.head.uri)?;
    let after: Option<GrantName> = page
        .after()
        .map(|name| name.parse().map_err(|_| query::bad("after is no name")))
        .transpose()?;
    let (of, most) = (asked.caller.grants().clone(), page.and_one());
    let read = asked.ask(|refrain| async move { refrain.page(&of, after.as_ref(), most).await });
    let mut read = read.await?.map_err(|error| asked.fault(&error))?;
    let next = page.cut(asked.entry.path(), &mut read, |it| name(it).as_str());
    let (shared, now) = (asked.shared(), asked.shared().clock().now());
    let (gates, parts) = (shared.gates().list(), shared.refrain().parts());
    let (mut grants, mut unreadable) = (Vec::new(), Vec::new());
    for grant in &read {
        match grant {
            Ok(grant) => grants.push(GrantJson::of(grant, &gates, parts, &now)),
            Err(Unreadable { name, why }) => unreadable.push(UnreadableJson {
                grant: name.as_str(),
                code: why.code(),
            }),
        }
    }
    let told = GrantsJson {
        grants,
        unreadable,
        next,
    };
    let answer = json(StatusCode::OK, &told)?;
    Ok(page::linked(answer, told.next.as_deref()))
}

/// The name of a grant, which is there whether it can be read or not.
pub(crate) fn name(grant: &Result<Summary, Unreadable>) -> &GrantName {
    match grant {
        Ok(grant) => &grant.name,
        Err(unreadable) => &unreadable.name,
    }
}

/// `GET grants/{name}`.
pub(super) async fn show(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let grant = asked.named_grant()?;
    let read = asked.ask(|_| async move { grant.summary().await });
    let grant = read.await?.map_err(|error| asked.fault(&error))?;
    let (shared, now) = (asked.shared(), asked.shared().clock().now());
    let (gates, parts) = (shared.gates().list(), shared.refrain().parts());
    json(StatusCode::OK, &GrantJson::of(&grant, &gates, parts, &now))
}

/// `GET grants/{name}/story`: what `refrain why` tells.
pub(super) async fn story(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let grant = asked.named_grant()?;
    let read = asked.ask(|_| async move { grant.why().await });
    let why = read.await?.map_err(|error| asked.fault(&error))?;
    json(StatusCode::OK, &StoryJson::of(&why))
}

/// `POST grants/{name}/refresh`: now, because a person asks.
pub(super) async fn refresh(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let Nothing {} = content::read_or_default(&asked.head.headers, body).await?;
    let grant = asked.named_grant()?;
    let name = grant.name().clone();
    let live = refresh_now(asked, grant).await?;
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
    let done = log_out_now(asked, asked.named_grant()?).await?;
    let now = asked.shared().clock().wall();
    json(StatusCode::OK, &LoggedOutJson::of(&done, now))
}

/// Refreshes a grant, whatever its state, and notes it.
pub(crate) async fn refresh_now(errand: &Errand<'_>, grant: Grant) -> Result<Arc<Live>, Fault> {
    let name = grant.name().clone();
    let refreshed = errand.ask(|_| async move { grant.refresh().await }).await?;
    errand.note(Action::Refresh, Subject::Grant(name), &refreshed);
    refreshed.map_err(|error| errand.fault(&error))
}

/// Signs a grant out, and notes it.
pub(crate) async fn log_out_now(errand: &Errand<'_>, grant: Grant) -> Result<LoggedOut, Fault> {
    let name = grant.name().clone();
    let done = errand.ask(|_| async move { grant.logout().await }).await?;
    errand.note(Action::Logout, Subject::Grant(name), &done);
    done.map_err(|error| errand.fault(&error))
}
