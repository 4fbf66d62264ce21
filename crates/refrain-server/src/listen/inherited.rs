//! Sockets that somebody else has opened and handed over, such as systemd: they outlive the server, so that
//! nobody is turned away while it is started anew.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdTcpListener},
    os::{fd::AsFd, unix::net::UnixListener as StdUnixListener},
};

use refrain::config;
use rustix::net::sockopt::socket_acceptconn;
use tokio::net::TcpListener;

use super::{Listener, refused, tcp, unix, unix::UnixSocket};
use crate::server::StartError;

/// A socket that somebody else has opened.
#[derive(Debug)]
pub enum Inherited {
    /// For TCP, with TLS where the settings name a certificate.
    Tcp(StdTcpListener),
    /// For processes of this machine.
    Unix(StdUnixListener),
}

/// Makes listeners of sockets that were handed over.
pub(crate) fn open(
    sockets: Vec<Inherited>,
    config: &config::Server,
) -> Result<Vec<Listener>, StartError> {
    if sockets.is_empty() {
        return Err(StartError::Nowhere);
    }
    let sockets = sockets.into_iter();
    sockets.map(|socket| adopt(socket, config)).collect()
}

fn adopt(socket: Inherited, config: &config::Server) -> Result<Listener, StartError> {
    let place = place(&socket);
    let failed = |source| refused(place.clone(), source);
    check(&socket, &place)?;
    match socket {
        Inherited::Tcp(socket) => {
            let address = socket.local_addr().map_err(failed)?;
            if !config.is_private_at(address) {
                return Err(StartError::PlainHttp { address });
            }
            let socket = awaited(socket).map_err(failed)?;
            tcp(socket, address, config)
        }
        Inherited::Unix(socket) => {
            let socket = UnixSocket::adopt(socket, place.clone(), &config.socket_uids);
            Ok(unix(socket.map_err(failed)?))
        }
    }
}

/// One that is connected (`Accept=yes` in a unit) would fail at the first connection, and say nothing of why.
fn check(socket: &Inherited, place: &str) -> Result<(), StartError> {
    let socket = match socket {
        Inherited::Tcp(socket) => socket.as_fd(),
        Inherited::Unix(socket) => socket.as_fd(),
    };
    // Where the system does not tell, the first connection does.
    if socket_acceptconn(socket).unwrap_or(true) {
        return Ok(());
    }
    Err(StartError::NotListening {
        place: place.to_owned(),
    })
}

fn awaited(socket: StdTcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Where it is, for people.
fn place(socket: &Inherited) -> String {
    let place = match socket {
        Inherited::Tcp(socket) => socket.local_addr().as_ref().map(SocketAddr::to_string).ok(),
        Inherited::Unix(socket) => socket.local_addr().ok().and_then(|address| {
            let path = address.as_pathname()?;
            Some(path.display().to_string())
        }),
    };
    place.unwrap_or_else(|| "a Unix socket without a path".to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn code(socket: Inherited) -> &'static str {
        let config = config::Server::default();
        open(vec![socket], &config).map_or_else(|error| error.code(), |_| "it listens")
    }

    #[tokio::test]
    async fn what_listens_for_this_machine_is_taken() {
        let tcp = StdTcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(code(Inherited::Tcp(tcp)), "it listens");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let unix = StdUnixListener::bind(&path).unwrap();
        assert_eq!(code(Inherited::Unix(unix)), "it listens");
        assert!(path.exists(), "the file is not refrain's");
    }

    #[tokio::test]
    async fn what_is_open_to_other_machines_wants_tls() {
        for address in ["0.0.0.0:0", "[::]:0"] {
            // There may be no IPv6 here.
            if let Ok(socket) = StdTcpListener::bind(address) {
                assert_eq!(code(Inherited::Tcp(socket)), "plain_http");
            }
        }
    }

    #[tokio::test]
    async fn what_is_connected_is_refused() {
        let there = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let connected = TcpStream::connect(there.local_addr().unwrap()).unwrap();
        let connected = std::os::fd::OwnedFd::from(connected);
        let socket = Inherited::Tcp(connected.into());
        assert_eq!(code(socket), "socket_not_listening");
    }
}
