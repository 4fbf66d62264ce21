//! A provider, a store and some keepers on one clock; a keeper is a process.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use shuttle::rand::{Rng as _, thread_rng};

use crate::{
    config::{App, Network},
    id::{Epoch, Fence, Generation, GrantName, Minting},
    keeper::{
        Cell, Error, Keeper, Parts,
        login::{LoggedIn, LoginRequest},
        schedules::{
            between::{Between, Call, Watched},
            explore::step,
            provider::{Provider, numbers},
        },
    },
    lifecycle::{GrantRow, event::What},
    oauth::client::{Client, ClientAuth},
    provider,
    random::{Random, RandomError},
    seal::{DeploymentId, KeyCheck, Keyring, Sealer},
    secret::AccessToken,
    store::{Changes, Store, StoreError, memory::MemoryStore},
    time::{Clock, ManualClock},
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// Everything outside the processes.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) provider: Provider,
    /// How often the feeds have asked the store.
    pub(super) asked: Arc<AtomicU64>,
    /// How many reads of the store hang at most, when they have read and before they answer.
    pub(super) hangs: Arc<AtomicU64>,
    store: Arc<MemoryStore>,
    random: Arc<Counting>,
    keyring: Keyring,
    deployment: DeploymentId,
    check: KeyCheck,
}

impl World {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        let random = Arc::new(Counting::default());
        let keyring = Keyring::random(random.as_ref()).unwrap();
        let deployment = DeploymentId(1);
        let (_, check) = Sealer::found(keyring.clone(), deployment, random.as_ref()).unwrap();
        Self {
            store: Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>)),
            provider: Provider::new(Arc::clone(&clock)),
            clock,
            asked: Arc::default(),
            hangs: Arc::default(),
            random,
            keyring,
            deployment,
            check,
        }
    }

    /// A process that begins now.
    pub(super) fn process(&self) -> Process {
        let sealer = Sealer::open(self.keyring.clone(), self.deployment, &self.check).unwrap();
        let store = Watched {
            inner: Arc::clone(&self.store) as Arc<dyn Store>,
            between: Steps {
                store: Arc::clone(&self.store),
                clock: Arc::clone(&self.clock),
                asked: Arc::clone(&self.asked),
                hangs: Arc::clone(&self.hangs),
                highest: Mutex::default(),
            },
        };
        let app = app();
        let keeper = Keeper::new(Parts {
            store: Arc::new(store),
            sealer,
            transport: Arc::new(self.provider.clone()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::clone(&self.random) as Arc<dyn Random>,
            provider: provider::Provider {
                accounts: "https://accounts.example".parse().unwrap(),
                api: "https://api.example".parse().unwrap(),
                revocation: None,
            },
            apps: BTreeMap::from([(app.name.clone(), app)]),
            network: Network::default(),
        });
        let keeper = keeper.unwrap();
        let cell = keeper.cell(&alice());
        Process {
            keeper,
            cell,
            newest: Arc::default(),
        }
    }

    /// A process that has just signed `alice` in.
    pub(super) async fn signed_in(&self) -> Process {
        let process = self.process();
        process.log_in("alice").await.unwrap();
        process
    }

    /// The row of `alice`, without a step in between.
    pub(super) async fn row(&self) -> GrantRow {
        self.store.grant(&alice()).await.unwrap().unwrap().value
    }

    /// Looks at what a process has in memory, again and again: it is in the store already, and nothing older
    /// comes after it.
    pub(super) async fn watch(self, process: Process) {
        let mut highest = (Epoch(0), Minting(0));
        for _ in 0..30 {
            if let Some(live) = process.cell.live.load_full() {
                let (held, row) = ((live.epoch, live.minting), self.row().await);
                assert!(highest <= held, "{held:?} after {highest:?}");
                assert!(held <= (row.epoch, row.minting), "{held:?} is not durable");
                highest = held;
            }
            step().await;
        }
    }

    /// How many intents of others were taken over.
    pub(super) async fn takeovers(&self) -> usize {
        let story = self.store.story(&self.row().await.id, 1000).await.unwrap();
        let took = story
            .iter()
            .filter(|it| matches!(it.what, What::TookOver { .. }));
        took.count()
    }
}

fn alice() -> GrantName {
    "alice".parse().unwrap()
}

fn app() -> App {
    App {
        name: "default".parse().unwrap(),
        client: Client {
            id: "client".parse().unwrap(),
            auth: ClientAuth::None,
        },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().unwrap(),
        scopes: "user-read-private".parse().unwrap(),
        developer: "default".parse().unwrap(),
        refreshes_per_second: App::REFRESHES_PER_SECOND,
    }
}

