//! A server whose accounts service is the simulator and whose API is the recorder.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use refrain::{
    Refrain,
    access::{Grants, Permission},
    config,
    keeper::keys::NewKey,
    store::{Store, StoreError, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_server::Server;
use refrain_sim::{Profile, Sim};
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, oneshot},
    task::JoinHandle,
};

use crate::{
    assembled::{Owner, login},
    between::{Between, Call, Watched},
    recorder::Recorder,
    wire::{PING, Talker},
};

/// Lets nobody at the store while it is away.
#[derive(Debug, Clone, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    pub fn away(&self, away: bool) {
        self.0.store(away, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Between for Switch {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreError::Full {
                place: "the test".into(),
                source: refrain::store::cause("no space is left"),
            });
        }
        Ok(())
    }
}

/// Files and memory are the whole process's: whoever counts them is alone in it.
static TURNS: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held, not looked at")]
enum Turn {
    Together(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

pub struct Place {
    pub sim: Sim,
    pub clock: Arc<ManualClock>,
    pub refrain: Refrain,
    /// Another process on the same store.
    pub other: Refrain,
    pub store: Switch,
    pub recorder: Recorder,
    pub address: SocketAddr,
    _turn: Turn,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Place {
    /// With these grants signed in.
    pub async fn new(grants: &[&str]) -> Self {
        let recorder = Recorder::start().await;
        let api = format!("http://{}", recorder.address);
        Self::before(recorder, &api, grants).await
    }

    /// With no other test beside it.
    pub async fn alone(grants: &[&str]) -> Self {
        let turn = Turn::Alone(TURNS.write().await);
        let recorder = Recorder::start().await;
        let api = format!("http://{}", recorder.address);
        Self::within(turn, recorder, &api, None, grants).await
    }

    /// With TLS, and so with HTTP/2 for whoever wants it.
    pub async fn encrypted(files: config::TlsFiles, grants: &[&str]) -> Self {
        let turn = Turn::Together(TURNS.read().await);
        let recorder = Recorder::start().await;
        let api = format!("http://{}", recorder.address);
        Self::within(turn, recorder, &api, Some(files), grants).await
    }

    /// With another API than the recorder.
    pub async fn before(recorder: Recorder, api: &str, grants: &[&str]) -> Self {
        let turn = Turn::Together(TURNS.read().await);
        Self::within(turn, recorder, api, None, grants).await
    }

    async fn within(
        turn: Turn,
        recorder: Recorder,
        api: &str,
        tls: Option<config::TlsFiles>,
        grants: &[&str],
    ) -> Self {
        let sim = Sim::start(Profile::default()).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let owner = Owner::new();
        let before = owner.process(
            &sim,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&store),
        );
        for grant in grants {
            login(&before, &sim, grant).await.unwrap();
        }
        let switch = Switch::default();
        let store = Arc::new(Watched {
            inner: store,
            between: switch.clone(),
        });
        let mut parts = owner.parts(&sim, Arc::clone(&clock) as Arc<dyn Clock>, store);
        parts.provider.api = api.parse().unwrap();
        let refrain = Refrain::from_parts(parts).unwrap();
        let mut config = config::Server::default();
        config.listen = Some(([127, 0, 0, 1], 0).into());
        config.tls = tls;
        let server = Server::bind(&config, refrain.clone()).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
        Self {
            sim,
            clock,
            refrain,
            other: before,
            store: switch,
            recorder,
            address,
            _turn: turn,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// A key for one grant that may do everything with it.
    pub async fn key(&self, grant: &str) -> String {
        self.named_key(&format!("key-of-{grant}"), grant).await
    }

    pub async fn named_key(&self, name: &str, grant: &str) -> String {
        let new = NewKey {
            name: name.parse().unwrap(),
            grants: Grants::from_iter([grant.parse().unwrap()]),
            permissions: [Permission::Proxy, Permission::Token].into_iter().collect(),
            rewrite_links: false,
            lifetime: None,
        };
        let (key, _) = self.refrain.create_key(new).await.unwrap();
        key.expose().to_owned()
    }

    /// The access token in use for a grant.
    pub async fn token(&self, grant: &str) -> String {
        let grant = self.refrain.grant(grant).await.unwrap();
        grant.access_token().await.unwrap().expose().to_owned()
    }

    pub fn talker(&self, key: &str) -> Talker {
        let ping = self.plain(PING, key);
        let address = self.address;
        Talker { address, ping }
    }

    /// A request without a body, written out.
    pub fn plain(&self, path: &str, key: &str) -> String {
        format!("{}\r\n", self.head("GET", path, key))
    }

    /// One with a body of a length that is told.
    pub fn with_body(&self, path: &str, key: &str, body: &str) -> String {
        let (head, length) = (self.head("POST", path, key), body.len());
        format!("{head}Content-Length: {length}\r\n\r\n{body}")
    }

    /// One with a body in chunks.
    pub fn chunked(&self, path: &str, key: &str, chunks: &[&str]) -> String {
        let head = self.head("POST", path, key);
        let chunks = chunks
            .iter()
            .map(|it| format!("{:x}\r\n{it}\r\n", it.len()));
        let chunks: String = chunks.collect();
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    }

    /// Its first lines.
    pub fn head(&self, method: &str, path: &str, key: &str) -> String {
        let own = self.address;
        format!("{method} {path} HTTP/1.1\r\nHost: {own}\r\nAuthorization: Bearer {key}\r\n")
    }

    /// Stops the server and waits for its end.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        self.server.take().unwrap().await.unwrap();
    }
}
