//! Connect links, for programs that have their users consent.

use std::time::Duration;

use http::{Response, StatusCode};
use refrain::{
    Error,
    config::ReturnTo,
    connect::{ConnectLink, LinkRecord},
    id::{AppName, GrantName},
    keeper::{
        Problem,
        links::{LinkError, NewLink, USUAL_LIFE},
    },
    oauth::scope::Scope,
};
use serde::{Deserialize, Serialize};

use super::{Asked, content, json};
use crate::{
    audit::{Action, Subject},
    body::{Answer, Sent},
    errand::Errand,
    fault::{
        Fault,
        code::{self, Code},
    },
};

/// What a caller says about a link that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    grant: GrantName,
    #[serde(default)]
    app: Option<AppName>,
    #[serde(default)]
    scopes: Option<Scope>,
    #[serde(default)]
    return_to: Option<String>,
    #[serde(default)]
    reconnect: Option<bool>,
    /// In seconds.
    #[serde(default, deserialize_with = "content::whole")]
    expires_in: Option<u64>,
}

/// The only answer with a link in it.
#[derive(Serialize)]
struct Json<'a> {
    url: String,
    link: &'a str,
    grant: &'a str,
    app: &'a str,
    scopes: Vec<&'a str>,
    reconnect: bool,
    expires_at: String,
}

/// `POST connect-links`: the link is in the answer and nowhere else.
pub(super) async fn create(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let new: New = content::read(&asked.head.headers, body).await?;
    asked.caller.reached(&new.grant, asked.shared())?;
    let return_to = new.return_to.as_deref().map(|url| allowed(asked, url));
    let return_to = return_to.transpose()?;
    let Place { app, origin } = place(asked, &new.grant, new.app).await?;
    let new = NewLink {
        grant: new.grant,
        app: Some(app),
        scope: new.scopes,
        return_to,
        reconnect: new.reconnect,
        lifetime: new.expires_in.map_or(USUAL_LIFE, Duration::from_secs),
    };
    let (link, record) = make(asked, new).await?;
    json(
        StatusCode::CREATED,
        &Json {
            url: url(&origin, &link),
            link: record.id.as_str(),
            grant: record.terms.grant.as_str(),
            app: record.terms.app.as_str(),
            scopes: record.terms.scope.iter().collect(),
            reconnect: record.terms.reconnect,
            expires_at: record.expires_at.to_string(),
        },
    )
}

/// The app that asks, and the origin at which its users consent.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) app: AppName,
    pub(crate) origin: String,
}

/// Where a grant is consented to; the app is the grant's own, or the only one, where none is named.
pub(crate) async fn place(
    errand: &Errand<'_>,
    grant: &GrantName,
    app: Option<AppName>,
) -> Result<Place, Fault> {
    let app = if let Some(app) = app {
        app
    } else {
        let name = grant.clone();
        errand
            .read(|refrain| async move { refrain.app_for(&name).await })
            .await?
    };
    let shared = errand.shared();
    let origin = shared.front().origin(shared.refrain(), &app)?;
    Ok(Place { app, origin })
}

/// Makes a link, and notes it.
pub(crate) async fn make(
    errand: &Errand<'_>,
    new: NewLink,
) -> Result<(ConnectLink, LinkRecord), Fault> {
    let made = errand.ask(|refrain| async move { refrain.create_link(new).await });
    let (link, record) = made.await?.map_err(|error| refused(errand, &error))?;
    errand.note(Action::LinkCreated, Subject::link(&record), &Ok(()));
    Ok((link, record))
}

/// What its user opens.
pub(crate) fn url(origin: &str, link: &ConnectLink) -> String {
    format!("{origin}/connect/{}", link.expose())
}

/// A place that the configuration allows to send users to.
fn allowed(asked: &Asked<'_>, url: &str) -> Result<ReturnTo, Fault> {
    let bad = |what: String, fix: &str| {
        let code = code::RETURN_TO_NOT_ALLOWED;
        Fault::request(StatusCode::BAD_REQUEST, code, what, fix)
    };
    let url: ReturnTo = url.parse().map_err(|error| {
        bad(
            format!("return_to: {error}"),
            "write it as browsers show it",
        )
    })?;
    if !asked.shared().front().may_send_to(&url) {
        let what = format!(
            "the configuration does not allow to send users to {}",
            url.origin()
        );
        let fix = "add its origin, or the URL without query, to server.return_to";
        return Err(bad(what, fix));
    }
    Ok(url)
}

/// What stands in the way of a link.
fn refused(errand: &Errand<'_>, error: &Error) -> Fault {
    match error.problem() {
        Problem::Link(LinkError::GrantThere { .. }) => {
            let told = error.explain();
            Fault::request(
                StatusCode::CONFLICT,
                Code::told(told.code),
                told.what,
                told.fix,
            )
        }
        _ => errand.fault(error),
    }
}
