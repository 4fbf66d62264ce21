//! A client that writes what it likes, and reads strictly.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::recorder::find;

/// What is asked for to see whether others are served; the recorder does not write it down.
pub const PING: &str = "/v1/ping";

/// After so long without a byte, the server seems to wait for more of us.
const QUIET: Duration = Duration::from_millis(200);
/// And so long after we have hung up it hangs.
pub const HANG: Duration = Duration::from_secs(1);

/// What a server has said until it closed.
#[derive(Debug)]
pub struct Said {
    pub bytes: Vec<u8>,
    /// Whether it was cut off, so that what it had said may be lost.
    pub reset: bool,
    /// From where we hung up, if we had to, to its end.
    pub took: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Whoever says things to a server, and knows a request that it serves.
#[derive(Debug, Clone)]
pub struct Talker {
    pub address: SocketAddr,
    /// A request for [`PING`].
    pub ping: String,
}

impl Talker {
    /// Says something on a new connection, and listens to the end.
    pub async fn say(&self, bytes: &[u8]) -> Said {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        // Whoever is refused early is not listened to any more.
        let _written = timeout(HANG, stream.write_all(bytes)).await;
        self.listen(&mut stream).await
    }

    /// Listens to the end: a server that waits for more of us is told that there is none. That it does, and
    /// is not only short of time, is seen by others being served meanwhile.
    async fn listen(&self, stream: &mut TcpStream) -> Said {
        let mut bytes = Vec::new();
        let mut reset = false;
        let mut hung_up: Option<Instant> = None;
        let mut served = false;
        loop {
            let patience = match (hung_up, served) {
                (Some(_), _) => HANG * 2,
                (None, true) => QUIET / 10,
                (None, false) => QUIET,
            };
            match timeout(patience, stream.read_buf(&mut bytes)).await {
                Ok(Ok(1..)) => served = false,
                Ok(Ok(0)) => break,
                Ok(Err(_)) => {
                    reset = true;
                    break;
                }
                Err(_) if hung_up.is_some() => break,
                Err(_) if served => {
                    hung_up = Some(Instant::now());
                    let _shut = stream.shutdown().await;
                }
                Err(_) => {
                    self.others_are_served().await;
                    served = true;
                }
            }
        }
        let took = hung_up.map_or(Duration::ZERO, |at| at.elapsed());
        Said { bytes, reset, took }
    }

    /// One after the other, so that every worker has had its turn.
    async fn others_are_served(&self) {
        for _ in 0..4 {
            let answer = Line::to(self.address).await.ask(&self.ping).await;
            assert_eq!(answer.map(|it| it.status), Some(200), "the server lives on");
        }
    }
}

/// A connection that is kept, for one request after the other.
pub struct Line {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer; `None` where the connection ends before it is whole.
    pub async fn read(&mut self) -> Option<Response> {
        loop {
            match next(&self.buffer) {
                Ok(Some((response, used))) => {
                    self.buffer.drain(..used);
                    return Some(response);
                }
                Ok(None) => {}
                Err(fault) => unreachable!("not an answer: {fault}"),
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(1..) => {}
                _ => return None,
            }
        }
    }

    /// One request and its answer.
    pub async fn ask(&mut self, request: &str) -> Option<Response> {
        self.stream.write_all(request.as_bytes()).await.ok()?;
        self.read().await
    }
}

/// All answers in some bytes, and what is left behind the last whole one.
pub fn responses(mut bytes: &[u8]) -> Result<(Vec<Response>, usize), String> {
    let mut all = Vec::new();
    while let Some((response, used)) = next(bytes)? {
        bytes = &bytes[used..];
        all.push(response);
    }
    Ok((all, bytes.len()))
}

/// The first answer, and how many bytes it has; `None` where it is not whole. Interim ones are left out.
fn next(bytes: &[u8]) -> Result<Option<(Response, usize)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "not UTF-8")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| first.strip_prefix("HTTP/1.0 "))
        .and_then(|it| it.get(..3)?.parse().ok())
        .ok_or_else(|| format!("no status line: {first:?}"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| line.to_owned())?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    let start = end + 4;
    if status == 100 {
        let rest = next(&bytes[start..])?;
        return Ok(rest.map(|(response, used)| (response, start + used)));
    }
    if status == 204 || status == 304 {
        return Ok(Some((response, start)));
    }
    if response.header("transfer-encoding") == Some("chunked") {
        let Some((body, used)) = chunked(&bytes[start..])? else {
            return Ok(None);
        };
        response.body = body;
        return Ok(Some((response, start + used)));
    }
    let length = response.header("content-length").unwrap_or("0");
    let length: usize = length.parse().map_err(|_| "no length")?;
    let Some(body) = bytes.get(start..start + length) else {
        return Ok(None);
    };
    response.body = body.to_vec();
    Ok(Some((response, start + length)))
}

fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| format!("no chunk: {size:?}"))?;
        at += end + 2;
        let Some(data) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&data[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}
