//! The way to the API: connections to one origin, kept and used again.
//!
//! Each worker has its own, so that none waits for another. HTTP/2 where the API speaks it: one connection
//! for all requests of a worker, kept as long as the other side answers pings; else HTTP/1.1, one request at a
//! time on each. No redirect is followed, no cookie is
//! kept, and nothing is sent twice by itself: a request that not one byte was written of is handed back,
//! and goes out on another connection.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::Parts};
use http_body_util::{Either, Full};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use refrain::{
    oauth::origin::Origin,
    transport::dial::{Dialer, speaks_http2},
};

use crate::{
    body::{BoxError, Sent},
    listen::pulse::Pulse,
};

/// What is sent: a body that is held, or one that passes through.
pub(crate) type Outgoing = Either<Full<Bytes>, Sent>;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// An idle connection that has rested for so many seconds is likely to be closed by the other side at this very moment.
const IDLE: u32 = 20;
/// While requests are under way on a shared connection the other side is asked after this long whether it is
/// still there, and has to say so: a machine that has slept or changed its network hears of no end.
const PING: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));
/// What one answer may have under way on a shared connection, and all of them: far apart, so that those whose
/// callers read slowly leave room for the others.
const WINDOWS: (u32, u32) = (256 << 10, 32 << 20);
/// How long an idle connection may take to be ready.
const ANY_MOMENT: Duration = Duration::from_millis(10);
/// So many idle connections are kept.
const KEPT: usize = 256;
/// So often a request that was not sent is tried on another connection.
const TRIES: usize = 3;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// No connection came about: nothing was sent.
    #[error("{origin} cannot be reached")]
    Unreachable {
        /// Where to.
        origin: String,
        /// Why.
        source: BoxError,
    },
    /// The connection broke: the request may have been carried out.
    #[error("{origin} broke the connection before it answered")]
    Broken {
        /// Where to.
        origin: String,
        /// Why.
        source: BoxError,
    },
    /// No answer in time: the request may have been carried out.
    #[error("{origin} has not answered in time")]
    Silent {
        /// Where to.
        origin: String,
    },
}

/// See the [module](self).
pub(crate) struct Upstream {
    origin: Origin,
    /// Its root, and its `Host`.
    base: Uri,
    host: HeaderValue,
    dialer: Arc<Dialer>,
    /// The seconds of its worker.
    seconds: Arc<AtomicU32>,
    idle: Mutex<Vec<(http1::SendRequest<Outgoing>, u32)>>,
    /// With the second in which it was used last.
    shared: Mutex<Option<(http2::SendRequest<Outgoing>, u32)>>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({})", self.origin)
    }
}

/// A connection in use; given back when its answer has come to its end, closed when it is dropped.
pub(crate) struct Lease {
    upstream: Arc<Upstream>,
    sender: http1::SendRequest<Outgoing>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

impl Lease {
    pub(crate) fn give_back(self) {
        if !self.sender.is_closed() {
            self.upstream.keep(self.sender);
        }
    }
}

/// A connection to send one request on.
enum Line {
    One(http1::SendRequest<Outgoing>),
    Shared(http2::SendRequest<Outgoing>),
}

impl Upstream {
    /// # Errors
    /// Where the origin cannot be written as a URI or in a header.
    pub(crate) fn new(
        origin: Origin,
        dialer: Arc<Dialer>,
        seconds: Arc<AtomicU32>,
    ) -> Result<Arc<Self>, BoxError> {
        Ok(Arc::new(Self {
            base: origin.join("/").parse()?,
            host: HeaderValue::from_str(&origin.authority())?,
            origin,
            dialer,
            seconds,
            idle: Mutex::default(),
            shared: Mutex::default(),
        }))
    }

