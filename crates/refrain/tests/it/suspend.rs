//! The machine sleeps for hours, at any step of a token call: whoever wakes up gets a token that works,
//! after one refresh at most, or is told to come back.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Grant, Refrain,
    keeper::Kind,
    lifecycle::Status,
    oauth::{
        origin::Origin,
        transport::{Answer, ConnectError, Connection, Request, SendError, Transport},
    },
    time::ManualClock,
};
use refrain_sim::{EventKind, Profile, Rotation, Sim, fingerprint};

use crate::world::{DAY, HOUR, World, signed_in};

/// Where the machine falls asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// While nothing is going on.
    Rest,
    /// The intent is written; there is no connection yet.
    Connecting,
    /// The connection stands; nothing is presented.
    Connected,
    /// The provider has answered; the answer lies in the socket.
    Answered,
}

const PLACES: [At; 4] = [At::Rest, At::Connecting, At::Connected, At::Answered];

/// Sleeps on the way of the next token call.
#[derive(Debug)]
struct Sleeper {
    inner: Arc<dyn Transport>,
    bed: Bed,
}

#[derive(Debug, Clone)]
struct Bed {
    sim: Sim,
    clock: Arc<ManualClock>,
    next: Arc<Mutex<Option<(At, Duration)>>>,
}

impl Bed {
    fn sleep_at(&self, at: At) {
        let mut next = self.next.lock().unwrap();
        if let Some((place, night)) = *next
            && place == at
        {
            *next = None;
            self.sim.advance(night);
            self.clock.advance(night);
        }
    }
}

#[async_trait]
impl Transport for Sleeper {
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Connection>, ConnectError> {
        self.bed.sleep_at(At::Connecting);
        let inner = self.inner.connect(origin).await?;
        let bed = self.bed.clone();
        Ok(Box::new(Dreaming { inner, bed }))
    }
}

struct Dreaming {
    inner: Box<dyn Connection>,
    bed: Bed,
}

#[async_trait]
impl Connection for Dreaming {
    async fn send(self: Box<Self>, request: Request) -> Result<Answer, SendError> {
        self.bed.sleep_at(At::Connected);
        let answer = self.inner.send(request).await;
        self.bed.sleep_at(At::Answered);
        answer
    }
}

/// A process whose machine sleeps.
fn process(world: &World) -> (Refrain, Bed) {
    let bed = Bed {
        sim: world.sim.clone(),
        clock: Arc::clone(&world.clock),
        next: Arc::default(),
    };
    let mut parts = world.parts_on(&world.store);
    let (inner, slept) = (Arc::clone(&parts.transport), bed.clone());
    parts.transport = Arc::new(Sleeper { inner, bed: slept });
    (Refrain::from_parts(parts).unwrap(), bed)
}

/// Asks until there is a token; nobody may be sent to a login meanwhile. Answers whether it lives.
async fn woken(world: &World, grant: &Grant) -> bool {
    for _ in 0..3 {
        match world.in_time(grant.access_token()).await {
            Ok(token) => return newest(world) == fingerprint(token.expose()),
            Err(error) => assert_eq!(error.kind(), Kind::TryLater, "{error}"),
        }
        world.pass(Duration::from_secs(40));
    }
    panic!("no token");
}

/// The access token that the provider has issued last, if it still takes it.
fn newest(world: &World) -> String {
    let life = i64::try_from(world.sim.profile().access_ttl.as_millis()).unwrap();
    let now = world.sim.now_unix_ms();
    let issued = |event: &refrain_sim::Event| match &event.kind {
        EventKind::TokenCall(call) if event.at + life > now => call.issued_access.clone(),
        _ => None,
    };
    let history = world.sim.history();
    history.iter().rev().find_map(issued).unwrap_or_default()
}

#[tokio::test]
async fn a_night_at_any_step_ends_with_a_token_that_works() {
    let rotations = [
        Rotation::Static,
        Rotation::Omit,
        Rotation::UntilUsed,
        Rotation::FamilyKill,
    ];
    for rotation in rotations {
        for at in PLACES {
            let (world, _) = signed_in(Profile::rotating(rotation)).await;
            let (refrain, bed) = process(&world);
            let alice = refrain.grant("alice").await.unwrap();
            for night in [
                HOUR,
                HOUR * 8,
                DAY * 3,
                DAY / 24 * 30,
                DAY * 14,
                HOUR * 2,
                DAY,
            ] {
                let case = format!("{rotation:?}, {at:?}, {night:?}");
                let refreshes = world.refreshes();
                if at == At::Rest {
                    world.pass(night);
                } else {
                    world.pass(HOUR);
                    *bed.next.lock().unwrap() = Some((at, night));
                }
                assert!(woken(&world, &alice).await, "{case}: a dead token");
                // The one that slept brings nothing that works any more.
                let most = if at == At::Answered { 2 } else { 1 };
                assert!(world.refreshes() - refreshes <= most, "{case}");
                let row = world.row("alice").await;
                assert!(
                    row.status == Status::Active && row.intent.is_none(),
                    "{case}"
                );
            }
            assert_eq!(world.sim.counts().refused, 0, "{rotation:?}, {at:?}");
        }
    }
}
