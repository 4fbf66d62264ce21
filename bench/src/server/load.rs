//! A client that sends one request after the other on each of its connections.

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
pub fn run(place: &Place, request: &str, connections: usize, time: Duration) -> Load {
    let (place, request) = (place.clone(), request.to_owned());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .expect("a runtime")
            .block_on(all(place, request, connections, time))
    });
    thread.join().expect("no answer was wrong")
}

async fn all(place: Place, request: String, connections: usize, time: Duration) -> Load {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + time;
    for _ in 0..connections {
        let (place, request) = (place.clone(), request.clone());
        tasks.spawn(async move {
            match place {
                Place::Tcp(address) => {
                    let stream = TcpStream::connect(address).await.expect("a connection");
                    stream.set_nodelay(true).expect("a socket");
                    one(stream, request.as_bytes(), end).await
                }
                Place::Unix(path) => {
                    let stream = UnixStream::connect(path).await.expect("a connection");
                    one(stream, request.as_bytes(), end).await
                }
            }
        });
    }
    let mut took: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    Load {
        requests: u32::try_from(took.len()).expect("a number"),
        median,
    }
}

async fn one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    end: Instant,
) -> Vec<Duration> {
    let (mut took, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let begin = Instant::now();
        if begin >= end {
            return took;
        }
        stream.write_all(request).await.expect("a request");
        let mut have = 0;
        loop {
            let more = stream.read(&mut buffer[have..]).await.expect("an answer");
            assert_ne!(more, 0, "the connection was closed");
            have += more;
            if is_whole(&buffer[..have]) {
                break;
            }
        }
        took.push(begin.elapsed());
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
