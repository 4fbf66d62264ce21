//! One connection: who is at the other end, and its requests, one after the other.

use std::{
    convert::Infallible,
    fmt,
    hash::{DefaultHasher, Hash, Hasher as _},
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use refrain::{Grant, access::ApiKey, keeper::Live, time::Uptime};
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{
    authority::Authorities,
    body::Answer,
    fault::Fault,
    listen::{
        paced::Paced,
        pulse::{Pulse, stream::Streams},
    },
    proxy::{prepared::Prepared, upstream::Upstream},
    route,
    server::Shared,
    shown::Known,
};

/// A request's head is no longer than this, names, values and target together.
const HEAD_BYTES: usize = 64 * 1024;
/// And has no more lines.
const HEAD_LINES: usize = 100;
/// So many requests share one HTTP/2 connection at a time.
const STREAMS: u32 = 128;
/// So much of each may be under way, in both directions. The connection has room for all of them: what one
/// has sent, and nobody reads yet, keeps no other from sending.
const WINDOW: u32 = 64 * 1024;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Somebody at an address.
    Address(SocketAddr),
    /// A process of this machine, of this user (unix(7), `SO_PEERCRED`).
    User(u32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{}", address.ip()),
            Self::User(uid) => write!(f, "uid {uid}"),
        }
    }
}

/// What requests on one connection have in common.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: Peer,
    authorities: Arc<Authorities>,
    pulse: Arc<Pulse>,
    upstream: Arc<Upstream>,
    shared: Arc<Shared>,
    /// The key that was shown last: most connections show the same again.
    shown: Mutex<Option<Shown>>,
    /// What goes with the token that was sent last.
    prepared: Mutex<Option<Arc<Prepared>>>,
    /// What was given out last here, as a hash.
    given: AtomicU64,
}

#[derive(Debug)]
struct Shown {
    key: ApiKey,
    known: Arc<Known<ApiKey>>,
}

impl Connection {
    pub(crate) fn new(
        peer: Peer,
        authorities: Arc<Authorities>,
        pulse: Arc<Pulse>,
        upstream: Arc<Upstream>,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            authorities,
            pulse,
            upstream,
            shared,
            shown: Mutex::default(),
            prepared: Mutex::default(),
            given: AtomicU64::new(0),
        })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The user behind a Unix socket.
    pub(crate) fn peer_uid(&self) -> Option<u32> {
        match self.peer {
            Peer::User(uid) => Some(uid),
            Peer::Address(_) => None,
        }
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What is known about a key, where this connection has shown it before and it was checked moments ago.
    pub(crate) fn remembered(&self, key: &str, now: Uptime) -> Option<Arc<Known<ApiKey>>> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.as_ref().filter(|it| it.known.is_fresh(now))?;
        let same: bool = shown.key.expose().as_bytes().ct_eq(key.as_bytes()).into();
        same.then(|| Arc::clone(&shown.known))
    }

    /// Whether something else is given out here than the last time.
    pub(crate) fn gives_news(&self, what: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let what = hasher.finish();
        self.given.swap(what, Ordering::Relaxed) != what
    }

    pub(crate) fn remember(&self, key: &ApiKey, known: &Arc<Known<ApiKey>>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Shown {
            key: key.clone(),
            known: Arc::clone(known),
        });
    }

    /// What goes with a token, made once for as long as it is the one that is sent.
    pub(crate) fn prepared(&self, live: &Arc<Live>, grant: &Grant) -> Result<Arc<Prepared>, Fault> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = prepared.as_ref().filter(|it| it.is_of(live)) {
            return Ok(Arc::clone(prepared));
        }
        let made = Arc::new(Prepared::new(live, grant)?);
        *prepared = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// Serves a connection to its end, or until it is told to stop: then the request that is under way is
/// answered, and no other.
pub(crate) async fn serve<S>(
    socket: S,
    http2: bool,
    connection: Arc<Connection>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Arc::clone(&connection.pulse);
    let io = TokioIo::new(Paced::new(socket, Arc::clone(&pulse), !http2));
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { answer(request, connection).await }
    });
    // A connection that breaks concerns nobody but its client, who knows.
    if http2 {
        pulse.share();
        let mut builder = http2::Builder::new(Streams(pulse));
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW.saturating_mul(STREAMS))
            .max_send_buf_size(WINDOW as usize)
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX));
        let mut served = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = served.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => served.as_mut().graceful_shutdown(),
        }
        drop(served.await);
    } else {
        let mut builder = http1::Builder::new();
        // The pulse has limits of its own, which need no timer.
        builder
            .header_read_timeout(None)
            .half_close(false)
            .max_headers(HEAD_LINES)
            .max_buf_size(HEAD_BYTES);
        let mut served = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = served.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => served.as_mut().graceful_shutdown(),
        }
        drop(served.await);
    }
}

async fn answer(
    request: Request<Incoming>,
    connection: Arc<Connection>,
) -> Result<Response<Answer>, Infallible> {
    // A request that is given up before it has an answer ends too.
    let running = connection.pulse.begin();
    let mut answer = route::answer(request, &connection, running.pulse()).await;
    answer.body_mut().ends(running);
    Ok(answer)
}
