//! Workers: threads that serve connections, each with a runtime and a way to the API of its own.
//!
//! A connection stays with one worker, and so do the connections to the API that its requests go out on, so
//! that nothing of a request crosses to another processor.

use std::{
    num::NonZeroUsize,
    os::unix::net::UnixStream as StdUnixStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use refrain::transport::dial::Dialer;
use tokio::{
    net::{TcpStream, UnixStream},
    runtime::Builder,
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};

use super::{pulse::Sweep, seconds::Seconds, tls::Certificates};
use crate::{
    authority::Authorities,
    connection::{self, Connection, Peer},
    proxy::upstream::Upstream,
    server::{Shared, StartError},
};

/// So many connections one worker has at most; who comes then is turned away.
const MOST: usize = 4096;
/// A TLS handshake may take this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection that was taken and is to be served.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
    pub(crate) authorities: Arc<Authorities>,
}

/// Its socket, not bound to any reactor.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(std::net::TcpStream, Option<Arc<Certificates>>),
    Unix(StdUnixStream),
}

/// All workers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    jobs: Arc<[mpsc::UnboundedSender<Accepted>]>,
    next: Arc<AtomicUsize>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Closed when the last worker has ended.
    alive: watch::Receiver<()>,
}

impl Workers {
    /// Starts them.
    pub(crate) fn start(
        number: NonZeroUsize,
        dialer: &Arc<Dialer>,
        shared: &Arc<Shared>,
    ) -> Result<Self, StartError> {
        let (living, alive) = watch::channel(());
        let living = Arc::new(living);
        let (mut jobs, mut threads) = (Vec::new(), Vec::new());
        for number in 0..number.get() {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(StartError::Worker)?;
            let api = shared.refrain().parts().provider.api.clone();
            let sweep = Sweep::new();
            let upstream = Upstream::new(api, Arc::clone(dialer), sweep.seconds());
            let upstream = upstream.map_err(StartError::Dialer)?;
            let (give, take) = mpsc::unbounded_channel();
            let worker = Worker {
                shared: Arc::clone(shared),
                upstream,
                sweep,
            };
            let living = Arc::clone(&living);
            let name = format!("worker-{number}");
            let thread = thread::Builder::new().name(name).spawn(move || {
                runtime.block_on(worker.run(take));
                drop(living);
            });
            threads.push(thread.map_err(StartError::Worker)?);
            jobs.push(give);
        }
        Ok(Self {
            jobs: jobs.into(),
            next: Arc::default(),
            threads: Arc::new(Mutex::new(threads)),
            alive,
        })
    }

    /// Hands a connection to one of them, in turn.
    pub(crate) fn take(&self, accepted: Accepted) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = next.checked_rem(self.jobs.len()).unwrap_or(0);
        if let Some(jobs) = self.jobs.get(turn)
            && jobs.send(accepted).is_err()
        {
            tracing::debug!("a connection came after the worker had ended");
        }
    }

    /// Waits until they have ended, after they were told to stop; so long at most.
    pub(crate) async fn finish(self, most: Duration) {
        let Self {
            jobs,
            threads,
            mut alive,
            ..
        } = self;
        drop(jobs);
        // An error is what it waits for: nobody holds the other end any more.
        let ended = async { while alive.changed().await.is_ok() {} };
        if time::timeout(most, ended).await.is_err() {
            tracing::warn!("requests were cut off: they took too long to end");
            return;
        }
        let threads = std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker has panicked");
            }
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    upstream: Arc<Upstream>,
    sweep: Sweep,
}

impl Worker {
    /// Serves what it is given until it is told to stop, and then what is under way.
    async fn run(self, mut jobs: mpsc::UnboundedReceiver<Accepted>) {
        let mut stop = self.shared.stopping();
        let mut connections = JoinSet::new();
        let mut seconds = Seconds::begin();
        let mut stopped = false;
        loop {
            tokio::select! {
                Some(accepted) = jobs.recv(), if !stopped => {
                    if connections.len() < MOST {
                        self.begin(accepted, &mut connections);
                    }
                }
                _ = connections.join_next(), if !connections.is_empty() => {}
                passed = seconds.pass() => self.sweep.pass(passed),
                _ = stop.wait_for(|stop| *stop), if !stopped => stopped = true,
            }
            if stopped && connections.is_empty() {
                return;
            }
        }
    }

    fn begin(&self, accepted: Accepted, connections: &mut JoinSet<()>) {
        let Accepted {
            socket,
            peer,
            authorities,
        } = accepted;
        let connection = Connection::new(
            peer,
            authorities,
            self.sweep.pulse(),
            Arc::clone(&self.upstream),
            Arc::clone(&self.shared),
        );
        let stop = self.shared.stopping();
        connections.spawn(async move {
            if let Err(error) = begun(socket, connection, stop).await {
                tracing::debug!(%error, %peer, "a connection came to nothing");
            }
        });
    }
}

async fn begun(
    socket: Socket,
    connection: Arc<Connection>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    match socket {
        Socket::Unix(stream) => {
            let stream = UnixStream::from_std(stream)?;
            connection::serve(stream, false, connection, stop).await;
        }
        Socket::Tcp(stream, None) => {
            let stream = TcpStream::from_std(stream)?;
            connection::serve(stream, false, connection, stop).await;
        }
        Socket::Tcp(stream, Some(tls)) => {
            let stream = TcpStream::from_std(stream)?;
            let handshake = time::timeout(HANDSHAKE, tls.acceptor().accept(stream));
            let stream = handshake.await??;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            connection::serve(stream, http2, connection, stop).await;
        }
    }
    Ok(())
}
