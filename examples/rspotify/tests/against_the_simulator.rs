//! Both ways from rspotify to refrain, at a Spotify that replaces refresh tokens and ends the authorization
//! when a replaced one is presented.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use refrain::{
    Refrain,
    access::{Grants, Permission},
    config::{self, App, Network},
    keeper::{Parts, keys::NewKey, login::LoginRequest},
    oauth::client::{Client, ClientAuth},
    provider::{Provider, RevocationEndpoint},
    random::SystemRandom,
    seal::{DeploymentId, Keyring, Sealer},
    secret::ClientSecret,
    store::memory::MemoryStore,
    time::{Clock, ManualClock, UnixMillis},
    transport::HyperTransport,
};
use refrain_rspotify::Keeping;
use refrain_server::Server;
use refrain_sim::{Profile, Sim, Verdict};
use rspotify::{AuthCodeSpotify, Config, Credentials, OAuth, Token, prelude::*};

struct World {
    sim: Sim,
    clock: Arc<ManualClock>,
    refrain: Refrain,
}

impl World {
    /// With `alice` signed in; a refresh token that was replaced ends the authorization when presented.
    async fn new() -> Self {
        let sim = Sim::start(Profile::default()).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let refrain =
            Refrain::from_parts(parts(&sim, Arc::clone(&clock) as Arc<dyn Clock>)).unwrap();
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
        Self {
            sim,
            clock,
            refrain,
        }
    }

    fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// rspotify reads and writes through two expiries and a rejected token.
    async fn live_through(&self, spotify: &(impl OAuthClient + Sync)) {
        for _ in 0..2 {
            assert_eq!(
                spotify
                    .current_user_playlists_manual(Some(10), None)
                    .await
                    .unwrap()
                    .items
                    .len(),
                10
            );
            spotify.pause_playback(None).await.unwrap();
            self.pass(Duration::from_secs(3700));
        }
        spotify.pause_playback(None).await.unwrap();
        let refreshes = self.sim.counts().refreshes;
        assert!(refreshes >= 2, "{refreshes}");
        self.sim.expire_access_tokens();
        spotify.pause_playback(None).await.unwrap();
        let counts = self.sim.counts();
        assert_eq!(counts.refreshes, refreshes + 1);
        assert_eq!(
            counts.granted_replaced,
            counts.refreshes + 1,
            "each was replaced"
        );
        assert_eq!((counts.refused, counts.stray_credentials), (0, 0));
        assert!(
            self.sim
                .oracle()
                .iter()
                .all(|it| it.verdict == Verdict::Safe)
        );
    }
}

fn parts(sim: &Sim, clock: Arc<dyn Clock>) -> Parts {
    let app = sim.default_app();
    let deployment = DeploymentId::random(&SystemRandom).unwrap();
    let keyring = Keyring::random(&SystemRandom).unwrap();
    let (sealer, _) = Sealer::found(keyring, deployment, &SystemRandom).unwrap();
    let app = App {
        name: "default".parse().unwrap(),
        client: Client {
            id: app.client_id.parse().unwrap(),
            auth: ClientAuth::SecretBasic(ClientSecret::new(app.client_secret.unwrap())),
        },
        redirect_uri: "http://127.0.0.1:4280/callback".parse().unwrap(),
        scopes: "user-read-private user-modify-playback-state"
            .parse()
            .unwrap(),
        developer: "default".parse().unwrap(),
        refreshes_per_second: App::REFRESHES_PER_SECOND,
    };
    let revocation = format!("{}/oauth2/revoke/v1", sim.accounts_url());
    Parts {
        store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
        sealer,
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

#[tokio::test(flavor = "multi_thread")]
async fn rspotify_fed_by_a_grant_presents_no_refresh_token_at_all() {
    let world = World::new().await;
    let spotify = Keeping::new(world.refrain.grant("alice").await.unwrap());
    world.live_through(&spotify).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rspotify_through_the_proxy_knows_no_token_of_spotifys() {
    let world = World::new().await;
    let mut place = config::Server::default();
    place.listen = Some(([127, 0, 0, 1], 0).into());
    let server = Server::bind(&place, world.refrain.clone()).await.unwrap();
    let base = format!("http://{}/v1/", server.address().unwrap());
    tokio::spawn(server.run(std::future::pending()));
    let new = NewKey {
        name: "rspotify".parse().unwrap(),
        grants: Grants::from_iter(["alice".parse().unwrap()]),
        permissions: [Permission::Proxy].into_iter().collect(),
        rewrite_links: false,
        lifetime: None,
    };
    let (key, _) = world.refrain.create_key(new).await.unwrap();
    let token = Token {
        access_token: key.expose().to_owned(),
        ..Token::default()
    };
    let config = Config {
        api_base_url: base,
        token_refreshing: false,
        ..Config::default()
    };
    let (credentials, oauth) = (Credentials::default(), OAuth::default());
    let spotify = AuthCodeSpotify::from_token_with_config(token, credentials, oauth, config);
    world.live_through(&spotify).await;
}
