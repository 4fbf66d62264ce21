use std::collections::BTreeMap;

use refrain::{
    config::Network,
    id::{Epoch, Generation, GrantId, Minting},
    lifecycle::row::Consent,
    provider::Provider,
    random::SystemRandom,
    secret::RefreshToken,
    session::SessionToken,
    time::ManualClock,
    transport::HyperTransport,
};

use super::*;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

struct Place {
    clock: Arc<ManualClock>,
    carrier: Carrier,
    carried: Carried,
}

fn place() -> Place {
    let clock = Arc::new(ManualClock::starting_at(NOW));
    let keyring = Keyring::random(&SystemRandom).unwrap();
    let (sealer, _) = Sealer::found(keyring, DeploymentId(1), &SystemRandom).unwrap();
    let beside = Refrain::from_parts(Parts {
        store: Arc::new(MemoryStore::new(Arc::clone(&clock) as _)),
        sealer,
        transport: Arc::new(HyperTransport::new(
            Network::default(),
            Arc::clone(&clock) as _,
        )),
        clock: Arc::clone(&clock) as _,
        random: Arc::new(SystemRandom),
        provider: Provider {
            accounts: "http://127.0.0.1:1".parse().unwrap(),
            api: "http://127.0.0.1:1".parse().unwrap(),
            revocation: None,
        },
        apps: BTreeMap::new(),
        network: Network::default(),
    });
    Place {
        carrier: Carrier::new(&beside.unwrap()).unwrap(),
        clock,
        carried: carried(),
    }
}

fn carried() -> Carried {
    Carried {
        id: GrantId::random(&SystemRandom).unwrap(),
        session: SessionToken::random(&SystemRandom).unwrap().id(),
        step: Step {
            epoch: Epoch(1),
            generation: Generation(0),
            minting: Minting(0),
        },
        app: "default".parse().unwrap(),
        client_id: "client".parse().unwrap(),
        consent: Consent {
            authorized_at: NOW,
            reauthorize_by: NOW.after(SLIDE * 180),
            latest: None,
        },
        scope: "streaming".parse().unwrap(),
        account: None,
        refresh: RefreshToken::new("the first"),
        access: None,
    }
}

fn belongs() -> Belongs {
    Belongs {
        name: "refrain-session".to_owned(),
        origin: "http://127.0.0.1:4280".to_owned(),
        secure: false,
    }
}

fn value(header: &HeaderValue) -> &str {
    let (pair, _) = header.to_str().unwrap().split_once(';').unwrap();
    pair.split_once('=').unwrap().1
}

impl Place {
    async fn begin(&self) -> Opened {
        let header = self
            .carrier
            .begin(&self.carried, Incarnation(0), &belongs())
            .unwrap();
        self.show(&header.unwrap()).await
    }

    async fn show(&self, header: &HeaderValue) -> Opened {
        let opened = self.carrier.open(value(header), belongs()).unwrap();
        self.carrier.take_in(&opened).await.unwrap();
        opened
    }

    /// What another process has got for it.
    async fn renewed(&self, generation: u64, token: &str) -> Carried {
        let newer = Carried {
            step: Step {
                generation: Generation(generation),
                ..self.carried.step
            },
            refresh: RefreshToken::new(token),
            ..self.carried.clone()
        };
        self.carrier.refrain().take_in(&newer).await.unwrap();
        newer
    }

    async fn is_there(&self) -> bool {
        let step = self.carrier.refrain().step_of(&self.carried.session);
        step.await.unwrap().is_some()
    }

    fn swept_after(&self, time: Duration) {
        self.clock.advance(time);
        self.carrier.sweep();
    }
}

#[tokio::test]
async fn an_old_cookie_has_one_successor_and_never_takes_its_place() {
    let place = place();
    let old = place.begin().await;
    assert!(place.carrier.successor(&old).await.is_none());
    place.renewed(2, "the third").await;
    // From another process, too late.
    place.renewed(1, "the second").await;
    let newest = place.carrier.successor(&old).await.unwrap();
    for _ in 0..3 {
        assert_eq!(place.carrier.successor(&old).await.as_ref(), Some(&newest));
    }
    let shown = place.show(&newest).await;
    assert_eq!(shown.carried().refresh.expose(), "the third");
    assert!(place.carrier.successor(&shown).await.is_none());
    place.carrier.take_in(&old).await.unwrap();
    let here = place
        .carrier
        .refrain()
        .carried(old.session())
        .await
        .unwrap();
    assert_eq!(here.unwrap().refresh.expose(), "the third");
}

#[tokio::test]
async fn a_newer_cookie_takes_the_place_of_what_is_here() {
    let place = place();
    let old = place.begin().await;
    let here = async || {
        let here = place.carrier.refrain().carried(old.session());
        here.await.unwrap().unwrap().refresh.expose().to_owned()
    };
    assert_eq!(here().await, "the first");
    place.renewed(1, "the second").await;
    assert_eq!(here().await, "the second");
    let stranger = Carried {
        id: GrantId::random(&SystemRandom).unwrap(),
        ..place.renewed(2, "the third").await
    };
    let error = place
        .carrier
        .refrain()
        .take_in(&stranger)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        "session_unknown",
        "of the same name by chance"
    );
}

#[tokio::test]
async fn a_session_is_forgotten_when_it_is_idle_and_its_newest_cookie_has_been_seen() {
    let place = place();
    place.begin().await;
    place.swept_after(IDLE / 2);
    assert!(place.is_there().await);
    place.swept_after(IDLE / 2);
    assert!(!place.is_there().await);

    let old = place.begin().await;
    place.renewed(1, "the second").await;
    let newest = place.carrier.successor(&old).await.unwrap();
    place.swept_after(IDLE * 2);
    assert!(place.is_there().await, "the answer may have been lost");
    place.show(&newest).await;
    place.swept_after(IDLE);
    assert!(!place.is_there().await);

    let last = place.begin().await;
    place.renewed(1, "the second").await;
    place.swept_after(UNSEEN);
    assert!(!place.is_there().await);
    assert!(place.carrier.successor(&last).await.is_none());
}

#[tokio::test]
async fn a_session_lives_while_it_is_used_and_is_given_a_cookie_for_that_once_a_day() {
    let place = place();
    let first = place.begin().await;
    place.clock.advance(SLIDE);
    let second = place.carrier.successor(&first).await.unwrap();
    assert_eq!(place.carrier.successor(&first).await, Some(second.clone()));
    let second = place.show(&second).await;
    assert!(place.carrier.successor(&second).await.is_none());
    assert_eq!(second.times().ends, first.times().ends);
    assert!(second.times().lapses > first.times().lapses);
}

#[tokio::test]
async fn what_does_not_fit_a_cookie_goes_on_from_memory() {
    let place = place();
    let first = place.begin().await;
    place.renewed(1, &"r".repeat(4096)).await;
    assert!(place.carrier.successor(&first).await.is_none());
    assert!(place.is_there().await);
}
