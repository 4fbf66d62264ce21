//! Sockets: opened, and their connections handed to the workers.

pub(crate) mod inherited;
pub(crate) mod paced;
pub(crate) mod pulse;
mod seconds;
mod tls;
mod unix;
pub(crate) mod worker;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use refrain::config;
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use self::{
    tls::Certificates,
    unix::UnixSocket,
    worker::{Accepted, Socket, Workers},
};
use crate::{authority::Authorities, connection::Peer, server::StartError};

/// The pause where a connection cannot be taken: out of file descriptors, usually, and the next attempt
/// would fail as fast.
const OUT_OF_BREATH: Duration = Duration::from_millis(50);

/// So many connections may wait to be taken, if the system allows as many. Where there is no room for one, its
/// client tries again after a second and more, and all limits begin that much later.
const BACKLOG: u32 = 4096;

/// So many bytes of an answer lie in the system at most until the client takes them; its connections inherit it
/// of their listener. Left to itself the system lets them grow to megabytes each, and as long as they grow, a
/// client that takes nothing looks as if it did.
const UNTAKEN: usize = 256 * 1024;

/// So often it is looked whether a certificate was renewed.
const RENEWALS: Duration = Duration::from_secs(60);

/// An open socket.
#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    authorities: Arc<Authorities>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr, Option<Arc<Certificates>>),
    Unix(UnixSocket),
}

impl Listener {
    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        match &self.kind {
            Kind::Tcp(_, address, tls) => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{address}")
            }
            Kind::Unix(socket) => socket.place().to_owned(),
        }
    }

    fn renew(&self) {
        if let Kind::Tcp(_, _, Some(certificates)) = &self.kind {
            certificates.renew();
        }
    }

    /// The names that it answers to.
    pub(crate) fn authorities(&self) -> &Arc<Authorities> {
        &self.authorities
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(_, address, _) => Some(*address),
            Kind::Unix(_) => None,
        }
    }
}

/// Opens the sockets that the settings name.
pub(crate) fn open(config: &config::Server) -> Result<Vec<Listener>, StartError> {
    let mut listeners = Vec::new();
    if let Some(address) = config.listen {
        listeners.push(open_tcp(address, config)?);
    }
    if let Some(path) = &config.socket {
        listeners.push(unix(UnixSocket::open(path, &config.socket_uids)?));
    }
    if listeners.is_empty() {
        return Err(StartError::Nowhere);
    }
    Ok(listeners)
}

fn open_tcp(address: SocketAddr, config: &config::Server) -> Result<Listener, StartError> {
    let failed = |source: io::Error| refused(address.to_string(), source);
    let socket = bind(address).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    tcp(socket, address, config)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a server that has just ended do not keep the next one from its address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn tcp(
    socket: TcpListener,
    address: SocketAddr,
    config: &config::Server,
) -> Result<Listener, StartError> {
    let tls = match &config.tls {
        Some(files) => Some(Arc::new(Certificates::read(files)?)),
        None => None,
    };
    sockopt::set_socket_send_buffer_size(&socket, UNTAKEN)
        .map_err(|source| refused(address.to_string(), source.into()))?;
    let authorities = Authorities::of(address, tls.is_some(), &config.names);
    Ok(Listener {
        kind: Kind::Tcp(socket, address, tls),
        authorities: Arc::new(authorities),
    })
}

fn unix(socket: UnixSocket) -> Listener {
    Listener {
        kind: Kind::Unix(socket),
        authorities: Arc::new(Authorities::any()),
    }
}

pub(super) fn refused(place: String, source: io::Error) -> StartError {
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { place },
        _ => StartError::Listen { place, source },
    }
}

/// Takes connections until it is told to stop. When it returns, every socket is closed: whoever opens the same
/// one next finds it free.
pub(crate) async fn accept_until(
    told: impl Future<Output = ()>,
    listeners: Vec<Listener>,
    workers: &Workers,
) {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, workers.clone()));
    }
    let all_ended = async { while accepting.join_next().await.is_some() {} };
    tokio::select! {
        () = all_ended => {}
        () = told => {}
    }
    accepting.shutdown().await;
}

async fn accept(listener: Listener, workers: Workers) {
    let mut renewals = tokio::time::interval(RENEWALS);
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener) => accepted,
            _ = renewals.tick() => {
                listener.renew();
                continue;
            }
        };
        match accepted {
            Ok(Some(accepted)) => workers.take(accepted),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, place = listener.place(), "a connection could not be taken");
                tokio::time::sleep(OUT_OF_BREATH).await;
            }
        }
    }
}

async fn accept_one(listener: &Listener) -> io::Result<Option<Accepted>> {
    let authorities = Arc::clone(&listener.authorities);
    let (socket, peer) = match &listener.kind {
        Kind::Tcp(socket, _, tls) => {
            let (stream, address) = socket.accept().await?;
            stream.set_nodelay(true)?;
            // Its worker has a reactor of its own.
            let stream = stream.into_std()?;
            let tls = tls.as_ref().map(Arc::clone);
            (Socket::Tcp(stream, tls), Peer::Address(address))
        }
        Kind::Unix(socket) => match socket.accept().await? {
            Some((stream, uid)) => (Socket::Unix(stream), Peer::User(uid)),
            None => return Ok(None),
        },
    };
    Ok(Some(Accepted {
        socket,
        peer,
        authorities,
    }))
}
