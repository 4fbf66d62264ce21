//! Requests that share an HTTP/2 connection: one that stands still ends alone.
//!
//! The workers count real seconds, as in [`crate::slow`].

#[expect(dead_code, reason = "others have a server of their own to configure")]
#[expect(clippy::panic, reason = "it says what is missing")]
#[path = "../../../refrain/tests/support/certificates.rs"]
mod certificates;

use std::{
    convert::Infallible,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use refrain::config::TlsFiles;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_rustls::TlsConnector;

use self::certificates::Certificates;
use crate::{
    place::Place,
    recorder::{Heard, Reply, Step},
};

/// What is not taken stays where it is from here on.
const WINDOW: u32 = 1024;
const LIMIT: Duration = Duration::from_secs(11);
/// The machine may be busy with other things.
const LEEWAY: Duration = Duration::from_secs(9);

type Body = BoxBody<Bytes, Infallible>;

/// For [`certificates`].
fn folder(prefix: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir().unwrap()
}

/// The server is this very process.
fn give_away(_: &Path) {}

struct Shared {
    place: Place,
    key: String,
    sender: SendRequest<Body>,
    _certificates: Certificates,
}

impl Shared {
    /// One connection, for everything.
    async fn new() -> Self {
        let certificates = Certificates::for_name("IP:127.0.0.1");
        let authority = certificates.authority();
        let files = TlsFiles {
            certificate: authority.with_file_name("server.crt"),
            key: authority.with_file_name("server.key"),
        };
        let place = Place::encrypted(files, &["alice"]).await;
        let key = place.key("alice").await;
        let sender = connect(&place, &authority).await;
        Self {
            place,
            key,
            sender,
            _certificates: certificates,
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Body,
    ) -> hyper::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.place.address))
            .header("authorization", format!("Bearer {}", self.key))
            .body(body)
            .unwrap();
        self.sender.clone().send_request(request).await
    }

    /// A request that goes through, either way.
    async fn lively(&self, number: usize) {
        let path = format!("/v1/lively/{number}");
        let (method, body) = if number.is_multiple_of(2) {
            ("GET", "")
        } else {
            ("POST", "hello")
        };
        let answer = self.send(method, &path, whole(body)).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), path);
    }
}

async fn connect(place: &Place, authority: &Path) -> SendRequest<Body> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(place.address).await.unwrap();
    let name = ServerName::from(place.address.ip());
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(WINDOW);
    let io = TokioIo::new(stream.await.unwrap());
    let (sender, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn whole(body: &'static str) -> Body {
    Full::new(Bytes::from_static(body.as_bytes())).boxed()
}

/// A body of what is given to it; it has no end before the giver is gone.
struct Fed(mpsc::Receiver<Frame<Bytes>>);

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

fn fed(frames: impl IntoIterator<Item = Frame<Bytes>>) -> (mpsc::Sender<Frame<Bytes>>, Body) {
    let (feed, body) = mpsc::channel(32 * 1024);
    for frame in frames {
        feed.try_send(frame).unwrap();
    }
    (feed, Fed(body).boxed())
}

fn kibibytes(number: usize) -> impl Iterator<Item = Frame<Bytes>> {
    std::iter::repeat_with(|| Frame::data(Bytes::from_static(&[b'x'; 1024]))).take(number)
}

fn trailers() -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    trailers.insert("set-cookie", "a=b".parse().unwrap());
    Frame::trailers(trailers)
}

