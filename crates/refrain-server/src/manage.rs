//! `/refrain/v1/*` and `/metrics`: what refrain itself can be asked and told, in JSON.
//!
//! A key reaches the grants that it names, here as everywhere; one that is made for all grants reaches
//! everything. A grant that a key does not reach is answered alike whether it exists or not, and a key can
//! be made, seen or revoked by those alone who reach whatever it reaches.

mod calendar;
mod content;
mod events;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod links;
mod metrics;
mod notices;
mod page;
mod query;
mod shape;
mod token;

use std::ops::Deref;

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use refrain::Grant;
use serde::Serialize;

use crate::{
    body::{Answer, Sent},
    errand::Errand,
    fault::{Fault, code},
    route::table::{Entry, Route},
};

/// The document that describes all this, for programs.
const OPENAPI: &str = include_str!("manage/openapi.json");

/// A request that may be made, without its body.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    head: &'a Parts,
    entry: &'static Entry,
    errand: Errand<'a>,
}

/// Answers it.
pub(crate) async fn answer(asked: &Asked<'_>, body: Sent) -> Result<Response<Answer>, Fault> {
    let method = &asked.head.method;
    match asked.entry.route() {
        Route::Token if method == Method::POST => token::told_how(asked, body).await,
        Route::Token => token::give(asked).await,
        Route::Grants => grants::list(asked).await,
        Route::Grant if method == Method::DELETE => grants::log_out(asked).await,
        Route::Grant => grants::show(asked).await,
        Route::Story => grants::story(asked).await,
        Route::Refresh => grants::refresh(asked, body).await,
        Route::Keys if method == Method::POST => keys::create(asked, body).await,
        Route::Keys => keys::list(asked).await,
        Route::Key => keys::revoke(asked).await,
        Route::Links => links::create(asked, body).await,
        Route::Events => events::list(asked),
        Route::Notices => notices::list(asked).await,
        Route::NoticesTest => notices::test(asked, body).await,
        Route::Calendar => calendar::show(asked).await,
        Route::OpenApi => Ok(told(StatusCode::OK, "application/json", OPENAPI)),
        Route::Metrics => metrics::tell(asked).await,
        Route::Api
        | Route::TokenEndpoint
        | Route::Healthz
        | Route::Readyz
        | Route::Connect
        | Route::Callback
        | Route::SignIn
        | Route::SessionLogin
        | Route::SessionLogout
        | Route::Session
        | Route::Root
        | Route::File(_)
        | Route::Dashboard(_) => Err(Fault::request(
            StatusCode::NOT_FOUND,
            code::NO_SUCH_PATH,
            "there is nothing to be managed at this path",
            "look at /refrain/v1/openapi.json",
        )),
    }
}

impl<'a> Asked<'a> {
    pub(crate) fn new(head: &'a Parts, entry: &'static Entry, errand: Errand<'a>) -> Self {
        Self {
            head,
            entry,
            errand,
        }
    }

    /// What the path has in the place of its parameter.
    fn parameter(&self) -> &'a str {
        let path = self.head.uri.path();
        self.entry.parameter(path).unwrap_or_default()
    }

    /// The grant that the path names, if the caller reaches it.
    fn named_grant(&self) -> Result<Grant, Fault> {
        self.grant(self.parameter())
    }
}

impl<'a> Deref for Asked<'a> {
    type Target = Errand<'a>;

    fn deref(&self) -> &Errand<'a> {
        &self.errand
    }
}

/// An answer in JSON.
fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Answer>, Fault> {
    let bytes = serde_json::to_vec(value).map_err(|_| {
        let (code, what) = (code::INTERNAL, "the answer could not be written");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Fault::request(status, code, what, "report this")
    })?;
    Ok(told(status, "application/json", bytes))
}

/// An answer that nobody on its way keeps.
fn told(status: StatusCode, kind: &'static str, body: impl Into<bytes::Bytes>) -> Response<Answer> {
    let mut answer = Response::new(Answer::own(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
