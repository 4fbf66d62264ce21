//! Slow clients lose their places within eleven seconds of their connection, and nobody else notices.
//!
//! The workers count real seconds, so this takes as many. `REFRAIN_SLOW` sets how many clients there are;
//! two thousand need as many file descriptors thrice.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    dice::{number, open_files, resident},
    place::Place,
    recorder::{Reply, Step},
    wire::Line,
};

const USUAL: u64 = 200;
/// From the moment at which a client begins to connect.
const LIMIT: Duration = Duration::from_secs(11);
/// Until buffers are full, and longer where the machine is busy with other things.
const LEEWAY: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy)]
enum Sloth {
    /// Says nothing.
    Silent,
    /// A head, byte by byte.
    Head,
    /// A body, byte by byte.
    Body,
    /// Asks, and does not take the answer.
    Deaf,
}

impl Sloth {
    /// How soon it has to be gone. Who does not take an answer is waited for only when all buffers on the way
    /// are full.
    fn limit(self) -> Duration {
        match self {
            Self::Silent | Self::Head | Self::Body => LIMIT,
            Self::Deaf => LIMIT + LEEWAY,
        }
    }
}

const SLOTHS: [Sloth; 4] = [Sloth::Silent, Sloth::Head, Sloth::Body, Sloth::Deaf];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_lose_their_places_and_others_are_served() {
    let most = usize::try_from(number("REFRAIN_SLOW").unwrap_or(USUAL)).unwrap();
    let place = Place::alone(&["alice"]).await;
    let key = place.key("alice").await;
    place.recorder.answers(|heard| {
        if heard.target != "/v1/long" {
            return Reply::echo(heard);
        }
        Reply::of([
            Step::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
            Step::Endless(format!("2000\r\n{}\r\n", "x".repeat(0x2000)).into_bytes()),
        ])
    });
    let (files, memory) = (open_files(), resident());
    let mut slow = JoinSet::new();
    for at in 0..most {
        let sloth = SLOTHS[at % SLOTHS.len()];
        let request = request(&place, sloth, &key);
        let begun = Instant::now();
        let stream = connect(&place).await;
        slow.spawn(async move {
            idle(stream, sloth, request, begun).await;
            (sloth, begun.elapsed())
        });
    }
    let all = Instant::now();
    let others = tokio::spawn(others(place.address, place.plain("/v1/me", &key)));
    let mut longest = [Duration::ZERO; SLOTHS.len()];
    while let Some(ended) = slow.join_next().await {
        let (sloth, took) = ended.unwrap();
        assert!(took <= sloth.limit(), "{sloth:?}: {took:?}");
        assert!(
            took >= Duration::from_secs(8),
            "{sloth:?} was cut early: {took:?}"
        );
        let longest = &mut longest[sloth as usize];
        *longest = took.max(*longest);
    }
    let grown = resident().saturating_sub(memory);
    let slowest = others.await.unwrap();
    assert!(all.elapsed() < LIMIT + LEEWAY * 2, "{:?}", all.elapsed());
    figures(most, longest, slowest, grown);
    assert!(
        slowest < Duration::from_secs(2),
        "others waited {slowest:?}"
    );
    // The listener's own accounts are settled a moment later.
    let end = Instant::now() + Duration::from_secs(3);
    while open_files() > files + 16 {
        assert!(
            Instant::now() < end,
            "{files} files became {}",
            open_files()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

#[expect(clippy::print_stderr, reason = "figures for whoever watches")]
fn figures(most: usize, longest: [Duration; SLOTHS.len()], slowest: Duration, grown: u64) {
    eprintln!(
        "{most} slow clients: of {SLOTHS:?} the last was cut after {longest:?}; others waited {slowest:?} at \
         most; {grown} KiB more"
    );
}

/// With a buffer so small that what is not read is soon felt.
async fn connect(place: &Place) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(place.address).await.unwrap()
}

/// What a slow client says at once.
fn request(place: &Place, sloth: Sloth, key: &str) -> String {
    match sloth {
        Sloth::Silent | Sloth::Head => String::new(),
        Sloth::Body => {
            let head = place.head("POST", "/v1/me", key);
            format!("{head}Content-Length: 1000\r\n\r\n")
        }
        Sloth::Deaf => place.plain("/v1/long", key),
    }
}

/// Is slow until the connection ends.
async fn idle(mut stream: TcpStream, sloth: Sloth, request: String, begun: Instant) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut drops =
        b"GET /v1/me HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".iter();
    while begun.elapsed() < LIMIT * 4 {
        let ended = match sloth {
            Sloth::Deaf => {
                sleep(Duration::from_millis(200)).await;
                // Nothing is read; whether it has ended is seen where one writes.
                stream.write_all(b"G").await.is_err()
            }
            Sloth::Silent => has_ended(&mut stream, Duration::from_secs(30)).await,
            Sloth::Head | Sloth::Body => {
                let dripped = stream.write_all(&[*drops.next().unwrap_or(&b'z')]).await;
                dripped.is_err() || has_ended(&mut stream, Duration::from_millis(500)).await
            }
        };
        if ended {
            break;
        }
    }
}

async fn has_ended(stream: &mut TcpStream, within: Duration) -> bool {
    let mut bytes = [0; 1024];
    loop {
        match timeout(within, stream.read(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

/// Is served all the while; the longest that it had to wait.
async fn others(address: std::net::SocketAddr, request: String) -> Duration {
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(9) {
        let asked = Instant::now();
        let answer = Line::to(address).await.ask(&request).await.unwrap();
        assert_eq!(answer.status, 200);
        slowest = slowest.max(asked.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    slowest
}
