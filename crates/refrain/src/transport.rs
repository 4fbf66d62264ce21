//! The transport on real sockets: HTTP/1.1 by hyper, TLS by rustls.
//!
//! hyper is used at the level of single connections, because a client with a pool decides by itself
//! when to send a request again, and a refresh token must not be presented twice by accident. There
//! are no redirects, no cookies and no environment proxies unless the configuration asks for them.

pub mod dial;
mod timely;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1::{self, SendRequest},
};
use zeroize::Zeroizing;

use crate::{
    config::Network,
    failpoint,
    lifecycle::timing::{CONNECT, LATE_ANSWER, TOKEN_CALL},
    oauth::{
        origin::Origin,
        transport::{Answer, BODY_LIMIT, ConnectError, Connection, Request, SendError, Transport},
    },
    time::{BoxFuture, Clock, Uptime},
    transport::{
        dial::{Dialer, Versions},
        timely::{Begin, Timely},
    },
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
#[cfg(not(feature = "failpoints"))]
type Body = Full<Bytes>;
#[cfg(feature = "failpoints")]
type Body = failpoint::Parted;
type Sender = SendRequest<Body>;

/// An idle connection older than this is likely to be closed by the other side at this very moment.
const IDLE: Duration = Duration::from_secs(10);
/// A request begins this soon after it was decided on, or not at all: what is left of [`TOKEN_CALL`] is for
/// its answer.
const BEGIN: Duration = Duration::from_secs(5);
/// So many idle connections are kept per origin.
const KEPT: usize = 64;

/// See the [module](self).
#[derive(Clone)]
pub struct HyperTransport {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    network: Network,
    /// Made on first use: reading the system's certificates takes longer than a cached token.
    dialer: OnceLock<Result<Dialer, String>>,
    idle: Mutex<HashMap<String, Vec<(Line, Uptime)>>>,
}

/// A connection for one request after the other.
struct Line {
    sender: Sender,
    begin: Arc<Begin>,
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HyperTransport")
    }
}

impl HyperTransport {
    /// A transport that leaves this machine as the configuration says.
    pub fn new(network: Network, clock: Arc<dyn Clock>) -> Self {
        let (dialer, idle) = (OnceLock::new(), Mutex::default());
        Self {
            shared: Arc::new(Shared {
                clock,
                network,
                dialer,
                idle,
            }),
        }
    }
}

/// Speaks HTTP/1.1 on a new connection.
async fn handshake(
    dialer: &Dialer,
    origin: &Origin,
    clock: &Arc<dyn Clock>,
) -> Result<Line, BoxError> {
    let begin = Begin::new(Arc::clone(clock));
    let io = Timely::new(dialer.dial(origin).await?, Arc::clone(&begin));
    let (sender, connection) = http1::handshake::<_, Body>(io).await?;
    // The connection ends when its sender is dropped or the other side closes.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(Line { sender, begin })
}

impl Shared {
    fn take_idle(&self, origin: &str) -> Option<Line> {
        let now = self.clock.uptime();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(origin)?;
        while let Some((line, since)) = kept.pop() {
            if line.sender.is_ready() && now.since(since) < IDLE {
                return Some(line);
            }
        }
        None
    }

    fn keep_idle(&self, origin: String, line: Line) {
        let now = self.clock.uptime();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(origin).or_default();
        kept.retain(|(line, since)| !line.sender.is_closed() && now.since(*since) < IDLE);
        if kept.len() < KEPT {
            kept.push((line, now));
        }
    }
}

#[async_trait]
impl Transport for HyperTransport {
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Connection>, ConnectError> {
        let name = origin.to_string();
        let error = |source| ConnectError {
            origin: name.clone(),
            source,
        };
        let now = self.shared.clock.uptime();
        let (deadline, begin_by) = (now.after(TOKEN_CALL), now.after(BEGIN));
        let line = if let Some(line) = self.shared.take_idle(&name) {
            line
        } else {
            let network = &self.shared.network;
            let dialer = self
                .shared
                .dialer
                .get_or_init(|| {
                    Dialer::new(network, Versions::Http1).map_err(|error| error.to_string())
                })
                .as_ref()
                .map_err(|text| error(text.as_str().into()))?;
            tokio::select! {
                dialled = handshake(dialer, origin, &self.shared.clock) => dialled.map_err(error)?,
                () = self.shared.clock.sleep(CONNECT) => {
                    return Err(error("timed out while connecting".into()));
                }
            }
        };
        let shared = Arc::clone(&self.shared);
        let host = origin.authority();
        Ok(Box::new(HyperConnection {
            shared,
            origin: name,
            host,
            line: Some(line),
            deadline,
            begin_by,
        }))
    }
}

struct HyperConnection {
    shared: Arc<Shared>,
    origin: String,
    host: String,
    line: Option<Line>,
    deadline: Uptime,
    begin_by: Uptime,
}

#[async_trait]
impl Connection for HyperConnection {
    async fn send(mut self: Box<Self>, request: Request) -> Result<Answer, SendError> {
        let origin = self.origin.clone();
        let error = |unsent, source| SendError {
            origin: origin.clone(),
            unsent,
            source,
        };
        let left = self.deadline.since(self.shared.clock.uptime());
        let request = self
            .request(request)
            .map_err(|source| error(true, source))?;
        let clock = Arc::clone(&self.shared.clock);
        let timer = Box::pin(async move {
            clock.sleep(left).await;
            // A process that was stopped finds its time over and its answer in the socket: read it.
            clock.sleep(LATE_ANSWER).await;
        });
        let answer = self.exchange(request, timer).await;
        answer.map_err(|(unsent, source)| error(unsent, source))
    }
}

