//! Three programs' tokens, and an outage around them.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use refrain::{
    Config, Error, Grant, Refrain,
    config::{App, KeySource, StoreLocation},
    custody::{Step, rotate},
    keeper::{Kind, login::LoginRequest},
    lifecycle::Status,
    oauth::client::{Client, ClientAuth},
    provider::{Provider, RevocationEndpoint},
    secret::ClientSecret,
    time::{Clock as _, SystemClock, Uptime},
};
use refrain_sim::{Action, Event, EventKind, Fault, Profile, Rotation, Sim, Target, User, Verdict};
use tokio::{
    task::{JoinHandle, JoinSet, block_in_place},
    time::sleep,
};

/// The longest that a caller without a token may wait for the news that the store is gone.
pub const TOLD: Duration = Duration::from_millis(2500);
/// How soon after the end everything works again.
pub const RECOVERED: Duration = Duration::from_secs(5);

/// A line for whoever watches; the harness does not hold it back.
pub fn tell(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// How long each fault is to last.
fn length() -> Duration {
    let wanted = std::env::var("REFRAIN_OUTAGE_SECONDS").ok();
    wanted.map_or(Duration::from_millis(2600), |wanted| {
        Duration::from_secs(wanted.parse().unwrap())
    })
}

/// How often each fault is to come.
pub fn outages() -> u32 {
    let wanted = std::env::var("REFRAIN_OUTAGES").ok();
    wanted.map_or(1, |wanted| wanted.parse().unwrap())
}

pub struct World {
    sim: Sim,
    refrain: Option<Refrain>,
    clock: SystemClock,
    folder: tempfile::TempDir,
}

/// What callers met in an outage.
#[derive(Debug, Default)]
struct Met {
    codes: Vec<&'static str>,
    longest: Duration,
}

impl World {
    pub async fn on(store: StoreLocation) -> Self {
        let profile = Profile::rotating(Rotation::FamilyKill);
        let sim = Sim::start(profile).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refrain = open(&sim, store, &folder).await.unwrap();
        let world = Self {
            sim,
            refrain: Some(refrain),
            clock: SystemClock::new(),
            folder,
        };
        for name in ["alice", "bob", "carol"] {
            world.login(name).await;
        }
        world
    }

    /// Ends the program, and starts it anew when something else has been done.
    pub async fn restart(&mut self, store: StoreLocation, meanwhile: impl FnOnce()) {
        let ended = self.refrain.take().unwrap();
        assert!(ended.close(Duration::from_secs(5)).await);
        drop(ended);
        block_in_place(meanwhile);
        self.refrain = Some(open(&self.sim, store, &self.folder).await.unwrap());
    }

    pub async fn login(&self, name: &str) {
        let request = LoginRequest {
            grant: name.parse().unwrap(),
            app: "default".parse().unwrap(),
            scope: None,
            port: Some(4280),
            other_account: false,
            browser: None,
        };
        let begun = self.refrain().begin_login(request).await.unwrap();
        let id = name.to_owned();
        self.sim.add_user(User {
            id,
            ..User::default()
        });
        assert!(self.sim.sign_in_as(name));
        let location = self.sim.consent(&begun.url).unwrap();
        let query = location.split_once('?').unwrap().1;
        self.refrain().finish_login(query).await.unwrap();
    }

    fn refrain(&self) -> &Refrain {
        self.refrain.as_ref().unwrap()
    }

    /// Another program on another store, with the same key or one of its own, and cut off from the
    /// provider.
    pub async fn cut_off(
        &self,
        store: StoreLocation,
        key: Option<&Path>,
    ) -> Result<Refrain, Error> {
        let mut config = config(&self.sim, store, &self.folder);
        if let Some(path) = key {
            config.sealing.key = KeySource::File(path.to_owned());
        }
        config.provider.accounts = "http://127.0.0.1:1".parse().unwrap();
        Refrain::open_idle(config).await
    }

    /// The file with the master key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// Replaces the master key.
    pub async fn rotate(&self) {
        let key = KeySource::File(self.key_file());
        let rotated = rotate(self.refrain().parts(), &key, Step::Replace).await;
        assert_eq!(rotated.unwrap().damaged, []);
    }

    /// Writes what is in the log of a file into the file itself.
    pub async fn move_log(&self) {
        self.refrain().parts().store.scrub().await.unwrap();
    }

    /// How many refreshes the provider was asked for.
    pub fn refreshes(&self) -> u64 {
        self.sim.counts().refreshes
    }

    /// How many events the provider has seen.
    pub fn events(&self) -> usize {
        self.sim.history().len()
    }

    pub async fn grant(&self, name: &str) -> Grant {
        self.refrain().grant(name).await.unwrap()
    }

    /// How long the tokens live that are given out from now on.
    pub fn token_life(&self, life: Duration) {
        self.sim.update_profile(|profile| profile.access_ttl = life);
    }

    /// One outage: `fault(true)` brings it about, `fault(false)` ends it.
    pub async fn survives(&self, what: &str, fault: &(dyn Fn(bool) + Sync)) {
        let (alice, bob) = (self.grant("alice").await, self.grant("bob").await);
        let carol = self.grant("carol").await;
        alice.access_token().await.unwrap();
        self.token_life(Duration::from_secs(1));
        bob.refresh().await.unwrap();
        let expired = self.clock.uptime().after(Duration::from_millis(1100));
        self.token_life(Duration::from_secs(3600));
        let refreshing = self.answer_on_its_way(&carol).await;

        block_in_place(|| fault(true));
        let ended = Arc::new(AtomicBool::new(false));
        let living = tokio::spawn(call(alice, Arc::clone(&ended)));
        sleep(expired.since(self.clock.uptime())).await;
        let mut waiting = JoinSet::new();
        for _ in 0..4 {
            waiting.spawn(call(bob.clone(), Arc::clone(&ended)));
        }
        self.sim.release();
        sleep(length()).await;
        let told_so = length() > Duration::from_secs(12);
        assert!(
            told_so || !refreshing.is_finished(),
            "{what}: nothing was in the way"
        );
        // Whoever calls from now on may as well succeed.
        ended.store(true, Ordering::SeqCst);
        block_in_place(|| fault(false));
        let end = self.clock.uptime();

        let met = living.await.unwrap();
        assert!(met.codes.is_empty(), "{what}: {met:?} with a living token");
        let mut told = Duration::ZERO;
        for met in waiting.join_all().await {
            assert!(!met.codes.is_empty(), "{what}: nobody noticed");
            assert!(met.longest <= TOLD, "{what}: {met:?}");
            told = met.longest.max(told);
        }
        let [back, saved] = self.recovery(what, end, [&bob, &carol], refreshing).await;
        self.assert_whole(what, &[&bob, &carol]).await;
        tell(&format!(
            "{what}: waited with a token {:?}, without {told:?}; back after {back:?}, \
             the answer saved after {saved:?}",
            met.longest
        ));
    }

    /// A refresh whose answer the provider has given, and nobody has received.
    async fn answer_on_its_way(&self, grant: &Grant) -> JoinHandle<Result<(), Error>> {
        let since = self.sim.history().last().map_or(0, |event| event.seq);
        let held = Fault::once(Target::TokenRefresh, Action::HoldAnswer);
        self.sim.script(held);
        let grant = grant.clone();
        let refreshing = tokio::spawn(async move { grant.refresh().await.map(drop) });
        let is_held = |event: &Event| matches!(event.kind, EventKind::Held { .. });
        self.sim.wait_for(since, is_held).await;
        refreshing
    }

    async fn recovery(
        &self,
        what: &str,
        end: Uptime,
        [bob, carol]: [&Grant; 2],
        refreshing: JoinHandle<Result<(), Error>>,
    ) -> [Duration; 2] {
        let since_end = || self.clock.uptime().since(end);
        let back = async {
            while let Err(error) = bob.access_token().await {
                assert_eq!(error.kind(), Kind::Storage, "{what}: {error}");
                assert!(
                    since_end() < RECOVERED,
                    "{what}: {error} after {:?}",
                    since_end()
                );
                sleep(Duration::from_millis(5)).await;
            }
            since_end()
        };
        let saved = async {
            // Whoever has waited for longer than anybody waits was told that it is not saved yet.
            if let Err(error) = refreshing.await.unwrap() {
                assert_eq!(error.code(), "storage_not_saved", "{what}: {error}");
            }
            while carol.row().await.map_or(true, |row| row.intent.is_some()) {
                assert!(since_end() < RECOVERED, "{what}: the answer is not saved");
                sleep(Duration::from_millis(5)).await;
            }
            since_end()
        };
        let (back, saved) = tokio::join!(back, saved);
        assert!(
            back < RECOVERED && saved < RECOVERED,
            "{what}: {back:?}, {saved:?}"
        );
        [back, saved]
    }

    /// Nothing was lost: what is stored is what the provider takes.
    pub async fn assert_whole(&self, what: &str, grants: &[&Grant]) {
        for grant in grants {
            let row = grant.row().await.unwrap();
            assert!(
                matches!(row.status, Status::Active),
                "{what}: {:?}",
                row.status
            );
            assert!(row.intent.is_none(), "{what}: {:?}", row.intent);
            grant
                .refresh()
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        let counts = self.sim.counts();
        assert_eq!((counts.refused, counts.max_concurrent), (0, 1), "{what}");
        for verdict in self.sim.oracle() {
            assert!(
                !matches!(verdict.verdict, Verdict::Dead(_)),
                "{what}: {verdict:?}"
            );
        }
    }
}

/// Asks for a token again and again until the outage is over; notes what was said, and how long it took.
async fn call(grant: Grant, ended: Arc<AtomicBool>) -> Met {
    let clock = SystemClock::new();
    let mut met = Met::default();
    while !ended.load(Ordering::SeqCst) {
        let asked = clock.uptime();
        let answer = grant.access_token().await;
        met.longest = clock.uptime().since(asked).max(met.longest);
        if let Err(error) = answer {
            let own = error.kind() == Kind::Storage || ended.load(Ordering::SeqCst);
            assert!(own, "{}: {error}", error.code());
            met.codes.push(error.code());
        }
        sleep(Duration::from_millis(5)).await;
    }
    met
}

async fn open(
    sim: &Sim,
    store: StoreLocation,
    folder: &tempfile::TempDir,
) -> Result<Refrain, Error> {
    Refrain::open(config(sim, store, folder)).await
}

fn config(sim: &Sim, store: StoreLocation, folder: &tempfile::TempDir) -> Config {
    let revocation = format!("{}/oauth2/revoke/v1", sim.accounts_url());
    let provider = Provider {
        accounts: sim.accounts_url().parse().unwrap(),
        api: sim.api_url().parse().unwrap(),
        revocation: RevocationEndpoint::parse(&revocation),
    };
    let key = KeySource::File(folder.path().join("master.key"));
    let mut config = Config::new(store, key, provider);
    config.state_folder = Some(folder.path().join("state"));
    let registered = sim.default_app();
    let secret = registered.client_secret.as_deref();
    let app = App {
        name: "default".parse().unwrap(),
        client: Client {
            id: registered.client_id.parse().unwrap(),
            auth: secret.map_or(ClientAuth::None, |it| {
                ClientAuth::SecretBasic(ClientSecret::new(it))
            }),
        },
        redirect_uri: "http://127.0.0.1/callback".parse().unwrap(),
        scopes: "user-read-private".parse().unwrap(),
        developer: "default".parse().unwrap(),
        refreshes_per_second: App::REFRESHES_PER_SECOND,
    };
    config.apps.insert(app.name.clone(), app);
    config
}
