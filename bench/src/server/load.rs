//! A client that sends one request after the other on each of its connections.

pub mod paced;

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    task::JoinSet,
};

use super::processors;

/// Where to.
#[derive(Debug, Clone)]
pub enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What came of it.
pub struct Load {
    pub requests: u32,
    pub median: Duration,
}

/// Sends for so long, on a thread of its own.
pub fn run(place: &Place, request: &str, connections: u32, time: Duration) -> Load {
    let end = Instant::now() + time;
    let mut took = on_a_thread(place, request, connections, move |_, exchange| {
        one(exchange, end)
    });
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    Load {
        requests: u32::try_from(took.len()).expect("a number"),
        median,
    }
}

async fn one(mut exchange: Exchange, end: Instant) -> Vec<Duration> {
    let mut took = Vec::new();
    loop {
        let begin = Instant::now();
        if begin >= end {
            return took;
        }
        exchange.make().await;
        took.push(begin.elapsed());
    }
}

/// What all connections have taken, each served by its number.
fn on_a_thread<F>(
    place: &Place,
    request: &str,
    connections: u32,
    serve: impl Fn(u32, Exchange) -> F + Send + 'static,
) -> Vec<Duration>
where
    F: Future<Output = Vec<Duration>> + Send + 'static,
{
    let (place, request) = (place.clone(), request.to_owned());
    let thread = std::thread::spawn(move || {
        processors::bind_client();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let mut tasks = JoinSet::new();
            for number in 0..connections {
                let exchange = Exchange::with(&place, &request).await;
                tasks.spawn(serve(number, exchange));
            }
            tasks.join_all().await.into_iter().flatten().collect()
        })
    });
    thread.join().expect("no answer was wrong")
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection, and what is asked on it.
struct Exchange {
    stream: Box<dyn Stream>,
    request: String,
    buffer: Vec<u8>,
}

impl Exchange {
    async fn with(place: &Place, request: &str) -> Self {
        let stream: Box<dyn Stream> = match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("a socket");
                Box::new(stream)
            }
            Place::Unix(path) => Box::new(UnixStream::connect(path).await.expect("a connection")),
        };
        Self {
            stream,
            request: request.to_owned(),
            buffer: vec![0; 16 * 1024],
        }
    }

    /// One request, and the whole answer.
    async fn make(&mut self) {
        let Self {
            stream,
            request,
            buffer,
        } = self;
        stream
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut have = 0;
        loop {
            let more = stream.read(&mut buffer[have..]).await.expect("an answer");
            assert_ne!(more, 0, "the connection was closed");
            have += more;
            if is_whole(&buffer[..have]) {
                break;
            }
        }
    }
}

/// Whether an answer has come to its end; anything but a 200 of a known length is wrong.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        return false;
    };
    let text = std::str::from_utf8(&answer[..head]).expect("ASCII");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    });
    let length: usize = length.expect("a length").parse().expect("a length");
    answer.len() >= head + 4 + length
}