impl HyperConnection {
    fn request(&self, request: Request) -> Result<http::Request<Full<Bytes>>, BoxError> {
        let mut http = http::Request::new(Full::new(Bytes::from_owner(request.body)));
        *http.method_mut() = request.method;
        *http.uri_mut() = request.path.parse()?;
        *http.headers_mut() = request.headers;
        http.headers_mut()
            .insert(header::HOST, HeaderValue::from_str(&self.host)?);
        let agent = HeaderValue::from_static(concat!("refrain/", env!("CARGO_PKG_VERSION")));
        http.headers_mut().insert(header::USER_AGENT, agent);
        Ok(http)
    }

    /// Sends and reads; an error says whether not one byte went out.
    async fn exchange(
        &mut self,
        request: http::Request<Full<Bytes>>,
        mut timer: BoxFuture<'static, ()>,
    ) -> Result<Answer, (bool, BoxError)> {
        let Some(mut line) = self.line.take() else {
            return Err((true, "the connection was used already".into()));
        };
        line.begin.by(self.begin_by);
        #[cfg(feature = "failpoints")]
        let clock = Arc::clone(&self.shared.clock);
        let response = tokio::select! {
            response = send(&mut line.sender, request, &self.shared.clock) => {
                response.map_err(|(unsent, source)| (unsent || line.begin.refused(), source))?
            }
            () = &mut timer => {
                return Err((false, "timed out while waiting for the answer".into()));
            }
        };
        let (head, body) = response.into_parts();
        failpoint::at!(clock, RecvHeaders, _broken => Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: Zeroizing::default(),
            complete: false,
        }));
        let (body, complete) = read(body, timer, &self.shared.clock).await;
        failpoint::at!(clock, RecvDone, _broken => Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            complete: false,
        }));
        if complete {
            self.shared
                .keep_idle(std::mem::take(&mut self.origin), line);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            complete,
        })
    }
}

/// Sends; an error says whether not one byte went out.
#[cfg(not(feature = "failpoints"))]
async fn send(
    sender: &mut Sender,
    request: http::Request<Full<Bytes>>,
    _: &Arc<dyn Clock>,
) -> Result<http::Response<Incoming>, (bool, BoxError)> {
    sender.try_send_request(request).await.map_err(unsent)
}

/// The same past the points on the way.
#[cfg(feature = "failpoints")]
async fn send(
    sender: &mut Sender,
    request: http::Request<Full<Bytes>>,
    clock: &Arc<dyn Clock>,
) -> Result<http::Response<Incoming>, (bool, BoxError)> {
    use failpoint::{Parted, Point::SendPartial, Written};
    let in_two = clock.failpoints().is_set(SendPartial);
    let (request, written) = Parted::of(request, in_two).await;
    let response = sender.try_send_request(request);
    let Written { half, go_on, done } = written;
    let passing = async {
        // Ends with an error where the request is not in two parts, or the connection has broken.
        if half.await.is_ok() {
            failpoint::at!(clock, SendPartial, broken => Err((false, broken.into())));
            go_on.send(()).unwrap_or_default();
        }
        done.await.unwrap_or_default();
        failpoint::at!(clock, SendDone, broken => Err((false, broken.into())));
        Ok(())
    };
    let (response, passed) = tokio::join!(response, passing);
    passed?;
    response.map_err(unsent)
}

fn unsent<B>(mut error: hyper::client::conn::TrySendError<B>) -> (bool, BoxError) {
    // hyper hands the request back only if it has not begun to write it.
    let unsent = error.take_message().is_some();
    (unsent, error.into_error().into())
}

/// Reads a body to its end, its limit, its break or its time, whichever comes first. What has come by then
/// is kept: it may hold the only copy of a token.
async fn read(
    mut body: Incoming,
    mut timer: BoxFuture<'static, ()>,
    #[cfg_attr(
        not(feature = "failpoints"),
        expect(unused_variables, reason = "the clock says whose failpoints are meant")
    )]
    clock: &Arc<dyn Clock>,
) -> (Zeroizing<Vec<u8>>, bool) {
    // Sized once: growing would leave copies of what has been read.
    let expected = body
        .size_hint()
        .exact()
        .and_then(|exact| usize::try_from(exact).ok());
    let capacity = expected.unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = &mut timer => return (bytes, false),
        };
        let Some(frame) = frame else {
            return (bytes, true);
        };
        let Ok(frame) = frame else {
            return (bytes, false);
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        failpoint::at!(clock, RecvPartialBody, _broken => {
            let half = data.get(..data.len() / 2).unwrap_or_default();
            bytes.extend_from_slice(half);
            (bytes, false)
        });
        let room = BODY_LIMIT.saturating_sub(bytes.len());
        match data.get(..room) {
            Some(fits) if data.len() > room => {
                bytes.extend_from_slice(fits);
                return (bytes, false);
            }
            _ => bytes.extend_from_slice(data),
        }
    }
}