    /// Sends a request whose URI is path and query, and reads the head of its answer.
    ///
    /// # Cancel safety
    /// Dropping the future gives the request up, and its connection with it.
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<Outgoing>,
        pulse: &Pulse,
    ) -> Result<(Response<Incoming>, Option<Lease>), UpstreamError> {
        let mut broke = None;
        for _ in 0..TRIES {
            let line = self.line().await?;
            match unless_late(self.on(line, request), pulse).await {
                Some(Ok((response, _))) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    // Nobody has asked for another protocol, and what follows would be no HTTP.
                    return Err(self.broken("the protocol was to be switched".into()));
                }
                Some(Ok(answered)) => return Ok(answered),
                Some(Err(Failed::Unsent(error, back))) => {
                    broke = Some(error);
                    request = *back;
                }
                Some(Err(Failed::Sent(error))) => return Err(self.broken(error.into())),
                None => {
                    // What has not answered for a minute is not asked by others.
                    *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    let origin = self.origin.to_string();
                    return Err(UpstreamError::Silent { origin });
                }
            }
        }
        let error = broke.map_or_else(|| "no try was made".into(), BoxError::from);
        Err(self.unreachable(error))
    }

    async fn on(
        self: &Arc<Self>,
        line: Line,
        request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Option<Lease>), Failed> {
        match line {
            Line::One(mut sender) => {
                let request = self.for_http1(request);
                let response = sender.try_send_request(request).await?;
                let upstream = Arc::clone(self);
                Ok((response, Some(Lease { upstream, sender })))
            }
            Line::Shared(mut sender) => {
                let request = self.for_http2(request);
                Ok((sender.try_send_request(request).await?, None))
            }
        }
    }

    /// HTTP/1.1 names the host in a header and the target by its path (RFC 9112 §3.2.1).
    fn for_http1(&self, mut request: Request<Outgoing>) -> Request<Outgoing> {
        let mut parts = Parts::default();
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        request
    }

    /// HTTP/2 names both in the target (RFC 9113 §8.3.1).
    fn for_http2(&self, mut request: Request<Outgoing>) -> Request<Outgoing> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        request.headers_mut().remove(header::HOST);
        request
    }

    /// A connection that stands: the shared one, an idle one or a new one.
    async fn line(self: &Arc<Self>) -> Result<Line, UpstreamError> {
        if let Some(shared) = self.shared() {
            return Ok(Line::Shared(shared));
        }
        while let Some(mut sender) = self.take() {
            // Its task may not have noted yet that the answer before is over. Or the API has answered an
            // upload before its end, which is none of this request's business.
            if sender.is_ready() || is_soon_ready(&mut sender).await {
                return Ok(Line::One(sender));
            }
        }
        match tokio::time::timeout(CONNECT, self.connect()).await {
            Ok(line) => line.map_err(|error| self.unreachable(error)),
            Err(_) => Err(self.unreachable(io::Error::from(io::ErrorKind::TimedOut).into())),
        }
    }

    async fn connect(self: &Arc<Self>) -> Result<Line, BoxError> {
        let io = self.dialer.dial(&self.origin).await?;
        if speaks_http2(&io) {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(WINDOWS.0)
                .initial_connection_window_size(WINDOWS.1)
                .keep_alive_interval(PING.0)
                .keep_alive_timeout(PING.1);
            let (sender, connection) = builder.handshake(io).await?;
            tokio::spawn(async move { connection.await.unwrap_or_default() });
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            *shared = Some((sender.clone(), self.seconds.load(Ordering::Relaxed)));
            return Ok(Line::Shared(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(Line::One(sender))
    }

    fn shared(&self) -> Option<http2::SendRequest<Outgoing>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.seconds.load(Ordering::Relaxed);
        let (sender, used) = shared.as_mut()?;
        if sender.is_closed() || now.saturating_sub(*used) >= IDLE {
            *shared = None;
            return None;
        }
        *used = now;
        Some(sender.clone())
    }

    fn take(&self) -> Option<http1::SendRequest<Outgoing>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, since) = idle.pop()?;
        let now = self.seconds.load(Ordering::Relaxed);
        if now.saturating_sub(since) < IDLE {
            return Some(sender);
        }
        // Those below are older still.
        idle.clear();
        None
    }

    fn keep(&self, sender: http1::SendRequest<Outgoing>) {
        let now = self.seconds.load(Ordering::Relaxed);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push((sender, now));
        }
    }

    fn unreachable(&self, source: BoxError) -> UpstreamError {
        let origin = self.origin.to_string();
        UpstreamError::Unreachable { origin, source }
    }

    fn broken(&self, source: BoxError) -> UpstreamError {
        let origin = self.origin.to_string();
        UpstreamError::Broken { origin, source }
    }
}

/// Waits for an answer, as long as the request's pulse does: a minute. The API has been seen to take three
/// quarters of one.
async fn unless_late<T>(answer: impl Future<Output = T>, pulse: &Pulse) -> Option<T> {
    let mut answer = pin!(answer);
    // What was said of the request before is not meant for this one.
    pulse.is_late();
    pulse.answer.waits(pulse);
    let answered = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answered) => Poll::Ready(Some(answered)),
        Poll::Pending if pulse.is_late() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let answered = answered.await;
    pulse.answer.ends();
    answered
}

async fn is_soon_ready(sender: &mut http1::SendRequest<Outgoing>) -> bool {
    let ready = tokio::time::timeout(ANY_MOMENT, sender.ready()).await;
    ready.is_ok_and(|ready| ready.is_ok())
}

/// How sending failed.
enum Failed {
    /// Not one byte was written; the request is whole.
    Unsent(hyper::Error, Box<Request<Outgoing>>),
    /// It may have arrived.
    Sent(hyper::Error),
}

impl From<TrySendError<Request<Outgoing>>> for Failed {
    fn from(mut error: TrySendError<Request<Outgoing>>) -> Self {
        match error.take_message() {
            Some(request) => Self::Unsent(error.into_error(), Box::new(request)),
            None => Self::Sent(error.into_error()),
        }
    }
}
