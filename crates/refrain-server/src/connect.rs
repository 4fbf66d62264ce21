//! `/connect/{link}` and `/callback`: a user consents in a browser.
//!
//! ```text
//! GET  /connect/{link}   who asks, and for what; changes nothing
//! POST /connect/{link}   uses the link up, gives the browser a cookie, sends it to Spotify
//! GET  /callback         finishes the login of the browser with that cookie, sends it back to the app
//! ```
//!
//! No page and no log has link, code, state or cookie in it.

pub(crate) mod ask;
mod back;
mod begin;
pub(crate) mod cookie;

use http::{Method, Response, StatusCode};
use refrain::{
    Error, Kind, Refrain,
    connect::{ConnectLink, LinkRecord},
    id::AppName,
    keeper::{Problem, links::LinkError},
};

use crate::{
    authority,
    body::Answer,
    fault::{
        Fault,
        code::{self, Code},
    },
    route::table::Route,
    visit::Visit,
};

/// Answers a visit. What a form sends besides is not looked at.
pub(crate) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    match visit.route() {
        Route::Callback => back::finish(visit).await,
        _ if visit.method() == Method::POST => begin::begin(visit).await,
        _ => ask::show(visit).await,
    }
}

impl Visit<'_> {
    /// The link that the path holds, what it asks for, and the origin at which it is to be opened.
    async fn link(&self) -> Result<(ConnectLink, LinkRecord, String), Fault> {
        let text = self.parameter();
        let link = text.and_then(ConnectLink::parse);
        let link = link.ok_or_else(|| self.fault(&LinkError::Unknown.into()))?;
        let opened = link.clone();
        let record = self
            .ask(|refrain| async move { refrain.open_link(&opened).await })
            .await?;
        let origin = self.opened_at(&record.terms.app)?;
        Ok((link, record, origin))
    }

    /// The origin at which the users of an app consent, where the browser is there.
    pub(crate) fn opened_at(&self, app: &AppName) -> Result<String, Fault> {
        let shared = self.shared();
        let origin = shared.front().origin(shared.refrain(), app);
        let origin = origin.map_err(|fault| {
            let code = fault.code();
            tracing::warn!(%app, code, "users of an app cannot consent");
            Fault::request(
                StatusCode::CONFLICT,
                Code::told(code),
                "the app that sent you here is not set up so that its users can connect",
                "tell whoever runs it",
            )
        })?;
        let authority = authority::of_origin(&origin);
        if !authority.eq_ignore_ascii_case(self.host()?) {
            // The cookie that is set here would not come back with the answer.
            return Err(Fault::request(
                StatusCode::MISDIRECTED_REQUEST,
                code::WRONG_HOST,
                "this is to be opened at another address",
                format!("open it at {origin}, with the rest of the address as it is"),
            ));
        }
        Ok(origin)
    }

    /// Asks the library, where it outlives this connection.
    pub(crate) async fn ask<T, F>(&self, work: impl FnOnce(Refrain) -> F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let asking = work(self.shared().refrain().clone());
        let answer = self.shared().at_home(asking).await?;
        answer.map_err(|error| self.fault(&error))
    }

    /// An error of the library for somebody who has a browser and nothing else. What is wrong with this
    /// machine is for the log.
    fn fault(&self, error: &Error) -> Fault {
        let told = error.explain();
        if matches!(error.problem(), Problem::Link(LinkError::Unknown))
            && let Some(wait) = self.tried_in_vain()
        {
            return Fault::too_many_links(wait);
        }
        let status = match error.problem() {
            Problem::Link(_) => StatusCode::GONE,
            _ => status_of(error.kind()),
        };
        let what = match error.problem() {
            Problem::Link(_) => format!("{} ({})", told.what, told.safe),
            Problem::Login(_) => error.what_for_visitor(),
            _ => {
                tracing::warn!(code = told.code, %error, "a login in a browser has come to nothing");
                format!("refrain could not do its part ({})", told.code)
            }
        };
        Fault::request(status, Code::told(told.code), what, error.fix_for_visitor())
    }
}

/// Nobody is told to show credentials here, so that it is never a 401.
fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Usage | Kind::Reauthorize => StatusCode::BAD_REQUEST,
        Kind::NotPermitted => StatusCode::FORBIDDEN,
        Kind::Configuration => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::TryLater | Kind::Storage => StatusCode::SERVICE_UNAVAILABLE,
    }
}