/// Answers some paths in ways that take long, and the others with their own target.
fn script(heard: &Heard) -> Reply {
    let body = "x".repeat(100_000);
    match heard.target.as_str() {
        "/v1/endless" => Reply::of([
            Step::Send(
                format!("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n{body}").into_bytes(),
            ),
            Step::UntilGone,
        ]),
        "/v1/short" => Reply::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n{}",
            "x".repeat(3000)
        )),
        // Its body stays where it is.
        "/v1/unread" => Reply {
            early: true,
            steps: vec![Step::Wait(LIMIT * 4), Step::Close],
        },
        _ => Reply::echo(heard),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_stands_still_ends_and_its_neighbours_go_on() {
    let shared = Shared::new().await;
    shared.place.recorder.answers(script);
    let begun = Instant::now();
    // Two answers that are not taken: one that the API has finished, and one that it has not.
    let short = shared.send("GET", "/v1/short", whole("")).await.unwrap();
    let endless = shared.send("GET", "/v1/endless", whole("")).await.unwrap();
    // Two bodies that do not come: one while it is read ahead, and one on its way through.
    let (_held, body) = fed(kibibytes(1));
    let held = shared.send("POST", "/v1/held", body);
    let (_passing, body) = fed(kibibytes(600));
    let passing = shared.send("POST", "/v1/passing", body);
    // And one that comes, more than all sockets hold, and that the API does not read.
    let (_unread, body) = fed(kibibytes(24 * 1024));
    let unread = shared.send("POST", "/v1/unread", body);
    let neighbours = async {
        let mut number = 0;
        while begun.elapsed() < LIMIT + LEEWAY && shared.place.recorder.gone() == 0 {
            shared.lively(number).await;
            number += 1;
            sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    };
    let timed =
        async |ended: &mut (dyn Future<Output = hyper::Result<Response<Incoming>>> + Unpin)| {
            let ended = ended.await;
            (ended.is_err(), begun.elapsed())
        };
    let (mut held, mut passing) = (Box::pin(held), Box::pin(passing));
    let ends = async { tokio::join!(timed(&mut held), timed(&mut passing), neighbours) };
    let (held, passing, endless_ended) = tokio::select! {
        ends = ends => ends,
        answer = unread => unreachable!("{answer:?}"),
    };
    for (ended, took) in [held, passing, (true, endless_ended)] {
        assert!(ended);
        assert!(took >= Duration::from_secs(8), "it was cut early: {took:?}");
        assert!(took <= LIMIT + LEEWAY, "{took:?}");
    }
    for number in 0..4 {
        shared.lively(number).await;
    }
    for stalled in [short, endless] {
        assert_eq!(stalled.status(), 200);
        assert!(stalled.into_body().collect().await.is_err());
    }
    shared.lively(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_taken_arrives_whole() {
    let shared = Shared::new().await;
    for length in [0, 1, 2, 1023, 1024, 1025, 100_000] {
        shared.place.recorder.answers(move |_| {
            let body = "x".repeat(length);
            Reply::raw(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        });
        let answer = shared.send("GET", "/v1/x", whole("")).await.unwrap();
        assert_eq!(answer.headers()["content-length"], length.to_string());
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes().len(), length);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trailers_cross_in_neither_direction() {
    let shared = Shared::new().await;
    shared.place.recorder.answers(|heard| {
        let body = heard.target.as_str();
        let length = body.len();
        Reply::raw(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n\
             {length:x}\r\n{body}\r\n0\r\nSet-Cookie: a=b\r\n\r\n"
        ))
    });
    // Held as a whole, and passed through.
    for length in [1, 600] {
        let (feed, body) = fed(kibibytes(length));
        feed.try_send(trailers()).unwrap();
        drop(feed);
        let answer = shared.send("POST", "/v1/x", body).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap();
        assert!(body.trailers().is_none());
        assert_eq!(body.to_bytes(), "/v1/x");
        let heard = shared.place.recorder.take();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].body, length * 1024);
        assert!(heard[0].all("trailer").is_empty());
    }
    // What reads strictly would have taken them for the beginning of the next request.
    shared.place.recorder.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stops_behind_its_answer_holds_nothing_open() {
    let shared = Shared::new().await;
    shared.place.recorder.answers(|heard| Reply {
        early: true,
        steps: vec![Reply::echo(heard).steps.remove(0), Step::UntilGone],
    });
    let begun = Instant::now();
    let (feed, body) = fed(kibibytes(600));
    let answer = shared.send("POST", "/v1/early", body).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "/v1/early");
    while shared.place.recorder.gone() == 0 || !feed.is_closed() {
        assert!(begun.elapsed() <= LIMIT + LEEWAY, "it is held open");
        sleep(Duration::from_millis(50)).await;
    }
    shared.place.recorder.answers(Reply::echo);
    shared.lively(0).await;
}
