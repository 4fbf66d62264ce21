//! Sockets: opened, and their connections handed to the workers.

pub(crate) mod paced;
pub(crate) mod pulse;
mod tls;
mod unix;
pub(crate) mod worker;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use refrain::config;
use tokio::{net::TcpListener, task::JoinSet};

use self::{
    tls::Certificates,
    unix::UnixSocket,
    worker::{Accepted, Socket, Workers},
};
use crate::{authority::Authorities, connection::Peer, server::StartError};

/// The pause where a connection cannot be taken: out of file descriptors, usually, and the next attempt
/// would fail as fast.
const OUT_OF_BREATH: Duration = Duration::from_millis(50);

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
            Kind::Unix(socket) => socket.path().display().to_string(),
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
pub(crate) async fn open(config: &config::Server) -> Result<Vec<Listener>, StartError> {
    let mut listeners = Vec::new();
    if let Some(address) = config.listen {
        listeners.push(open_tcp(address, config).await?);
    }
    if let Some(path) = &config.socket {
        let kind = Kind::Unix(UnixSocket::open(path, &config.socket_uids)?);
        let authorities = Arc::new(Authorities::any());
        listeners.push(Listener { kind, authorities });
    }
    if listeners.is_empty() {
        return Err(StartError::Nowhere);
    }
    Ok(listeners)
}

async fn open_tcp(address: SocketAddr, config: &config::Server) -> Result<Listener, StartError> {
    let failed = |source: io::Error| refused(address.to_string(), source);
    let tls = match &config.tls {
        Some(files) => Some(Arc::new(Certificates::read(files)?)),
        None => None,
    };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let authorities = Authorities::of(address, tls.is_some(), &config.names);
    Ok(Listener {
        kind: Kind::Tcp(socket, address, tls),
        authorities: Arc::new(authorities),
    })
}

pub(super) fn refused(place: String, source: io::Error) -> StartError {
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { place },
        _ => StartError::Listen { place, source },
    }
}

/// Takes connections for as long as it is polled.
pub(crate) async fn accept_all(listeners: Vec<Listener>, workers: &Workers) {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, workers.clone()));
    }
    while accepting.join_next().await.is_some() {}
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
