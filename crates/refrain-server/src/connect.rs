//! `/connect/{link}` and `/callback`: a user consents in a browser.
//!
//! ```text
//! GET  /connect/{link}   who asks, and for what; changes nothing
//! POST /connect/{link}   uses the link up, gives the browser a cookie, sends it to Spotify
//! GET  /callback         finishes the login of the browser with that cookie, sends it back to the app
//! ```
//!
//! No page and no log has link, code, state or cookie in it.

mod ask;
mod back;
mod begin;
mod cookie;

use http::{Method, Response, StatusCode, request::Parts};
use refrain::{
    Error, Kind, Refrain,
    connect::{ConnectLink, LinkRecord},
    keeper::{Problem, links::LinkError},
};

use crate::{
    authority,
    body::Answer,
    connection::Connection,
    fault::Fault,
    request_id::RequestId,
    route::table::{Entry, Route},
    server::Shared,
};

/// Somebody with a browser.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    head: &'a Parts,
    entry: &'static Entry,
    connection: &'a Connection,
    id: &'a RequestId<'a>,
}

/// Answers a visit. What a form sends besides is not looked at.
pub(crate) async fn answer(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    match visit.entry.route() {
        Route::Callback => back::finish(visit).await,
        _ if visit.head.method == Method::POST => begin::begin(visit).await,
        _ => ask::show(visit).await,
    }
}

impl<'a> Visit<'a> {
    pub(crate) fn new(
        head: &'a Parts,
        entry: &'static Entry,
        connection: &'a Connection,
        id: &'a RequestId<'a>,
    ) -> Self {
        Self {
            head,
            entry,
            connection,
            id,
        }
    }

    fn shared(&self) -> &'a Shared {
        self.connection.shared()
    }

    /// The host and port that the browser has in its address bar.
    fn host(&self) -> Result<&'a str, Fault> {
        let Parts {
            headers,
            uri,
            version,
            ..
        } = self.head;
        authority::host_of(headers, uri, *version)
    }

    /// The link that the path holds, what it asks for, and the origin at which it is to be opened.
    async fn link(&self) -> Result<(ConnectLink, LinkRecord, String), Fault> {
        let text = self.entry.parameter(self.head.uri.path());
        let link = text.and_then(ConnectLink::parse);
        let link = link.ok_or_else(|| self.fault(&LinkError::Unknown.into()))?;
        let opened = link.clone();
        let record = self
            .ask(|refrain| async move { refrain.open_link(&opened).await })
            .await?;
        let shared = self.shared();
        let origin = shared.front().origin(shared.refrain(), &record.terms.app);
        let origin = origin.map_err(|fault| {
            let code = fault.code();
            tracing::warn!(link = %record.id, code, "a link cannot be opened");
            Fault::request(
                StatusCode::CONFLICT,
                code,
                "the app that sent you here is not set up so that its users can connect",
                "tell whoever runs it",
            )
        })?;
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        if !authority.eq_ignore_ascii_case(self.host()?) {
            // The cookie that is set here would not come back with the answer.
            return Err(Fault::request(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "this link is to be opened at another address",
                format!("open it at {origin}, with the rest of the address as it is"),
            ));
        }
        Ok((link, record, origin))
    }

    /// Asks the library, where it outlives this connection.
    async fn ask<T, F>(&self, work: impl FnOnce(Refrain) -> F) -> Result<T, Fault>
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
        if matches!(error.problem(), Problem::Link(LinkError::Unknown)) {
            let (peer, now) = (self.connection.peer(), self.shared().clock().uptime());
            if let Some(wait) = self.shared().doors().failed(peer, now) {
                let what = "too many links that are not known were tried from there";
                let (status, code) = (StatusCode::TOO_MANY_REQUESTS, "too_many_links");
                return Fault::request(status, code, what, "wait a minute").after(wait);
            }
        }
        let status = match error.problem() {
            Problem::Link(_) => StatusCode::GONE,
            _ => status_of(error.kind()),
        };
        let what = match error.problem() {
            Problem::Link(_) | Problem::Login(_) => format!("{} ({})", told.what, told.safe),
            _ => {
                tracing::warn!(code = told.code, %error, "a login in a browser has come to nothing");
                format!("refrain could not do its part ({})", told.code)
            }
        };
        Fault::request(status, told.code, what, error.fix_for_visitor())
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
