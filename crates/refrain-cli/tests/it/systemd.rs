//! `refrain serve` as systemd starts it: told when to begin, and with sockets in its hands.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::Command,
    time::Duration,
};

use crate::home::{Home, Output, REDIRECT, Running, get};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// Whoever wants to know how far the server is.
fn manager(home: &Home) -> UnixDatagram {
    let socket = UnixDatagram::bind(home.path().join("notify")).unwrap();
    let patience = Some(Duration::from_secs(30));
    socket.set_read_timeout(patience).unwrap();
    socket
}

fn heard(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

fn notifying(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.env("NOTIFY_SOCKET", home.path().join("notify"));
    command
}

/// Hands over what it finds at its standard input, as often as it is told.
const HAND_OVER: &str = "export LISTEN_PID=$$ LISTEN_FDS; exec \"$0\" \"$@\" 3<&0 4<&0 0</dev/null";

/// The command with sockets in its hands: as often the same one as `number` says.
fn handed(home: &Home, socket: impl Into<OwnedFd>, number: &str, args: &[&str]) -> Command {
    let binary = env!("CARGO_BIN_EXE_refrain");
    let args = [&["-c", HAND_OVER, binary], args].concat();
    let mut command = home.program("/bin/sh", &args);
    command.env("LISTEN_FDS", number).stdin(socket.into());
    command
}

/// A configuration that cannot be served at: the address is taken.
fn taken(home: &Home) -> TcpListener {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    home.configure(REDIRECT, &format!("[server]\nlisten = \"{address}\"\n"));
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_hears_when_it_serves_and_when_it_stops() {
    let home = Home::new().await;
    let manager = manager(&home);
    let mut server = Running::start(&mut notifying(&home, &SERVE));
    assert_eq!(heard(&manager), "READY=1\n");
    let line = server.error_line("refrain serves at ");
    let at = line.rsplit(' ').next().unwrap();
    assert!(get(&format!("{at}/readyz")).contains("\"ready\":true"));
    server.interrupt();
    assert_eq!(heard(&manager), "STOPPING=1\n");
    server.wait().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_hears_nothing_of_a_server_that_cannot_start() {
    let home = Home::new().await;
    let manager = manager(&home);
    let _taken = taken(&home);
    let output = Output::of(&mut notifying(&home, &["--json", "serve"]));
    output.failed(5, "address_in_use");
    manager.set_nonblocking(true).unwrap();
    let error = manager.recv(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inherited_socket_stands_in_the_place_of_the_configured_ones() {
    let home = Home::new().await;
    let _taken = taken(&home);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Whoever comes before the server waits for it.
    let mut early = TcpStream::connect(address).unwrap();
    write!(early, "GET /healthz HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut server = Running::of(&mut handed(&home, socket, "1", &["serve"]));
    let line = server.error_line("refrain serves at ");
    assert_eq!(line, format!("refrain serves at http://{address}"));
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("200 OK"), "{answer}");
    server.interrupt();
    server.wait().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inherited_unix_socket_knows_its_callers_and_its_file_stays() {
    let home = Home::new().await;
    home.login("alice");
    let path = home.path().join("handed");
    let socket = UnixListener::bind(&path).unwrap();
    let mut server = Running::of(&mut handed(&home, socket, "2", &["serve"]));
    for _ in 0..2 {
        let line = server.error_line("refrain serves at ");
        assert_eq!(line, format!("refrain serves at {}", path.display()));
    }
    let mut stream = UnixStream::connect(&path).unwrap();
    let request = "GET /refrain/v1/grants HTTP/1.0\r\nHost: refrain\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("alice"), "{answer}");
    server.interrupt();
    server.wait().ok();
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name() {
    let home = Home::new().await;
    let local = || TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = |socket: OwnedFd, number: &str, args: &[&str], exit, code| {
        let args = [&["--json"], args].concat();
        Output::of(&mut handed(&home, socket, number, &args)).failed(exit, code);
    };
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    refused(datagrams.into(), "1", &["serve"], 6, "inherited_socket");
    let there = local();
    let connected = TcpStream::connect(there.local_addr().unwrap()).unwrap();
    refused(connected.into(), "1", &["serve"], 6, "socket_not_listening");
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    refused(open.into(), "1", &["serve"], 6, "plain_http");
    // The third was never handed over.
    refused(local().into(), "3", &["serve"], 6, "inherited_socket");
    refused(local().into(), "many", &["serve"], 6, "listen_fds");
    refused(local().into(), "1", &SERVE, 2, "usage");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_another_process_are_left_alone() {
    let home = Home::new().await;
    let mut command = home.command(&SERVE);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "many");
    let mut server = Running::start(&mut command);
    server.error_line("refrain serves at http://127.0.0.1:");
    server.interrupt();
    server.wait().ok();
}
