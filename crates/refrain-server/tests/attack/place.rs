//! A server whose accounts service is the simulator and whose API is the recorder.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use refrain::{
    Refrain,
    access::{Grants, Permission},
    config,
    keeper::{keys::NewKey, login::LoginRequest},
    store::{Store, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_server::Server;
use refrain_sim::{Profile, Sim};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    assembled::{Owner, request},
    recorder::Recorder,
};

pub struct Place {
    pub sim: Sim,
    pub clock: Arc<ManualClock>,
    pub refrain: Refrain,
    pub recorder: Recorder,
    pub address: SocketAddr,
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

    /// With another API than the recorder.
    pub async fn before(recorder: Recorder, api: &str, grants: &[&str]) -> Self {
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
            sign_in(&before, &sim, grant).await;
        }
        before.close(Duration::from_secs(10)).await;
        let mut parts = owner.parts(&sim, Arc::clone(&clock) as Arc<dyn Clock>, store);
        parts.provider.api = api.parse().unwrap();
        let refrain = Refrain::from_parts(parts).unwrap();
        let mut config = config::Server::default();
        config.listen = Some(([127, 0, 0, 1], 0).into());
        let server = Server::bind(&config, refrain.clone()).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
        Self {
            sim,
            clock,
            refrain,
            recorder,
            address,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// A key for one grant that may do everything with it.
    pub async fn key(&self, grant: &str) -> String {
        let new = NewKey {
            name: format!("key-of-{grant}").parse().unwrap(),
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

async fn sign_in(refrain: &Refrain, sim: &Sim, name: &str) {
    let begun = refrain
        .begin_login(LoginRequest { ..request(name) })
        .await
        .unwrap();
    let location = sim.consent(&begun.url).unwrap();
    let (_, query) = location.split_once('?').unwrap();
    refrain.finish_login(query).await.unwrap();
}
