//! Somebody with a browser who opens a page, or presses a button on one.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, request::Parts};

use crate::{
    authority::{self, Authorities},
    connection::Connection,
    fault::Fault,
    request_id::RequestId,
    route::table::{Entry, Route},
    server::Shared,
};

/// What a browser asks for.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    head: &'a Parts,
    entry: &'static Entry,
    connection: &'a Connection,
    id: &'a RequestId<'a>,
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

    pub(crate) fn shared(&self) -> &'a Shared {
        self.connection.shared()
    }

    pub(crate) fn id(&self) -> &'a RequestId<'a> {
        self.id
    }

    /// The line of the table that it is about.
    pub(crate) fn entry(&self) -> &'static Entry {
        self.entry
    }

    pub(crate) fn route(&self) -> Route {
        self.entry.route()
    }

    pub(crate) fn method(&self) -> &'a Method {
        &self.head.method
    }

    pub(crate) fn headers(&self) -> &'a HeaderMap {
        &self.head.headers
    }

    /// What stands in the path in the place of the parameter.
    pub(crate) fn parameter(&self) -> Option<&'a str> {
        self.entry.parameter(self.head.uri.path())
    }

    pub(crate) fn query(&self) -> &'a str {
        self.head.uri.query().unwrap_or_default()
    }

    /// The host and port that the browser has in its address bar.
    pub(crate) fn host(&self) -> Result<&'a str, Fault> {
        let Parts {
            headers,
            uri,
            version,
            ..
        } = self.head;
        authority::host_of(headers, uri, *version)
    }

    pub(crate) fn authorities(&self) -> &'a Authorities {
        self.connection.authorities()
    }

    /// Refuses what another page has the browser send, whichever listener it comes to.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check_page(&self) -> Result<(), Fault> {
        if self.authorities().is_own_page(self.headers(), self.host()?) {
            return Ok(());
        }
        Err(authority::foreign_page())
    }

    /// The same where silence is not enough: what comes with a cookie has to prove where it comes from.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check_proven_page(&self) -> Result<(), Fault> {
        let site = self.headers().get("sec-fetch-site");
        let site = site.map(HeaderValue::as_bytes) == Some(b"same-origin");
        if site || self.headers().contains_key("origin") {
            return self.check_page();
        }
        Err(authority::foreign_page())
    }

    /// Notes that a link was tried which is not known. Answers how long its peer has to wait, where it has
    /// tried too many.
    pub(crate) fn tried_in_vain(&self) -> Option<Duration> {
        let (peer, now) = (self.connection.peer(), self.shared().clock().uptime());
        self.shared().doors().failed(peer, now)
    }
}
