//! The server as a whole: its sockets, its workers, and how it stops.

use std::{
    fmt, io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use refrain::{
    Error, Refrain,
    access::ApiKey,
    config::{self, SessionKeep},
    limit::Gates,
    session::SessionToken,
    time::Clock,
    transport::dial::{Dialer, Versions},
};
use tokio::{runtime::Handle, sync::watch};
use tracing::Instrument as _;

use crate::{
    app::{App, AppError},
    audit::Audit,
    body::BoxError,
    dashboard::Lookout,
    doors::Doors,
    fault::{Fault, code},
    front::Front,
    listen::{
        self, Listener,
        inherited::{self, Inherited},
        worker::Workers,
    },
    metrics::Metrics,
    notices::{self, Notices},
    request_id::Ids,
    session::{carrier::Carrier, sweep},
    shown::Remembered,
};

/// How long requests that are under way may take once the server is told to stop.
const STOPPING: Duration = Duration::from_secs(15);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program has the address.
    #[error("another program listens on {place}")]
    InUse {
        /// The address or path.
        place: String,
    },
    /// The system refuses.
    #[error("cannot listen on {place}")]
    Listen {
        /// The address or path.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A socket that was handed over is no place where anybody could connect.
    #[error("the socket that was handed over at {place} does not listen")]
    NotListening {
        /// The address or path.
        place: String,
    },
    /// A socket that was handed over would carry keys and tokens in the clear.
    #[error(
        "the socket that was handed over at {address} is reached by other machines, and without TLS they could read keys and tokens"
    )]
    PlainHttp {
        /// The address.
        address: SocketAddr,
    },
    /// The store does not say which limits of Spotify's are to be kept.
    #[error(transparent)]
    Refrain(Error),
    /// The single-page app is of no use.
    #[error(transparent)]
    App(#[from] AppError),
    /// A single-page app is to be served to users who cannot sign in.
    #[error("there is a single-page app, and no app whose users may sign in to it")]
    AppWithoutSessions,
    /// There is nowhere to listen.
    #[error("the server is to listen nowhere")]
    Nowhere,
    /// The certificate or its key is of no use.
    #[error("the certificate in {} cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// No connection to the API could ever be made.
    #[error("no connection to Spotify can be made")]
    Dialer(#[source] BoxError),
    /// The system gives no thread.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
}

impl StartError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "address_in_use",
            Self::Listen { .. } => "cannot_listen",
            Self::NotListening { .. } => "socket_not_listening",
            Self::PlainHttp { .. } => "plain_http",
            Self::Refrain(error) => error.code(),
            Self::App(_) => "app_dir",
            Self::AppWithoutSessions => "app_without_sessions",
            Self::Nowhere => "listens_nowhere",
            Self::Certificate { .. } => "certificate",
            Self::Dialer(_) => "tls",
            Self::Worker(_) => "no_thread",
        }
    }
}

/// What all workers share.
pub(crate) struct Shared {
    refrain: Refrain,
    /// The runtime that outlives all connections: whatever must not end with one of them runs there.
    home: Handle,
    keys: Arc<Remembered<ApiKey>>,
    sessions: Arc<Remembered<SessionToken>>,
    carrier: Option<Arc<Carrier>>,
    gates: Gates,
    doors: Doors,
    front: Front,
    app: Option<App>,
    ids: Ids,
    audit: Audit,
    lookout: Lookout,
    metrics: Metrics,
    notices: OnceLock<Arc<Notices>>,
    stop: watch::Receiver<bool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    pub(crate) fn refrain(&self) -> &Refrain {
        &self.refrain
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.refrain.parts().clock
    }

    pub(crate) fn keys(&self) -> &Arc<Remembered<ApiKey>> {
        &self.keys
    }

    pub(crate) fn sessions(&self) -> &Arc<Remembered<SessionToken>> {
        &self.sessions
    }

    /// The sessions whose browsers carry their tokens themselves, where they do.
    pub(crate) fn carrier(&self) -> Option<&Arc<Carrier>> {
        self.carrier.as_ref()
    }

