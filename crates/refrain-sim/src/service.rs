//! One request from arrival to answer: what it is, which fault meets it, who processes it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::accounts::token::Sight;
use crate::accounts::{REVOKE_PATH, TOKEN_PATH};
use crate::answer::{Answer, Inbound};
use crate::clock::SimClock;
use crate::control;
use crate::fault::{Action, Target};
use crate::history::EventKind;
use crate::job::Job;
use crate::stray;
use crate::wire::{ConnectionHandle, Disturbance, OnSent};
use crate::world::World;

/// The largest request body taken.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Which of the two hosts a listener plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Accounts,
    Api,
    Both,
}

/// What the endpoints need to know besides the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The fault that meets the request.
    pub(crate) fault: Option<&'static str>,
    /// Whether the answer is sure to reach the client.
    pub(crate) delivers: bool,
    /// How many token calls for the same chain are open, this one included.
    pub(crate) concurrent: u32,
}

/// The part of a request that decides its faults and its records.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Token(Sight),
    Revoke,
    Api,
    Page,
}

// === impl Kind ===

impl Kind {
    fn of(world: &World, side: Side, request: &Inbound) -> Self {
        let api = request.path.starts_with("/v1");
        match (side, request.path.as_str()) {
            (Side::Api, _) => Self::Api,
            (Side::Both, _) if api => Self::Api,
            (_, TOKEN_PATH) if request.method == http::Method::POST => {
                Self::Token(Sight::of(world, request))
            }
            (_, REVOKE_PATH) => Self::Revoke,
            _ => Self::Page,
        }
    }

    fn targets(&self, request: &Inbound) -> Vec<Target> {
        match self {
            Self::Token(sight) => match sight.grant_type.as_str() {
                "refresh_token" => vec![Target::Token, Target::TokenRefresh],
                "authorization_code" => vec![Target::Token, Target::TokenExchange],
                _ => vec![Target::Token],
            },
            Self::Revoke => vec![Target::Revoke],
            Self::Api if request.path == "/v1/me" => vec![Target::Api, Target::Me],
            Self::Api => vec![Target::Api],
            Self::Page if request.path == "/authorize" => vec![Target::Authorize],
            Self::Page => vec![],
        }
    }
}

/// The simulator's state and clock, shared by all connections.
#[derive(Debug)]
pub(crate) struct Inner {
    world: Mutex<World>,
    pub(crate) clock: SimClock,
    requests: AtomicU64,
    release: watch::Sender<()>,
}

// === impl Inner ===

impl Inner {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            clock: SimClock::start(),
            requests: AtomicU64::new(0),
            release: watch::Sender::new(()),
        }
    }

    /// Lets every held request go on.
    pub(crate) fn release(&self) {
        self.release.send_replace(());
    }

    /// Records that a request is held; the future ends with the next release.
    pub(crate) fn hold(&self, request: u64) -> impl Future<Output = ()> + use<> {
        let mut released = self.release.subscribe();
        self.world().record(EventKind::Held { request });
        async move {
            // An error means that the simulator is going down, which ends the hold as well.
            released.changed().await.ok();
        }
    }

    /// Locks the state and tells it the time.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // Nothing panics while it holds the lock, and a test that did would want to go on.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.at(self.clock.now(), self.clock.real_us());
        world
    }
}

/// Counts a token call as open while it lives.
pub(crate) struct Open {
    inner: Arc<Inner>,
    grant: Option<u64>,
}

// === impl Open ===

impl Open {
    fn new(inner: &Arc<Inner>, world: &mut World, kind: &Kind) -> (Self, u32) {
        let grant = if let Kind::Token(sight) = kind {
            sight.grant
        } else {
            None
        };
        let concurrent = grant.map_or(1, |grant| {
            let open = world.in_flight.entry(grant).or_default();
            *open += 1;
            *open
        });
        (
            Self {
                inner: Arc::clone(inner),
                grant,
            },
            concurrent,
        )
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(grant) = self.grant else { return };
        let mut world = self.inner.world();
        if let Some(open) = world.in_flight.get_mut(&grant) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                world.in_flight.remove(&grant);
            }
        }
    }
}

/// Answers one request.
pub(crate) async fn serve(
    inner: Arc<Inner>,
    side: Side,
    connection: ConnectionHandle,
    request: Request<Incoming>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    connection.arrived(None);
    let request = match read(&inner, request).await {
        Ok(request) => request,
        Err(status) => {
            return Ok(response(
                &connection,
                Disturbance::default(),
                Answer::empty(status),
            ));
        }
    };
    if side != Side::Api && request.path.starts_with("/_sim") {
        let answer = control::answer(&inner, &request);
        return Ok(response(&connection, Disturbance::default(), answer));
    }
    let (kind, action, open, context) = {
        let mut world = inner.world();
        stray::record(&mut world, side, &request);
        let kind = Kind::of(&world, side, &request);
        let action = world.script.take(&kind.targets(&request));
        let (open, concurrent) = Open::new(&inner, &mut world, &kind);
        let context = Context {
            fault: action.as_ref().map(Action::name),
            delivers: action.as_ref().is_none_or(Action::delivers),
            concurrent,
        };
        (kind, action, open, context)
    };
    if let Kind::Token(_) = kind {
        connection.arrived(Some(on_sent(&inner, request.number)));
    }
    let job = Job {
        inner: Arc::clone(&inner),
        kind,
        request,
        context,
    };
    let (answer, disturbance) = job.run(action, open).await;
    Ok(response(&connection, disturbance, answer))
}

fn on_sent(inner: &Arc<Inner>, request: u64) -> OnSent {
    let inner = Arc::clone(inner);
    Box::new(move |complete, bytes| {
        inner.world().record(EventKind::Answered {
            request,
            complete,
            bytes,
        });
    })
}

async fn read(inner: &Inner, request: Request<Incoming>) -> Result<Inbound, StatusCode> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?
        .to_bytes();
    Ok(Inbound {
        number: inner.requests.fetch_add(1, Ordering::Relaxed) + 1,
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    })
}

fn response(
    connection: &ConnectionHandle,
    disturbance: Disturbance,
    answer: Answer,
) -> Response<Full<bytes::Bytes>> {
    let body_len = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
    connection.answering(disturbance, body_len);
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    response
}