/// A keeper, and a grant in it: `alice`, unless another is meant.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) keeper: Arc<Keeper>,
    pub(super) cell: Arc<Cell>,
    newest: Arc<Mutex<(u32, u32)>>,
}

impl Process {
    /// Another grant.
    pub(super) fn of(&self, name: &str) -> Self {
        Self {
            keeper: Arc::clone(&self.keeper),
            cell: self.keeper.cell(&name.parse().unwrap()),
            newest: Arc::default(),
        }
    }

    /// As `Grant::access_token`; sees that nobody is given an older token than somebody was before he asked.
    pub(super) async fn token(&self) -> Result<AccessToken, Error> {
        let newest = || self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *newest();
        let token = match self.keeper.fresh(&self.cell) {
            Some(token) => token,
            None => self
                .keeper
                .token(&self.cell, None)
                .await?
                .live
                .token()
                .clone(),
        };
        let given = which(&token);
        assert!(given >= before, "{given:?} after {before:?}");
        let mut newest = newest();
        *newest = given.max(*newest);
        Ok(token)
    }

    /// As `Grant::report_rejected`.
    pub(super) async fn rejected(&self, token: &AccessToken) -> Result<AccessToken, Error> {
        let live = self.keeper.rejected(&self.cell, token).await?;
        Ok(live.token().clone())
    }

    pub(super) async fn log_out(&self) -> Result<(), Error> {
        self.keeper.logout(&self.cell.name).await.map(drop)
    }

    pub(super) async fn log_in(&self, name: &str) -> Result<LoggedIn, Error> {
        let request = LoginRequest {
            grant: name.parse().unwrap(),
            app: "default".parse().unwrap(),
            scope: None,
            port: None,
            other_account: false,
            browser: None,
        };
        let begun = self.keeper.begin_login(request).await?;
        let url: url::Url = begun.url.parse().unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap();
        let query = format!("code=1&state={}", state.1);
        self.keeper.finish_login(&query, None).await
    }

    /// Waits until nothing is in flight.
    pub(super) async fn drain(&self) {
        assert!(self.keeper.idle(Duration::from_secs(600)).await);
    }
}

/// The login and the number of an access token.
pub(super) fn which(token: &AccessToken) -> (u32, u32) {
    numbers(token.expose())
}

/// Something that happens once, and that everybody knows of in the same step.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment(Arc<AtomicBool>);

impl Moment {
    pub(super) fn comes(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What a call answers, and whether the moment had come before it was polled for the last time: what
    /// a caller is given after that was given after it.
    pub(super) async fn before_answer<T>(&self, call: impl Future<Output = T>) -> (T, bool) {
        let mut call = pin!(call);
        poll_fn(|context| {
            let had_come = self.has_come();
            call.as_mut().poll(context).map(|answer| (answer, had_come))
        })
        .await
    }
}

/// A call whose caller hangs up when he has waited so many times.
pub(super) async fn impatient<T>(call: impl Future<Output = T>, mut polls: u32) -> Option<T> {
    let mut call = pin!(call);
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        let answer = call.as_mut().poll(context).map(Some);
        if polls == 0 {
            context.waker().wake_by_ref();
        }
        answer
    })
    .await
}

/// Lets others go on before and after each call of the store, and sees that no row goes backwards.
#[derive(Debug)]
struct Steps {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    asked: Arc<AtomicU64>,
    hangs: Arc<AtomicU64>,
    highest: Mutex<BTreeMap<GrantName, (Epoch, Generation, Minting, Fence)>>,
}

#[async_trait]
impl Between for Steps {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        step().await;
        Ok(())
    }

    async fn after(&self, call: Call) -> Result<(), StoreError> {
        let hangs = self.hangs.load(Ordering::Relaxed);
        if call == Call::Read && hangs > 0 && thread_rng().r#gen() {
            self.hangs.store(hangs - 1, Ordering::Relaxed);
            self.clock.sleep(Duration::from_secs(20)).await;
        }
        for row in self.store.grants(None, 10).await? {
            let row = row.value;
            let now = (row.epoch, row.generation, row.minting, row.fence);
            let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
            let before = highest.insert(row.name, now).unwrap_or_default();
            assert!(before <= now && before.3 <= now.3, "{before:?} to {now:?}");
        }
        step().await;
        Ok(())
    }

    async fn heard(&self, changes: &mut Changes) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        step().await;
        // Which grants have changed is not always known.
        if thread_rng().gen_ratio(1, 4) {
            *changes = Changes::Any;
        }
        Ok(())
    }
}

/// Randomness that is the same in every run, and never the same twice in one.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64: every output once.
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
