//! A simulator, a real store, and any number of processes on one clock, each with failpoints of its own.

use std::{
    fmt, fs,
    future::Future,
    path::PathBuf,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use refrain::{
    AccessToken, Error, Refrain,
    config::PostgresUrl,
    failpoint::Failpoints,
    id::InstanceId,
    lifecycle::GrantRow,
    oauth::transport::Request,
    store::{Store, postgres::PostgresStore, sqlite::SqliteStore},
    time::{BootId, BoxFuture, Clock, ManualClock, UnixMillis, Uptime},
};
use refrain_sim::{EventKind, Profile, Rotation, Sim, TokenCall, User, Verdict};

use crate::{
    assembled::{Owner, login},
    cluster::Cluster,
};

pub const HOUR: Duration = Duration::from_secs(3600);

/// The engines that everything is done on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// The clock of one process: the world's time, and a place to break of its own.
#[derive(Debug)]
pub struct OwnClock {
    time: Arc<ManualClock>,
    pub points: Failpoints,
}

impl Clock for OwnClock {
    fn wall(&self) -> UnixMillis {
        self.time.wall()
    }
    fn uptime(&self) -> Uptime {
        self.time.uptime()
    }
    fn boot(&self) -> BootId {
        self.time.boot()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(duration)
    }
    fn failpoints(&self) -> &Failpoints {
        &self.points
    }
}

/// One process.
pub struct Process {
    pub refrain: Refrain,
    pub points: Failpoints,
    pub store: Arc<dyn Store>,
}

pub struct World {
    pub sim: Sim,
    pub time: Arc<ManualClock>,
    engine: Engine,
    owner: Owner,
    folder: tempfile::TempDir,
    /// Where a PostgreSQL store is, and the server that it is on.
    database: Option<(Arc<Cluster>, String)>,
}

impl World {
    pub async fn new(rotation: Rotation, engine: Engine) -> Self {
        quiet();
        let sim = Sim::start(Profile::rotating(rotation)).await.unwrap();
        let time = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let database = (engine == Engine::Postgres).then(|| {
            let cluster = Cluster::shared();
            let address = cluster.database();
            (cluster, address)
        });
        let world = Self {
            sim,
            time,
            engine,
            owner: Owner::new(),
            folder: tempfile::tempdir().unwrap(),
            database,
        };
        world.store().await.prepare().await.unwrap();
        world
    }

    fn clock(&self) -> OwnClock {
        let time = Arc::clone(&self.time);
        let jumps = Arc::clone(&time);
        let jump = move |millis: i64| {
            jumps.set_wall(UnixMillis(jumps.wall().0.saturating_add(millis)));
        };
        OwnClock {
            time,
            points: Failpoints::new(jump),
        }
    }

    /// The store as one more process opens it.
    pub async fn store(&self) -> Arc<dyn Store> {
        let clock: Arc<dyn Clock> = Arc::new(self.clock());
        match &self.database {
            None => {
                let path = self.folder.path().join("refrain.db");
                Arc::new(SqliteStore::open(&path, clock).await.unwrap())
            }
            Some((_, address)) => {
                let url = PostgresUrl::parse(address).unwrap();
                let folder = Some(self.instances());
                let store = PostgresStore::open(&url, clock.as_ref(), folder).await;
                Arc::new(store.unwrap())
            }
        }
    }

    fn instances(&self) -> PathBuf {
        let name = match self.engine {
            Engine::Sqlite => "refrain.db-instances",
            Engine::Postgres => "instances",
        };
        self.folder.path().join(name)
    }

    /// A process on a store that it shares with others of this world.
    pub fn process(&self, store: &Arc<dyn Store>) -> Process {
        let clock = self.clock();
        let points = clock.points.clone();
        let parts = self
            .owner
            .parts(&self.sim, Arc::new(clock), Arc::clone(store));
        Process {
            refrain: Refrain::from_parts(parts).unwrap(),
            points,
            store: Arc::clone(store),
        }
    }

    /// Makes a process that is gone look like one that was killed: its file is there, and nobody holds it.
    pub fn bury(&self, instance: InstanceId) {
        let name = format!("{:032x}-{instance}", self.time.boot().0);
        fs::write(self.instances().join(name), []).unwrap();
    }

    /// Signs a user of his own in, refreshes once, and shows the token to the API: from then on the
    /// provider is known to rotate or not to, and the oracle knows what is held here.
    pub async fn sign_in(&self, by: &Process, name: &str) -> u64 {
        let id = name.to_owned();
        self.sim.add_user(User {
            id,
            ..User::default()
        });
        assert!(self.sim.sign_in_as(name));
        let grant = patiently(|| login(&by.refrain, &self.sim, name)).await;
        patiently(|| self.in_time(grant.refresh())).await;
        let token = patiently(|| self.in_time(grant.access_token())).await;
        self.use_token(by, &token).await;
        let verdicts = self.sim.oracle();
        verdicts.iter().rfind(|it| it.user == name).unwrap().grant
    }

    async fn use_token(&self, by: &Process, token: &AccessToken) {
        let parts = by.refrain.parts();
        let connection = parts.transport.connect(&parts.provider.api).await.unwrap();
        let bearer = format!("Bearer {}", token.expose()).parse().unwrap();
        let request = Request {
            method: http::Method::GET,
            path: "/v1/me".to_owned(),
            headers: http::HeaderMap::from_iter([(http::header::AUTHORIZATION, bearer)]),
            body: zeroize::Zeroizing::default(),
        };
        let answer = connection.send(request).await.unwrap();
        assert!(answer.status.is_success());
    }

    /// Lets the same time pass here and at Spotify.
    pub fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.time.advance(time);
    }

    /// Runs something while time passes by itself, so that pauses and deadlines come to their end.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> T {
        #[expect(
            clippy::disallowed_methods,
            reason = "real time, to see whether there is any"
        )]
        let passing = async {
            loop {
                let asleep = Instant::now();
                tokio::time::sleep(Duration::from_millis(2)).await;
                // On a machine that is short of time no deadline is to pass meanwhile.
                if asleep.elapsed() < Duration::from_millis(15) {
                    self.time.advance(Duration::from_millis(20));
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = passing => unreachable!("time never ends"),
        }
    }

    /// Waits until something holds.
    pub async fn until(&self, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        self.in_time(waiting).await;
    }

    /// Ends a process in good order.
    pub async fn close(&self, process: Process) {
        let closed = process.refrain.close(Duration::from_secs(60));
        assert!(self.in_time(closed).await, "a refresh that never ends");
    }

    /// Asks a process for a token.
    pub async fn ask(&self, process: &Process, name: &str) -> Result<AccessToken, Error> {
        let grant = process.refrain.grant(name).await?;
        self.in_time(grant.access_token()).await
    }

    pub async fn row(&self, process: &Process, name: &str) -> GrantRow {
        let name = name.parse().unwrap();
        let row = patiently(|| process.store.grant(&name)).await;
        row.unwrap().value
    }

    pub fn verdict(&self, grant: u64) -> Verdict {
        let verdicts = self.sim.oracle();
        verdicts
            .iter()
            .find(|it| it.grant == grant)
            .unwrap()
            .verdict
    }

    /// The token calls for one consent, oldest first.
    pub fn calls(&self, grant: u64) -> Vec<TokenCall> {
        let events = self.sim.history().into_iter();
        events
            .filter_map(|event| match event.kind {
                EventKind::TokenCall(call) if call.grant == Some(grant) => Some(call),
                _ => None,
            })
            .collect()
    }
}

/// What is not the subject of a test is tried again: the machine may be busy with other things.
pub async fn patiently<T, E: fmt::Debug, F: Future<Output = Result<T, E>>>(
    mut work: impl FnMut() -> F,
) -> T {
    for _ in 0..20 {
        if let Ok(done) = work().await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    work().await.unwrap()
}

/// Keeps the panics that are asked for out of the output; all others are told as ever.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let asked = panic
                .payload_as_str()
                .is_some_and(|text| text.starts_with("failpoint "));
            if !asked {
                told(panic);
            }
        }));
    });
}