    pub(crate) fn gates(&self) -> &Gates {
        &self.gates
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    /// How many refreshes of this process ended in which way.
    pub(crate) fn refreshes(&self) -> Vec<(&'static str, u64)> {
        let mut refreshes = self.refrain.refreshes();
        let carried = self.carrier.as_ref().map(|it| it.refrain().refreshes());
        for (outcome, count) in carried.into_iter().flatten() {
            match refreshes.iter_mut().find(|(other, _)| *other == outcome) {
                Some((_, known)) => *known = known.saturating_add(count),
                None => refreshes.push((outcome, count)),
            }
        }
        refreshes
    }

    /// How browsers reach this server.
    pub(crate) fn front(&self) -> &Front {
        &self.front
    }

    /// The single-page app beside the API, if there is one.
    pub(crate) fn app(&self) -> Option<&App> {
        self.app.as_ref()
    }

    /// Where requests get their numbers.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Who has done what.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What a glance over all grants has told.
    pub(crate) fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Who is told of grants without asking, if anybody is.
    pub(crate) fn notices(&self) -> Option<&Arc<Notices>> {
        self.notices.get().filter(|notices| !notices.is_empty())
    }

    /// Whether the server is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Tells when it is.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// The origin that links of the API begin with.
    pub(crate) fn api_origin(&self) -> String {
        self.refrain.parts().provider.api.to_string()
    }

    /// An error of the library as a fault.
    pub(crate) fn fault(&self, error: &Error) -> Fault {
        Fault::refrain(error, self.clock().wall())
    }

    /// Does something where it outlives the connection that asked for it.
    ///
    /// # Errors
    /// Where the server stops meanwhile, or it has panicked.
    pub(crate) async fn at_home<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Fault> {
        let work = work.in_current_span();
        self.home.spawn(work).await.map_err(|error| {
            let code = if error.is_panic() {
                code::BROKE_OFF
            } else {
                code::STOPPING
            };
            let what = "the server could not finish what was asked";
            Fault::later(code, what, Duration::from_secs(5))
        })
    }

    /// Does something that nobody waits for.
    pub(crate) fn behind(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.home.spawn(work.in_current_span());
    }
}

/// One for each processor.
fn workers() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    workers: Workers,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Opens the sockets; the server begins to serve with [`run`](Self::run).
    ///
    /// # Errors
    /// Where a socket cannot be opened or a file cannot be used; nothing is left behind.
    pub async fn bind(config: &config::Server, refrain: Refrain) -> Result<Self, StartError> {
        Self::at(listen::open(config)?, config, refrain).await
    }

    /// The same with sockets that somebody else has opened, instead of those that the settings name.
    ///
    /// # Errors
    /// Where one of them cannot be used, or a file cannot.
    pub async fn adopt(
        sockets: Vec<Inherited>,
        config: &config::Server,
        refrain: Refrain,
    ) -> Result<Self, StartError> {
        Self::at(inherited::open(sockets, config)?, config, refrain).await
    }

    async fn at(
        listeners: Vec<Listener>,
        config: &config::Server,
        refrain: Refrain,
    ) -> Result<Self, StartError> {
        let gates = refrain.gates().await.map_err(StartError::Refrain)?;
        if config.app_dir.is_some() && config.sessions.app.is_none() {
            return Err(StartError::AppWithoutSessions);
        }
        let in_cookies =
            config.sessions.app.is_some() && config.sessions.keep == SessionKeep::Cookie;
        let carrier = in_cookies.then(|| Carrier::new(&refrain).map(Arc::new));
        let carrier = carrier.transpose().map_err(StartError::Refrain)?;
        let app = config.app_dir.as_deref().map(App::read).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let parts = refrain.parts();
        let dialer = Dialer::new(&parts.network, Versions::Http1Or2).map_err(StartError::Dialer)?;
        let ids =
            Ids::new(parts.random.as_ref()).map_err(|error| StartError::Refrain(error.into()))?;
        let shared = Arc::new(Shared {
            home: Handle::current(),
            keys: Arc::default(),
            sessions: Arc::default(),
            carrier,
            gates,
            doors: Doors::default(),
            app,
            front: Front::of(&listeners, config, &refrain),
            audit: Audit::new(ids.process()),
            ids,
            lookout: Lookout::default(),
            metrics: Metrics::new(),
            notices: OnceLock::new(),
            stop: stopped,
            refrain,
        });
        let workers = Workers::start(workers(), &Arc::new(dialer), &shared)?;
        Ok(Self {
            listeners,
            workers,
            shared,
            stop,
        })
    }

    /// Tells of grants without being asked, for as long as it runs. Without this nobody is told anything. Where
    /// the settings name nobody, what was meant for those of earlier settings is forgotten.
    ///
    /// # Errors
    /// Where no connection could ever be made.
    pub fn telling(self, settings: &config::Notices) -> Result<Self, StartError> {
        let parts = self.shared.refrain.parts();
        let notices = Notices::new(settings, &parts.network, &parts.sealer)?;
        self.shared.notices.get_or_init(|| Arc::new(notices));
        Ok(self)
    }

    /// Where it listens: addresses and paths.
    pub fn places(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::place).collect()
    }

    /// What lies in the folder of the web app and is never served, because its path is the server's own.
    pub fn hidden(&self) -> &[String] {
        self.shared.app.as_ref().map_or(&[], App::hidden)
    }

    /// The TCP address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listeners.iter().find_map(Listener::address)
    }

    /// Serves until told to stop: then no connection is taken any more, requests that are under way are
    /// answered, fifteen seconds at most, and the sockets are gone. Refreshes are the library's, which the
    /// caller closes after this.
    pub async fn run(self, told: impl Future<Output = ()>) {
        let notices = self.shared.notices.get();
        let telling = notices.map(|notices| notices.start(&self.shared));
        let shared = &self.shared;
        if shared.front().sessions().is_some() {
            shared.behind(sweep::run(Arc::clone(shared)));
        }
        listen::accept_until(told, self.listeners, &self.workers).await;
        self.stop.send_replace(true);
        let told = async {
            if let Some(telling) = telling {
                notices::finish(telling, STOPPING).await;
            }
        };
        tokio::join!(self.workers.finish(STOPPING), told);
        if let Some(carrier) = self.shared.carrier() {
            carrier.refrain().close(STOPPING).await;
        }
    }
}
