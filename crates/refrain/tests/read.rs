//! Reading a valid token takes no allocation. Counted, not timed; in a binary of its own, because the
//! counter counts for everybody.

#![expect(clippy::unwrap_used, reason = "a test")]

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
    store::memory::MemoryStore,
    time::{Clock, SystemClock},
    transport::HyperTransport,
};
use refrain_sim::{Profile, Sim};

#[global_allocator]
static COUNTER: dhat::Alloc = dhat::Alloc;

async fn signed_in(sim: &Sim) -> refrain::Grant {
    let registered = sim.default_app();
    let secret = ClientSecret::new(registered.client_secret.unwrap().as_str());
    let id = registered.client_id.parse().unwrap();
    let app = App {
        name: "default".parse().unwrap(),
        client: Client {
            id,
            auth: ClientAuth::SecretBasic(secret),
        },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().unwrap(),
        scopes: "user-read-private".parse().unwrap(),
    };
    let keyring = Keyring::random(&SystemRandom).unwrap();
    let deployment = DeploymentId::random(&SystemRandom).unwrap();
    let (sealer, _) = Sealer::found(keyring, deployment, &SystemRandom).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let refrain = Refrain::from_parts(Parts {
        store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
        sealer,
        transport: Arc::new(HyperTransport::new(Network::default(), Arc::clone(&clock))),
        clock,
        random: Arc::new(SystemRandom),
        provider: Provider {
            accounts: sim.accounts_url().parse().unwrap(),
            api: sim.api_url().parse().unwrap(),
            revocation: None,
        },
        apps: BTreeMap::from([(app.name.clone(), app)]),
        network: Network::default(),
    })
    .unwrap();
    let request = LoginRequest {
        grant: "alice".parse().unwrap(),
        app: "default".parse().unwrap(),
        scope: None,
        port: None,
        other_account: false,
        browser: None,
    };
    let begun = refrain.begin_login(request).await.unwrap();
    let location = sim.consent(&begun.url).unwrap();
    refrain
        .finish_login(location.split_once('?').unwrap().1)
        .await
        .unwrap();
    refrain.grant("alice").await.unwrap()
}

#[test]
fn reading_a_valid_token_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The simulator lives elsewhere and is silent while the tokens are read.
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let sim = elsewhere.block_on(Sim::start(Profile::default())).unwrap();
    let alice = runtime.block_on(signed_in(&sim));
    runtime.block_on(async {
        let first = alice.access_token().await.unwrap();
        let _profiler = dhat::Profiler::builder().testing().build();
        let before = dhat::HeapStats::get();
        for _ in 0..10_000 {
            assert!(alice.access_token().await.unwrap().ct_eq(&first));
        }
        let after = dhat::HeapStats::get();
        assert_eq!(after.total_blocks, before.total_blocks);
    });
}
