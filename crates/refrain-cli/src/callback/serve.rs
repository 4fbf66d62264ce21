//! The server behind the redirection endpoint: one path, one method, one host.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use refrain::oauth::authorization::RedirectUri;
use refrain_server::page::plain;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time,
};

use super::{Answer, Callback, End, Page};

/// A browser opens a handful; more than this is somebody else.
const MOST_CONNECTIONS: usize = 16;
/// How long a request may take to arrive. Browsers open connections ahead of need and leave them
/// silent; this frees their places.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may last; it includes the exchange of the code, which the page waits for.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the last page may take to arrive at the browser.
const GRACE: Duration = Duration::from_secs(2);
/// The longest request; a code is about 300 characters.
const LONGEST_REQUEST: usize = 16 * 1024;

/// Where the redirect URI leads to, as a request names it.
pub(super) struct Endpoint {
    authority: String,
    path: String,
}

impl Endpoint {
    pub(super) fn new(redirect_uri: &RedirectUri) -> Self {
        let url = redirect_uri.url();
        let host = url.host_str().unwrap_or_default();
        Self {
            authority: match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            path: url.path().to_owned(),
        }
    }
}

struct Shared {
    endpoint: Endpoint,
    arrivals: mpsc::Sender<Callback>,
    ended: watch::Sender<bool>,
}

/// Answers until the login has ended or the patience.
pub(super) async fn serve(
    socket: TcpListener,
    endpoint: Endpoint,
    arrivals: mpsc::Sender<Callback>,
    patience: Duration,
) {
    let (ended, mut stop) = watch::channel(false);
    let shared = Arc::new(Shared {
        endpoint,
        arrivals,
        ended,
    });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&socket, &shared, &mut connections) => {}
        _ = stop.wait_for(|ended| *ended) => {}
        () = time::sleep(patience) => {}
    }
    drop(socket);
    // Those that are not answering anyone close at once; the others get their page.
    shared.ended.send_replace(true);
    drop(shared);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is left then is cut off by dropping the set.
    let _ = time::timeout(GRACE, drained).await;
}

async fn accept(socket: &TcpListener, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = socket.accept().await else {
            // Out of file descriptors, usually: the next attempt would fail as fast.
            time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shared = Arc::clone(shared);
        connections.spawn(async move {
            let _ = time::timeout(CONNECTION_TIMEOUT, connection(stream, shared)).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut stop = shared.ended.subscribe();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let answer = answer(&request, &shared).await;
            Ok::<_, Infallible>(answer.map(Full::new))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(LONGEST_REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // A connection that breaks concerns nobody: the browser says so to its user.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|ended| *ended) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(connection.await);
}

async fn answer(request: &Request<Incoming>, shared: &Shared) -> Response<Bytes> {
    if !names(request, &shared.endpoint.authority) {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "This address belongs to a login of refrain.",
        );
    }
    if request.uri().path() != shared.endpoint.path {
        return plain(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    if request.method() != Method::GET {
        let text = "A login comes back by GET.";
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
        let allow = HeaderValue::from_static("GET");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let (sender, receiver) = oneshot::channel();
    let callback = Callback {
        query: request.uri().query().unwrap_or_default().to_owned(),
        answer: sender,
    };
    // Either fails once the login is over, whichever way it ended.
    if shared.arrivals.send(callback).await.is_err() {
        return shown(&over(), false);
    }
    let Ok(Answer { page, end }) = receiver.await else {
        return shown(&over(), false);
    };
    if end != End::None {
        shared.ended.send_replace(true);
    }
    shown(&page, end == End::Success)
}

/// The answer to a callback that was accepted, or was not.
fn shown(page: &Page, accepted: bool) -> Response<Bytes> {
    let status = if accepted {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    page.answer(status, "refrain, on this computer")
}

/// Whether the request is meant for this authority, wherever it says so, and says so once.
fn names(request: &Request<Incoming>, authority: &str) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    let target = request.uri().authority();
    host == Some(authority.as_bytes())
        && hosts.next().is_none()
        && target.is_none_or(|target| target.as_str() == authority)
}

fn over() -> Page {
    Page {
        title: "This login is already over".to_owned(),
        text: "refrain is no longer waiting for an answer here.".to_owned(),
        next: "You can close this page. To begin again, run refrain login.".to_owned(),
    }
}
