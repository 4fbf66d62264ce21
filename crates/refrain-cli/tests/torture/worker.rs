//! A worker: this test binary once more, in a process of its own, holding the real library.

use std::{
    collections::HashMap,
    io::{BufRead as _, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use refrain::{Config, Error, Grant, Kind, Refrain, config::Sources, keeper::login::LoginRequest};
use refrain_sim::fingerprint;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    tools::LONGEST,
    wire::{Asked, Got, Op, Order, Report, now},
};

/// The configuration file; whoever has this variable is a worker.
pub const CONFIG: &str = "REFRAIN_TORTURE_CONFIG";
/// Its `XDG_STATE_HOME`: processes with different ones count as different hosts.
pub const STATE: &str = "REFRAIN_TORTURE_STATE";

struct Worker {
    refrain: Refrain,
    grants: tokio::sync::Mutex<HashMap<String, Grant>>,
    /// Counts the orders to rest: loops of an older number end.
    rests: AtomicU64,
}

/// Works for the judge until told to stop, or until the judge is gone.
pub fn run() {
    let Ok(config) = std::env::var(CONFIG) else {
        return;
    };
    // However the judge ends, and even if we are stopped then.
    let death = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(death).unwrap();
    crate::process::allow_many_files();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work(config.into()));
    runtime.shutdown_background();
}

async fn work(config: PathBuf) {
    let state = std::env::var(STATE).unwrap();
    let sources = Sources {
        file: Some(config),
        env: [("XDG_STATE_HOME".to_owned(), state)].into(),
        ..Sources::default()
    };
    let config = Config::load_from(&sources).unwrap();
    let refrain = Refrain::open(config).await.unwrap();
    tell(&Report::Ready { at: now() });
    let worker = Arc::new(Worker {
        refrain,
        grants: tokio::sync::Mutex::default(),
        rests: AtomicU64::new(0),
    });
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        if let Order::Stop = order {
            worker.rests.fetch_add(1, Ordering::SeqCst);
            let drained = worker.refrain.close(LONGEST).await;
            return tell(&Report::Stopped { drained });
        }
        worker.obey(order);
    }
}

/// The judge's lines; the end of them is the end of the judge.
fn orders() -> mpsc::UnboundedReceiver<Order> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let order = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A line to the judge, whole and at once: what is told was true before a kill.
fn tell(report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap();
    // Begins a line of its own: the harness may have left one unfinished.
    line.insert(0, b'\n');
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).unwrap();
}

impl Worker {
    fn obey(self: &Arc<Self>, order: Order) {
        let worker = Arc::clone(self);
        let turn = self.rests.load(Ordering::SeqCst);
        match order {
            Order::Churn { grants } => {
                for grant in grants {
                    tokio::spawn(Arc::clone(&worker).churn(grant, turn));
                }
            }
            Order::Read { grants, pause_ms } => {
                let pause = Duration::from_millis(pause_ms);
                for grant in grants {
                    tokio::spawn(Arc::clone(&worker).read(grant, pause, turn));
                }
            }
            Order::Refresh { grants } => {
                for grant in grants {
                    let worker = Arc::clone(&worker);
                    tokio::spawn(async move { worker.call(&grant, Op::Refresh).await });
                }
            }
            Order::Ask {
                grant,
                tasks,
                min_ttl_ms,
            } => {
                let min_ttl = Duration::from_millis(min_ttl_ms);
                tokio::spawn(async move { worker.ask(&grant, tasks, min_ttl).await });
            }
            Order::Rest => {
                self.rests.fetch_add(1, Ordering::SeqCst);
            }
            Order::Login { grant, app } => {
                tokio::spawn(async move { worker.login(grant, &app).await });
            }
            Order::Finish { grant, query } => {
                tokio::spawn(async move { worker.finish(grant, &query).await });
            }
            Order::Logout { grant } => {
                tokio::spawn(async move { worker.logout(grant).await });
            }
            Order::Stop => {}
        }
    }

