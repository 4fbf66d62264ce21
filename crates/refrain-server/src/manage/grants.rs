//! Grants: how they stand, why, and what a person does to them.

use http::{Response, StatusCode};
use refrain::{Summary, id::GrantName, json::LoggedOutJson, store::Unreadable};

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
pub(super) fn name(grant: &Result<Summary, Unreadable>) -> &GrantName {
    match grant {
        Ok(grant) => &grant.name,
        Err(unreadable) => &unreadable.name,
    }
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
