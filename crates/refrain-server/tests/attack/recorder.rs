//! An upstream that reads strictly, writes down everything, and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::wire::PING;

/// A request as it has arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    pub method: String,
    pub target: String,
    /// Names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: usize,
}

impl Heard {
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// What an answer consists of.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// The same again and again, until nobody takes it any more.
    Endless(Vec<u8>),
    Wait(Duration),
    /// Reads until the other side is gone.
    UntilGone,
    Close,
}

/// An answer, before or behind the request's body.
#[derive(Debug, Clone)]
pub struct Reply {
    pub early: bool,
    pub steps: Vec<Step>,
}

impl Reply {
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            early: false,
            steps: steps.into_iter().collect(),
        }
    }

    /// These bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::of([Step::Send(bytes.as_ref().to_vec())])
    }

    /// 200, with the target as its body.
    pub fn echo(heard: &Heard) -> Self {
        let length = heard.target.len();
        Self::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{}",
            if heard.method == "HEAD" {
                ""
            } else {
                &heard.target
            }
        ))
    }
}

type Script = Arc<dyn Fn(&Heard) -> Reply + Send + Sync>;

struct Inner {
    heard: Mutex<Vec<Heard>>,
    faults: Mutex<Vec<String>>,
    script: Mutex<Script>,
    connections: AtomicUsize,
    gone: AtomicUsize,
}

#[derive(Clone)]
pub struct Recorder {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

impl Recorder {
    /// Answers everything with its own target.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            heard: Mutex::default(),
            faults: Mutex::default(),
            script: Mutex::new(Arc::new(Reply::echo)),
            connections: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, address, Arc::clone(&shared)));
            }
        });
        Self { address, inner }
    }

    pub fn answers(&self, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) {
        *self.inner.script.lock().unwrap() = Arc::new(script);
    }

    /// What has arrived since the last time.
    pub fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.inner.heard.lock().unwrap())
    }

    /// How many have arrived since then.
    pub fn heard(&self) -> usize {
        self.inner.heard.lock().unwrap().len()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// How often the other side has gone where that was waited for.
    pub fn gone(&self) -> usize {
        self.inner.gone.load(Ordering::SeqCst)
    }

    /// Nothing has arrived that a strict reader could read differently.
    #[track_caller]
    pub fn assert_clean(&self) {
        let faults = self.inner.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

async fn serve(mut stream: TcpStream, here: SocketAddr, inner: Arc<Inner>) {
    let mut buffer = Vec::new();
    loop {
        let head = match read_head(&mut stream, &mut buffer).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(fault) => return inner.faults.lock().unwrap().push(fault),
        };
        let mut request = match parse(&head, here) {
            Ok(request) => request,
            Err(fault) => {
                let head = String::from_utf8_lossy(&head).into_owned();
                return inner
                    .faults
                    .lock()
                    .unwrap()
                    .push(format!("{fault}: {head}"));
            }
        };
        if request.target == PING {
            if !play(&mut stream, &Reply::echo(&request).steps, &inner).await {
                return;
            }
            continue;
        }
        let script = Arc::clone(&*inner.script.lock().unwrap());
        let reply = script(&request);
        if reply.early {
            inner.heard.lock().unwrap().push(request.clone());
            if !play(&mut stream, &reply.steps, &inner).await {
                return;
            }
            if read_body(&mut stream, &mut buffer, &request)
                .await
                .is_none()
            {
                return;
            }
            continue;
        }
        let Some(body) = read_body(&mut stream, &mut buffer, &request).await else {
            return;
        };
        request.body = body;
        inner.heard.lock().unwrap().push(request);
        if !play(&mut stream, &reply.steps, &inner).await {
            return;
        }
    }
}

/// Answers; `false` where the connection has come to its end.
async fn play(stream: &mut TcpStream, steps: &[Step], inner: &Inner) -> bool {
    for step in steps {
        let done = match step {
            Step::Send(bytes) => stream.write_all(bytes).await.is_ok(),
            Step::Endless(bytes) => {
                while stream.write_all(bytes).await.is_ok() {}
                false
            }
            Step::Wait(time) => {
                tokio::time::sleep(*time).await;
                true
            }
            Step::UntilGone => {
                while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
                inner.gone.fetch_add(1, Ordering::SeqCst);
                false
            }
            Step::Close => false,
        };
        if !done {
            return false;
        }
    }
    true
}

/// The next head; `None` at the end.
async fn read_head(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Result<Option<Vec<u8>>, String> {
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let rest = buffer.split_off(end + 4);
            return Ok(Some(std::mem::replace(buffer, rest)));
        }
        match stream.read_buf(buffer).await {
            Ok(1..) => {}
            // Given up in the middle of a request is given up.
            Ok(0) if !buffer.is_empty() && find(buffer, b"\r\n").is_none() => {
                return Err(format!("not a head: {:?}", String::from_utf8_lossy(buffer)));
            }
            _ => return Ok(None),
        }
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn parse(head: &[u8], here: SocketAddr) -> Result<Heard, String> {
    // Values may have bytes beyond ASCII (RFC 9110 §5.5).
    let text = String::from_utf8_lossy(head);
    let bare = text.replace("\r\n", "");
    if bare.contains(['\r', '\n', '\0']) {
        return Err("a control character".to_owned());
    }
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else {
        return Err("not a request line".to_owned());
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a line without a colon")?;
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(format!("a name that is none: {name:?}"));
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let request = Heard {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: 0,
    };
    let (lengths, encodings) = (
        request.all("content-length"),
        request.all("transfer-encoding"),
    );
    let one_length = lengths.len() + encodings.len() <= 1;
    if !one_length || !encodings.iter().all(|it| *it == "chunked") {
        return Err("an ambiguous length".to_owned());
    }
    if request.all("host") != [here.to_string()] {
        return Err("another host".to_owned());
    }
    Ok(request)
}

/// Reads a body; `None` where it breaks off.
async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, heard: &Heard) -> Option<usize> {
    if let Some(length) = heard.all("content-length").first() {
        let length: usize = length.parse().ok()?;
        while buffer.len() < length {
            stream
                .read_buf(buffer)
                .await
                .ok()
                .filter(|read| *read > 0)?;
        }
        buffer.drain(..length);
        return Some(length);
    }
    if heard.all("transfer-encoding").is_empty() {
        return Some(0);
    }
    let mut whole = 0;
    loop {
        let end = loop {
            if let Some(end) = find(buffer, b"\r\n") {
                break end;
            }
            stream
                .read_buf(buffer)
                .await
                .ok()
                .filter(|read| *read > 0)?;
        };
        let size = std::str::from_utf8(&buffer[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        while buffer.len() < end + size + 4 {
            stream
                .read_buf(buffer)
                .await
                .ok()
                .filter(|read| *read > 0)?;
        }
        buffer.drain(..end + size + 4);
        whole += size;
        if size == 0 {
            return Some(whole);
        }
    }
}