    async fn handle(&self, name: &str) -> Result<Grant, Error> {
        let mut grants = self.grants.lock().await;
        if let Some(grant) = grants.get(name) {
            return Ok(grant.clone());
        }
        let grant = self.refrain.grant(name).await?;
        grants.insert(name.to_owned(), grant.clone());
        Ok(grant)
    }

    async fn churn(self: Arc<Self>, grant: String, turn: u64) {
        self.call(&grant, Op::Token).await;
        while self.rests.load(Ordering::SeqCst) == turn && self.call(&grant, Op::Refresh).await {}
    }

    async fn read(self: Arc<Self>, grant: String, pause: Duration, turn: u64) {
        while self.rests.load(Ordering::SeqCst) == turn {
            self.call(&grant, Op::Token).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// One call; tells what came of it, and whether that is a token without a warning.
    async fn call(&self, name: &str, op: Op) -> bool {
        let began = now();
        let (token, error) = match self.try_call(name, op).await {
            Ok((token, warning)) => (Some(token), warning),
            Err(error) => (None, Some(error)),
        };
        let ended = now();
        let good = error.is_none();
        tell(&Report::Got(Got {
            grant: name.to_owned(),
            op,
            token,
            later: error.as_ref().is_some_and(|it| it.kind() == Kind::TryLater),
            code: error.map(|it| it.code().to_owned()),
            began,
            ended,
        }));
        good
    }

    async fn try_call(&self, name: &str, op: Op) -> Result<(String, Option<Error>), Error> {
        let grant = self.handle(name).await?;
        Ok(match op {
            Op::Token => {
                let served = grant.access_token_for(Duration::ZERO).await?;
                (fingerprint(served.live.token().expose()), served.warning)
            }
            Op::Refresh => {
                let live = grant.refresh().await?;
                (fingerprint(live.token().expose()), None)
            }
        })
    }

    async fn ask(&self, name: &str, tasks: usize, min_ttl: Duration) {
        let grant = self.handle(name).await.unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..tasks {
            let grant = grant.clone();
            asking.spawn(async move {
                let began = now();
                let served = grant.access_token_for(min_ttl).await;
                (began, now(), served)
            });
        }
        let mut asked = Asked {
            tokens: Vec::new(),
            codes: Vec::new(),
            micros: Vec::new(),
            first_ended: u64::MAX,
        };
        while let Some(done) = asking.join_next().await {
            let (began, ended, served) = done.unwrap();
            asked.micros.push(ended - began);
            asked.first_ended = asked.first_ended.min(ended);
            let error = match served {
                Ok(served) => {
                    asked.tokens.push(fingerprint(served.live.token().expose()));
                    served.warning
                }
                Err(error) => Some(error),
            };
            asked.codes.extend(error.map(|it| it.code().to_owned()));
        }
        asked.tokens.sort();
        asked.tokens.dedup();
        tell(&Report::Asked(asked));
    }

    async fn login(&self, grant: String, app: &str) {
        let request = LoginRequest {
            grant: grant.parse().unwrap(),
            app: app.parse().unwrap(),
            scope: None,
            port: None,
            other_account: false,
            browser: None,
        };
        match self.refrain.begin_login(request).await {
            Ok(begun) => tell(&Report::Begun {
                grant,
                url: begun.url,
            }),
            Err(error) => {
                let (code, at) = (Some(error.code().to_owned()), now());
                tell(&Report::LoggedIn { grant, code, at });
            }
        }
    }

    async fn finish(&self, grant: String, query: &str) {
        let done = self.refrain.finish_login(query).await;
        let at = now();
        let code = done.err().map(|error| error.code().to_owned());
        tell(&Report::LoggedIn { grant, code, at });
    }

    async fn logout(&self, grant: String) {
        let done = match self.handle(&grant).await {
            Ok(handle) => handle.logout().await.map(drop),
            Err(error) => Err(error),
        };
        // The moment of the acknowledgement, before anything else is done.
        let at = now();
        let code = done.err().map(|error| error.code().to_owned());
        tell(&Report::LoggedOut { grant, code, at });
    }
}
