//! A simulator, a refrain that is signed in at it, and its server.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    panic::Location,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use refrain::{
    Refrain,
    access::{Grants, Permission},
    config::{self, App, SessionKeep},
    id::{AppName, GrantId},
    keeper::{Parts, keys::NewKey, login::LoginRequest},
    lifecycle::{
        Change, GrantRow,
        row::{Consent, Status},
    },
    oauth::transport::Transport,
    random::SystemRandom,
    store::{Store, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_server::Server;
use refrain_sim::{Profile, Sim};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::assembled::{Owner, log_in, request};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the server may send users.
pub const RETURN_TO: [&str; 2] = ["https://app.example/done", "http://127.0.0.1:3000"];

pub struct World {
    pub sim: Sim,
    pub clock: Arc<ManualClock>,
    pub refrain: Refrain,
    pub address: SocketAddr,
    /// Its Unix socket lies in there.
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl World {
    /// With the grant `alice` signed in.
    pub async fn new(profile: Profile) -> Self {
        Self::with(profile, |_| ()).await
    }

    /// Where nobody has signed in yet.
    pub async fn empty() -> Self {
        let setting = Setting {
            empty: true,
            ..Setting::default()
        };
        Self::serving(Profile::default(), |_| (), &setting).await
    }

    /// Where users sign in with a browser.
    pub async fn with_sessions(profile: Profile) -> Self {
        let setting = Setting {
            sessions: Some("default"),
            ..Setting::default()
        };
        Self::serving(profile, |_| (), &setting).await
    }

    /// Where browsers carry their tokens themselves, over a transport.
    pub async fn carrying(
        profile: Profile,
        transport: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> Self {
        let change = |parts: &mut Parts| parts.transport = transport(Arc::clone(&parts.transport));
        Self::serving(profile, change, &Setting::carrying()).await
    }

    /// The same, with somebody between the server and its store.
    pub async fn carrying_behind(
        profile: Profile,
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let change = |parts: &mut Parts| parts.store = between(Arc::clone(&parts.store));
        Self::serving(profile, change, &Setting::carrying()).await
    }

    /// Where users sign in with a browser, with somebody between the server and its store.
    pub async fn with_sessions_behind(
        profile: Profile,
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let setting = Setting {
            sessions: Some("default"),
            ..Setting::default()
        };
        let change = |parts: &mut Parts| parts.store = between(Arc::clone(&parts.store));
        Self::serving(profile, change, &setting).await
    }

    /// With the web app in a folder, whose sessions are kept so, over a transport.
    pub async fn with_web_app(
        profile: Profile,
        folder: &Path,
        keep: SessionKeep,
        transport: impl FnOnce(Arc<dyn Transport>) -> Arc<dyn Transport>,
    ) -> Self {
        let setting = Setting {
            sessions: Some("default"),
            in_cookies: keep == SessionKeep::Cookie,
            app_dir: Some(folder.to_owned()),
            ..Setting::default()
        };
        let change = |parts: &mut Parts| parts.transport = transport(Arc::clone(&parts.transport));
        Self::serving(profile, change, &setting).await
    }

    /// With somebody between it and its store.
    pub async fn behind(
        profile: Profile,
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        Self::with(profile, |parts| {
            parts.store = between(Arc::clone(&parts.store));
        })
        .await
    }

    /// With other apps, of which `default` is the one that alice signs in at.
    pub async fn with_apps(
        profile: Profile,
        change: impl FnOnce(&mut BTreeMap<AppName, App>),
    ) -> Self {
        Self::with(profile, |parts| change(&mut parts.apps)).await
    }

    /// With somebody who is told of grants without asking.
    pub async fn telling(notices: &config::Notices) -> Self {
        Self::serving(Profile::default(), |_| (), &Setting::telling(notices)).await
    }

    async fn with(profile: Profile, change: impl FnOnce(&mut Parts)) -> Self {
        Self::serving(profile, change, &Setting::default()).await
    }

    async fn serving(profile: Profile, change: impl FnOnce(&mut Parts), setting: &Setting) -> Self {
        let sim = Sim::start(profile).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let clock_of_parts = Arc::clone(&clock) as Arc<dyn Clock>;
        let mut parts = Owner::new().parts(&sim, clock_of_parts, store);
        for app in parts.apps.values_mut() {
            // Wherever the server will listen.
            app.redirect_uri = "http://127.0.0.1/callback".parse().unwrap();
        }
        change(&mut parts);
        let refrain = Refrain::from_parts(parts).unwrap();
        if !setting.empty {
            sign_in(&refrain, &sim, "alice").await;
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let (address, stop, server) = serve(&refrain, socket, setting).await;
        Self {
            sim,
            clock,
            refrain,
            address,
            folder,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// Another server on the same store, when this one has ended.
    pub async fn serve_again(&mut self, notices: &config::Notices) {
        let socket = self.folder.path().join("socket");
        let (address, stop, server) =
            serve(&self.refrain, socket, &Setting::telling(notices)).await;
        self.address = address;
        self.stop = Some(stop);
        self.server = Some(server);
    }

    /// The same process anew, at the same address, where browsers carry their tokens themselves.
    pub async fn restart_carrying(&mut self) {
        self.stop().await;
        let socket = self.folder.path().join("socket");
        let setting = Setting {
            at: Some(self.address),
            ..Setting::carrying()
        };
        let (_, stop, server) = serve(&self.refrain, socket, &setting).await;
        self.stop = Some(stop);
        self.server = Some(server);
    }

    /// Another of those on the same store, beside this one.
    pub async fn carry_beside(&self) -> Serving {
        let socket = self.folder.path().join("another-socket");
        serve(&self.refrain, socket, &Setting::carrying()).await
    }

    /// Another server on the same store, beside this one.
    pub async fn serve_beside(&self, notices: &config::Notices) -> Serving {
        let socket = self.folder.path().join("another-socket");
        serve(&self.refrain, socket, &Setting::telling(notices)).await
    }

    /// A key for `alice`.
    pub async fn key(&self, permissions: &[Permission]) -> String {
        self.key_of(NewKey {
            name: "a-key".parse().unwrap(),
            grants: Grants::from_iter(["alice".parse().unwrap()]),
            permissions: permissions.iter().copied().collect(),
            rewrite_links: false,
            lifetime: None,
        })
        .await
    }

    pub async fn key_of(&self, new: NewKey) -> String {
        let (key, _) = self.refrain.create_key(new).await.unwrap();
        key.expose().to_owned()
    }

    /// Another grant, `bob`.
    pub async fn with_bob(self) -> Self {
        self.sign_in("bob").await;
        self
    }

    /// As many more grants, of names that begin with one: each day the consent of one ends, the last one's first.
    pub async fn with_many(&self, beginning: &str, many: u64) {
        let now = self.clock_wall();
        for number in 0..many {
            let (name, app) = (format!("{beginning}{number:05}"), "default");
            let (name, app) = (name.parse().unwrap(), app.parse().unwrap());
            let id = GrantId::random(&SystemRandom).unwrap();
            let end = now
                .after(Duration::from_secs(24 * 60 * 60) * u32::try_from(many - number).unwrap());
            let row = GrantRow {
                status: Status::Active,
                consent: Some(Consent {
                    authorized_at: now,
                    reauthorize_by: end,
                    latest: None,
                }),
                ..GrantRow::blank(id, name, app, "client".parse().unwrap(), now)
            };
            let change = Change {
                row,
                events: Vec::new(),
                forgets: false,
            };
            self.refrain.parts().store.insert(&change).await.unwrap();
        }
    }

    pub async fn sign_in(&self, name: &str) {
        sign_in(&self.refrain, &self.sim, name).await;
    }

    /// A key of a name of its own, with these permissions for these grants.
    pub async fn key_for(&self, grants: Grants, permissions: &[Permission]) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.key_of(NewKey {
            name: format!("key-{number}").parse().unwrap(),
            grants,
            permissions: permissions.iter().copied().collect(),
            rewrite_links: false,
            lifetime: None,
        })
        .await
    }

    /// A client at the Unix socket: a peer.
    pub fn peer(&self) -> reqwest::Client {
        let socket = self.folder.path().join("socket");
        let builder = reqwest::Client::builder().unix_socket(socket);
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        builder.build().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where its sockets are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn clock_wall(&self) -> UnixMillis {
        self.clock.wall()
    }

    pub fn refreshes(&self) -> u64 {
        self.sim.counts().refreshes
    }

    /// Lets the same time pass here and at Spotify.
    pub fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// Runs something while time passes by itself.
    ///
    /// # Panics
    /// Where it does not end: nothing that a test waits for takes that long.
    #[track_caller]
    pub fn in_time<T>(&self, future: impl Future<Output = T>) -> impl Future<Output = T> {
        let clock = Arc::clone(&self.clock);
        let (begun, caller) = (clock.uptime(), Location::caller());
        let passing = {
            let clock = Arc::clone(&clock);
            async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    clock.advance(Duration::from_millis(20));
                }
            }
        };
        async move {
            tokio::select! {
                output = future => output,
                () = passing => unreachable!("time never ends"),
                () = tokio::time::sleep(PATIENCE) => {
                    let passed = clock.uptime().since(begun);
                    panic!("what {caller} waits for does not come: {PATIENCE:?} have passed, and {passed:?} here");
                }
            }
        }
    }

    /// Ends the server as a crash does: what it was about is left where it was.
    pub async fn kill(&mut self) {
        let server = self.server.take().unwrap();
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        // Its tasks end with it, one after the other; a process that dies is gone at once.
        let socket = self.folder.path().join("socket");
        let gone = async {
            while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                tokio::task::yield_now().await;
            }
        };
        let gone = tokio::time::timeout(PATIENCE, gone).await;
        assert!(gone.is_ok(), "its socket is still answered at");
    }

    /// Stops the server and waits for its end.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        self.server.take().unwrap().await.unwrap();
    }
}

/// How a server is set.
#[derive(Default)]
struct Setting {
    empty: bool,
    sessions: Option<&'static str>,
    in_cookies: bool,
    at: Option<SocketAddr>,
    app_dir: Option<PathBuf>,
    notices: config::Notices,
}

impl Setting {
    fn carrying() -> Self {
        Self {
            sessions: Some("default"),
            in_cookies: true,
            ..Self::default()
        }
    }

    fn telling(notices: &config::Notices) -> Self {
        Self {
            notices: notices.clone(),
            ..Self::default()
        }
    }
}

/// Where a server listens, what stops it, and its end.
pub type Serving = (SocketAddr, oneshot::Sender<()>, JoinHandle<()>);

async fn serve(refrain: &Refrain, socket: PathBuf, setting: &Setting) -> Serving {
    let mut config = config::Server::default();
    config.listen = Some(setting.at.unwrap_or(([127, 0, 0, 1], 0).into()));
    config.names = vec!["music.example".parse().unwrap()];
    config.return_to = RETURN_TO.map(|it| it.parse().unwrap()).to_vec();
    config.socket = Some(socket);
    config.sessions.app = setting.sessions.map(|app| app.parse().unwrap());
    if setting.in_cookies {
        config.sessions.keep = SessionKeep::Cookie;
    }
    config.app_dir.clone_from(&setting.app_dir);
    let server = Server::bind(&config, refrain.clone()).await.unwrap();
    let server = server.telling(&setting.notices).unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
    (address, stop, server)
}

/// Signs the simulator's user in under a name, for everything that its Web API knows.
async fn sign_in(refrain: &Refrain, sim: &Sim, name: &str) {
    let scope = "user-read-private user-read-recently-played user-modify-playback-state \
                 user-read-playback-state user-library-modify playlist-modify-private ugc-image-upload";
    let request = LoginRequest {
        scope: Some(scope.parse().unwrap()),
        ..request(name)
    };
    log_in(refrain, sim, request).await.unwrap();
}

/// A client as programs have it, without redirects of its own.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// The grants of these names.
pub fn only<const N: usize>(names: [&str; N]) -> Grants {
    names
        .map(|name| name.parse().unwrap())
        .into_iter()
        .collect()
}
