//! Waits on this machine for the browser that comes back from a login.
//!
//! The address of that request holds the authorization code, so nothing in here logs it, and the other
//! pages that a browser has open must not be able to reach it: the listener is bound to the loopback
//! address of the redirect URI alone, and a request whose Host is another name (DNS rebinding) is turned
//! away before anything else is looked at.

pub(crate) mod answers;
mod serve;

use std::{fmt, io, net::SocketAddr, time::Duration};

use refrain::oauth::{authorization::RedirectUri, origin::is_loopback};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use url::Host;

pub(crate) use refrain_server::page::Page;

/// Why nobody can wait for the callback here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// The callback leads to another machine, or is not plain http.
    #[error("the redirect URI {uri} does not lead to a loopback address of this machine")]
    NotHere {
        /// The redirect URI.
        uri: String,
    },
    /// Another program has the port.
    #[error("another program listens on {address}")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The program that has it is refrain's server, which finishes the logins of its own links and no others.
    #[error(
        "refrain's own server listens on {address}, and its page will not know this login; its dashboard \
         connects users without all this (`refrain dashboard`)"
    )]
    OwnServer {
        /// The address.
        address: SocketAddr,
    },
    /// The system refuses.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A socket that is open where a redirect URI leads to.
#[derive(Debug)]
pub(crate) struct CallbackListener {
    socket: TcpListener,
    redirect_uri: RedirectUri,
}

/// The callbacks as they come, until the login has ended or the patience. Dropping it closes
/// the socket.
#[derive(Debug)]
pub(crate) struct Callbacks {
    arrivals: mpsc::Receiver<Callback>,
    task: JoinHandle<()>,
}

/// One request to the redirection endpoint. A browser is waiting for its page.
pub(crate) struct Callback {
    query: String,
    answer: oneshot::Sender<Answer>,
}

struct Answer {
    page: Page,
    end: End,
}

/// What a callback means for the login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has succeeded.
    Success,
    /// It has come to nothing.
    Failure,
    /// It goes on.
    None,
}

// === impl CallbackListener ===

impl CallbackListener {
    /// Opens the socket that the redirect URI leads to; on a free port, where it names none.
    pub(crate) async fn bind(redirect_uri: &RedirectUri) -> Result<Self, BindError> {
        let url = redirect_uri.url();
        let not_here = || BindError::NotHere {
            uri: redirect_uri.to_string(),
        };
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
            Some(Host::Domain(_)) | None => return Err(not_here()),
        };
        if url.scheme() != "http" || !url.host().is_some_and(|host| is_loopback(&host)) {
            return Err(not_here());
        }
        // Where a port can be put in, none is there (RFC 8252 §7.3).
        let any_port = redirect_uri.with_port(1).is_some();
        let port = url.port_or_known_default().filter(|_| !any_port);
        let address = SocketAddr::new(ip, port.unwrap_or(0));
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Listen { address, source },
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?.port();
        let redirect_uri = match redirect_uri.with_port(bound) {
            Some(with_port) => with_port,
            None => redirect_uri.clone(),
        };
        Ok(Self {
            socket,
            redirect_uri,
        })
    }

    /// The redirect URI to send, with the port that was found.
    pub(crate) fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// Begins to answer, for as long as a person may take to consent.
    pub(crate) fn start(self, patience: Duration) -> Callbacks {
        let (sender, arrivals) = mpsc::channel(1);
        let endpoint = serve::Endpoint::new(&self.redirect_uri);
        let task = tokio::spawn(serve::serve(self.socket, endpoint, sender, patience));
        Callbacks { arrivals, task }
    }
}

// === impl Callbacks ===

impl Callbacks {
    /// The next callback; `None` when the patience ends, or after one was accepted.
    ///
    /// # Cancel safety
    ///
    /// Cancelling loses no callback.
    pub(crate) async fn next(&mut self) -> Option<Callback> {
        self.arrivals.recv().await
    }

    /// Waits until the browser has its page, after a callback was accepted or has failed.
    pub(crate) async fn finish(mut self) {
        self.arrivals.close();
        // Those who wait in vain learn it now.
        while self.arrivals.try_recv().is_ok() {}
        // It has logged nothing and holds nothing; whether it ended well changes nothing.
        drop((&mut self.task).await);
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Callback ===

impl Callback {
    /// The part of the address after `?`. It holds the authorization code.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// Shows the page, and lets nobody else in.
    pub(crate) fn accept(self, page: Page) {
        self.reply(page, End::Success);
    }

    /// Shows the page of a login that has come to nothing, and lets nobody else in.
    pub(crate) fn fail(self, page: Page) {
        self.reply(page, End::Failure);
    }

    /// Shows the page, and goes on waiting: whoever sent this was not the browser of this login.
    pub(crate) fn refuse(self, page: Page) {
        self.reply(page, End::None);
    }

    fn reply(self, page: Page, end: End) {
        // The browser may be gone; the login goes on all the same.
        drop(self.answer.send(Answer { page, end }));
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(redacted)")
    }
}

#[cfg(test)]
mod tests;
