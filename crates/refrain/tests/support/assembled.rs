//! A refrain put together by hand: a simulator, a store and a clock, and one app called `default`.

use std::{collections::BTreeMap, sync::Arc};

use refrain::{
    Error, Grant, Refrain,
    config::{App, Network},
    keeper::{Parts, login::LoginRequest},
    oauth::client::{Client, ClientAuth},
    provider::{Provider, RevocationEndpoint},
    random::SystemRandom,
    seal::{DeploymentId, KeyCheck, Keyring, Sealer},
    secret::ClientSecret,
    store::Store,
    time::Clock,
    transport::HyperTransport,
};
use refrain_sim::Sim;

/// The key of a store: what its processes share besides the store itself.
#[derive(Clone, Debug)]
pub struct Owner {
    keyring: Keyring,
    deployment: DeploymentId,
    check: KeyCheck,
}

impl Owner {
    pub fn new() -> Self {
        let keyring = Keyring::random(&SystemRandom).expect("randomness");
        let deployment = DeploymentId::random(&SystemRandom).expect("randomness");
        let founded = Sealer::found(keyring.clone(), deployment, &SystemRandom);
        let (_, check) = founded.expect("randomness");
        Self {
            keyring,
            deployment,
            check,
        }
    }

    pub fn sealer(&self) -> Sealer {
        let opened = Sealer::open(self.keyring.clone(), self.deployment, &self.check);
        opened.expect("its own key")
    }

    /// What one process runs on.
    pub fn parts(&self, sim: &Sim, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Parts {
        let app = app(sim);
        let revocation = format!("{}/oauth2/revoke/v1", sim.accounts_url());
        Parts {
            store,
            sealer: self.sealer(),
            transport: Arc::new(HyperTransport::new(Network::default(), Arc::clone(&clock))),
            clock,
            random: Arc::new(SystemRandom),
            provider: Provider {
                accounts: sim.accounts_url().parse().expect("a URL"),
                api: sim.api_url().parse().expect("a URL"),
                revocation: RevocationEndpoint::parse(&revocation),
            },
            apps: BTreeMap::from([(app.name.clone(), app)]),
            network: Network::default(),
        }
    }

    /// One process.
    pub fn process(&self, sim: &Sim, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Refrain {
        Refrain::from_parts(self.parts(sim, clock, store)).expect("randomness")
    }
}

/// The simulator's own app.
pub fn app(sim: &Sim) -> App {
    let registered = sim.default_app();
    let auth = match &registered.client_secret {
        Some(secret) => ClientAuth::SecretBasic(ClientSecret::new(secret.as_str())),
        None => ClientAuth::None,
    };
    App {
        name: "default".parse().expect("a name"),
        client: Client {
            id: registered.client_id.parse().expect("a client id"),
            auth,
        },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().expect("a URL"),
        scopes: "user-read-recently-played user-read-private"
            .parse()
            .expect("a scope"),
        developer: "default".parse().expect("a name"),
        refreshes_per_second: App::REFRESHES_PER_SECOND,
    }
}

/// Signs the simulator's user in under a name.
pub async fn login(refrain: &Refrain, sim: &Sim, name: &str) -> Result<Grant, Error> {
    log_in(refrain, sim, request(name)).await
}

/// Signs the simulator's user in as is asked for.
pub async fn log_in(refrain: &Refrain, sim: &Sim, request: LoginRequest) -> Result<Grant, Error> {
    let name = request.grant.clone();
    let begun = refrain.begin_login(request).await?;
    let location = sim.consent(&begun.url).expect("consent");
    let (_, query) = location.split_once('?').expect("a query");
    refrain.finish_login(query).await?;
    refrain.grant(name.as_str()).await
}

pub fn request(name: &str) -> LoginRequest {
    LoginRequest {
        grant: name.parse().expect("a name"),
        app: "default".parse().expect("a name"),
        scope: None,
        port: None,
        other_account: false,
        browser: None,
    }
}
