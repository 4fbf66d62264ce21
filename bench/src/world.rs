//! A simulator and a refrain that is signed in at it.

use std::{collections::BTreeMap, sync::Arc};

use refrain::{
    Refrain,
    config::{App, Network},
    keeper::{Parts, login::LoginRequest},
    oauth::client::{Client, ClientAuth},
    provider::Provider,
    random::SystemRandom,
    seal::{DeploymentId, Keyring, Sealer},
    secret::ClientSecret,
    store::Store,
    time::{Clock, SystemClock},
    transport::HyperTransport,
};
use refrain_sim::{Profile, Rotation, Sim};

pub async fn sim() -> Sim {
    let profile = Profile { record_api: false, ..Profile::rotating(Rotation::Omit) };
    Sim::start(profile).await.expect("a free port")
}

pub fn refrain(sim: &Sim, store: Arc<dyn Store>) -> Refrain {
    let registered = sim.default_app();
    let secret = ClientSecret::new(registered.client_secret.expect("confidential").as_str());
    let id = registered.client_id.parse().expect("a client id");
    let app = App {
        name: "default".parse().expect("a name"),
        client: Client { id, auth: ClientAuth::SecretBasic(secret) },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().expect("a URL"),
        scopes: "user-read-private".parse().expect("a scope"),
    };
    let keyring = Keyring::random(&SystemRandom).expect("randomness");
    let deployment = DeploymentId::random(&SystemRandom).expect("randomness");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (sealer, _) = Sealer::found(keyring, deployment, &SystemRandom).expect("randomness");
    Refrain::from_parts(Parts {
        store,
        sealer,
        transport: Arc::new(HyperTransport::new(Network::default(), Arc::clone(&clock))),
        clock,
        random: Arc::new(SystemRandom),
        provider: Provider {
            accounts: sim.accounts_url().parse().expect("a URL"),
            api: sim.api_url().parse().expect("a URL"),
            revocation: None,
        },
        apps: BTreeMap::from([(app.name.clone(), app)]),
        network: Network::default(),
    })
    .expect("randomness")
}

pub async fn login(refrain: &Refrain, sim: &Sim, name: &str) -> refrain::Grant {
    let request = LoginRequest {
        grant: name.parse().expect("a name"),
        app: "default".parse().expect("a name"),
        scope: None,
        port: None,
        other_account: false,
        browser: None,
    };
    let begun = refrain.begin_login(request).await.expect("a login");
    let location = sim.consent(&begun.url).expect("consent");
    let (_, query) = location.split_once('?').expect("a query");
    refrain.finish_login(query).await.expect("a login");
    refrain.grant(name).await.expect("the grant")
}
