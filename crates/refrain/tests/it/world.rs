//! A simulator, a store and a refrain on one clock.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use refrain::{
    Error, Grant, Refrain,
    config::{App, Network},
    keeper::{Parts, login::LoginRequest},
    lifecycle::{GrantRow, Status},
    oauth::client::{Client, ClientAuth},
    provider::{Provider, RevocationEndpoint},
    random::SystemRandom,
    seal::{DeploymentId, KeyCheck, Keyring, Sealer},
    secret::ClientSecret,
    store::{Store, memory::MemoryStore},
    time::{Clock, ManualClock, UnixMillis},
    transport::HyperTransport,
};
use refrain_sim::{Profile, Sim};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub struct World {
    pub sim: Sim,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn Store>,
    pub refrain: Refrain,
    keyring: Keyring,
    deployment: DeploymentId,
    check: KeyCheck,
}

/// A world with the grant `alice` signed in.
pub async fn signed_in(profile: Profile) -> (World, Grant) {
    let world = World::new(profile).await;
    let alice = world.login("alice").await.unwrap();
    (world, alice)
}

impl World {
    pub async fn new(profile: Profile) -> Self {
        let sim = Sim::start(profile).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        Self::on(sim, clock, store)
    }

    pub fn on(sim: Sim, clock: Arc<ManualClock>, store: Arc<dyn Store>) -> Self {
        let keyring = Keyring::random(&SystemRandom).unwrap();
        let deployment = DeploymentId::random(&SystemRandom).unwrap();
        let (_, check) = Sealer::found(keyring.clone(), deployment, &SystemRandom).unwrap();
        let parts = parts(&sim, &clock, &store, &keyring, deployment, &check);
        let refrain = Refrain::from_parts(parts).unwrap();
        Self {
            sim,
            clock,
            store,
            refrain,
            keyring,
            deployment,
            check,
        }
    }

    /// Another process on the same store.
    pub fn another(&self) -> Refrain {
        self.another_on(&self.store)
    }

    /// Another process, on a store of its own choosing.
    pub fn another_on(&self, store: &Arc<dyn Store>) -> Refrain {
        Refrain::from_parts(self.parts_on(store)).unwrap()
    }

    pub fn parts_on(&self, store: &Arc<dyn Store>) -> Parts {
        let (keyring, check) = (&self.keyring, &self.check);
        parts(
            &self.sim,
            &self.clock,
            store,
            keyring,
            self.deployment,
            check,
        )
    }

    /// Signs the simulator's user in under a name.
    pub async fn login(&self, name: &str) -> Result<Grant, Error> {
        login(&self.refrain, &self.sim, name).await
    }

    /// Lets the same time pass here and at Spotify.
    pub fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// Runs something while time passes by itself, so that pauses and deadlines come to their end.
    pub async fn in_time<T>(&self, future: impl Future<Output = T>) -> T {
        let clock = Arc::clone(&self.clock);
        let passing = async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                clock.advance(Duration::from_millis(20));
            }
        };
        tokio::select! {
            output = future => output,
            () = passing => unreachable!("time never ends"),
        }
    }

    pub fn refreshes(&self) -> u64 {
        self.sim.counts().refreshes
    }

    pub async fn row(&self, name: &str) -> GrantRow {
        self.store
            .grant(&name.parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .value
    }

    pub async fn status(&self, name: &str) -> Status {
        self.row(name).await.status
    }
}

pub async fn login(refrain: &Refrain, sim: &Sim, name: &str) -> Result<Grant, Error> {
    let begun = refrain.begin_login(request(name)).await?;
    let location = sim.consent(&begun.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    refrain.finish_login(query).await?;
    refrain.grant(name).await
}

pub fn request(name: &str) -> LoginRequest {
    LoginRequest {
        grant: name.parse().unwrap(),
        app: "default".parse().unwrap(),
        scope: None,
        port: None,
        other_account: false,
        browser: None,
    }
}

fn parts(
    sim: &Sim,
    clock: &Arc<ManualClock>,
    store: &Arc<dyn Store>,
    keyring: &Keyring,
    deployment: DeploymentId,
    check: &KeyCheck,
) -> Parts {
    let registered = sim.default_app();
    let auth = match &registered.client_secret {
        Some(secret) => ClientAuth::SecretBasic(ClientSecret::new(secret.as_str())),
        None => ClientAuth::None,
    };
    let app = App {
        name: "default".parse().unwrap(),
        client: Client {
            id: registered.client_id.parse().unwrap(),
            auth,
        },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().unwrap(),
        scopes: "user-read-recently-played user-read-private"
            .parse()
            .unwrap(),
    };
    let revocation = format!("{}/oauth2/revoke/v1", sim.accounts_url());
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    Parts {
        store: Arc::clone(store),
        sealer: Sealer::open(keyring.clone(), deployment, check).unwrap(),
        transport: Arc::new(HyperTransport::new(Network::default(), Arc::clone(&clock))),
        clock,
        random: Arc::new(SystemRandom),
        provider: Provider {
            accounts: sim.accounts_url().parse().unwrap(),
            api: sim.api_url().parse().unwrap(),
            revocation: RevocationEndpoint::parse(&revocation),
        },
        apps: BTreeMap::from([(app.name.clone(), app)]),
        network: Network::default(),
    }
}
