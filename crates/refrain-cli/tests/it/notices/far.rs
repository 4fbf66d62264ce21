//! Whoever is told far away, and the proxy on the way there.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use self::certificates::Certificates;

#[path = "../../../../refrain/tests/support/certificates.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the tests of the stores do more with it, and elsewhere"
)]
pub(crate) mod certificates;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A web server that says 204 to whatever it hears.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    heard: mpsc::Receiver<Option<String>>,
}

impl Receiver {
    /// One that shows a certificate.
    pub(crate) fn with(certificates: &Certificates) -> Self {
        let files = certificates.authority();
        let file = |name| files.with_file_name(name);
        let shown = CertificateDer::from_pem_file(file("server.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![shown], key).unwrap());
        let (tell, heard) = mpsc::channel();
        let port = listen(move |socket| {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A test that has its answer does not wait for another.
            drop(tell.send(hear(StreamOwned::new(tls, socket)).ok()));
        });
        Self { port, heard }
    }

    /// What is heard next; `None` where somebody came and said nothing.
    pub(crate) fn next(&self) -> Option<String> {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }
}

/// A proxy that knows every name, and that all of them are one place.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    asked: mpsc::Receiver<String>,
}

impl Proxy {
    pub(crate) fn to(target: u16) -> Self {
        let (tell, asked) = mpsc::channel();
        let port = listen(move |mut socket| {
            let head = until_blank(&mut socket).unwrap();
            drop(tell.send(head));
            let there = TcpStream::connect(("127.0.0.1", target)).unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (from, to) = (socket.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || pass_on(from, to));
            pass_on(there, socket);
        });
        Self { port, asked }
    }

    /// What it is asked next.
    pub(crate) fn next(&self) -> String {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }
}

/// Where certificates are.
fn folder(prefix: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir().unwrap()
}

/// Who runs the receiver is whoever runs the test, and needs to be given nothing.
fn give_away(_: &Path) {}

/// Listens; on which port.
fn listen(mut serve: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            serve(socket.unwrap());
        }
    });
    port
}

fn hear(mut stream: impl Read + Write) -> io::Result<String> {
    let head = until_blank(&mut stream)?;
    let length = head
        .lines()
        .find_map(|it| it.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    stream.flush()?;
    Ok(head + &String::from_utf8(body).unwrap())
}

/// The head of a message.
fn until_blank(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// Passes on what comes, to its end.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // However it ends, the other side hears that it has.
    drop(io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Write));
}
