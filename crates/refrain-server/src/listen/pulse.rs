//! How far a connection has come, and since when: a client that only holds it open loses it.
//!
//! A server that waits for slow clients runs out of places for the others. Each connection has a pulse;
//! whoever moves something notes it there, which costs a few plain stores, and once a second somebody looks
//! at all of them ([`Sweep`]). There is no timer per connection and no clock reading per request, so every
//! limit is kept to the second.
//!
//! | while | limit |
//! | --- | --- |
//! | a request's head is under way | 10 s as a whole, the first from the beginning of the connection |
//! | the client sends a body | 1 KiB in each 10 s in which it is waited for |
//! | the client takes an answer | 1 KiB in each 10 s in which it is waited for |
//! | the API is asked | the first byte of its answer within a minute, and one in each minute after that |
//! | nothing is under way | 75 s, as other servers do; 10 s before the first request |
//!
//! With HTTP/2 several requests share a connection, and each has a pulse of its own ([`stream`]): one that is
//! stuck is reset, and its neighbours hear nothing of it. To the connection itself belong its idle time and
//! its socket, which is everybody's.

mod flow;
pub(crate) mod stream;

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::Waker,
};

pub(crate) use self::flow::Flow;
use self::flow::Step;

/// Seconds that a request's head may take, from its first byte to its last; that of the first request from
/// the beginning of the connection, or a client could wait before it drips and take twice as long.
const HEAD: u32 = 10;
/// Seconds that a connection may be idle between two requests.
const IDLE: u32 = 75;
/// A client has to move a body on by so many bytes in so many seconds of waiting.
const CLIENT: Step = Step {
    bytes: 1024,
    seconds: 10,
};
/// The same where a neighbour fills the socket all the while.
const BESIDE: Step = Step {
    bytes: 1,
    seconds: 60,
};
/// And the API.
const API: Step = Step {
    bytes: 1,
    seconds: 60,
};

/// What a connection is at. One that carries several requests at a time is busy with the first, and has no
/// heads of its own: HTTP/2 has limits for those. A stream of it is busy for as long as there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Open, and no request has come yet.
    New,
    /// Between two requests.
    Idle,
    /// Another request has begun to come.
    Head,
    /// A request is being answered.
    Busy,
}

/// One connection's pulse, or that of one request on a connection that is shared.
#[derive(Debug)]
pub(crate) struct Pulse {
    seconds: Arc<AtomicU32>,
    phase: AtomicU8,
    since: AtomicU32,
    kind: AtomicU8,
    /// Where several requests share the connection: theirs.
    streams: Mutex<Vec<Weak<Self>>>,
    /// Requests that are being answered.
    running: AtomicU32,
    /// The request body on its way in.
    pub(crate) inward: Flow,
    /// The answer on its way out.
    pub(crate) outward: Flow,
    /// The same, however busy the connection is with its neighbours.
    pub(crate) beside: Flow,
    /// The API's answer on its way here.
    pub(crate) upstream: Flow,
    /// The beginning of it.
    pub(crate) answer: Flow,
    late: AtomicBool,
    cut: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

/// Whose pulse it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Whose {
    /// A connection's, with one request at a time.
    Connection,
    /// A connection's that several requests share.
    Shared,
    /// A request's on one of those.
    Stream,
}

/// A request that is being answered, until its answer has been handed over or nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Running {
    connection: Arc<Pulse>,
    stream: Option<Arc<Pulse>>,
}

impl Running {
    /// The pulse that the request's own limits are kept by.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        self.stream.as_ref().unwrap_or(&self.connection)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            stream.answer_ends();
        }
        self.connection.request_ends();
    }
}

impl Pulse {
    fn new(seconds: &Arc<AtomicU32>) -> Self {
        Self {
            seconds: Arc::clone(seconds),
            phase: AtomicU8::new(Phase::New as u8),
            since: AtomicU32::new(seconds.load(Ordering::Relaxed)),
            kind: AtomicU8::new(Whose::Connection as u8),
            streams: Mutex::default(),
            running: AtomicU32::new(0),
            inward: Flow::new(CLIENT),
            outward: Flow::new(CLIENT),
            beside: Flow::new(BESIDE),
            upstream: Flow::new(API),
            answer: Flow::new(API),
            late: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            wakers: Mutex::default(),
        }
    }

    /// Several requests share the connection (HTTP/2).
    pub(crate) fn share(&self) {
        self.kind.store(Whose::Shared as u8, Ordering::Relaxed);
    }

    fn belongs_to(&self, whose: Whose) -> bool {
        self.kind.load(Ordering::Relaxed) == whose as u8
    }

    /// The seconds that have passed, from one.
    pub(crate) fn now(&self) -> u32 {
        self.seconds.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since.store(self.now(), Ordering::Relaxed);
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    /// Bytes have come that belong to no request that is being answered.
    pub(crate) fn bytes_come(&self) {
        // While it is new, its time is running already.
        if self.is(Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    /// A request's head is complete.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Busy);
        Running {
            connection: Arc::clone(self),
            stream: self
                .belongs_to(Whose::Shared)
                .then(stream::current)
                .flatten(),
        }
    }

    fn request_ends(&self) {
        // With HTTP/2 there may be others.
        if self.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.inward.ends();
            self.upstream.ends();
            self.enter(Phase::Idle);
        }
    }

    /// Whether the connection has been given up.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Whoever is to learn that it is given up.
    pub(crate) fn wakes(&self, waker: &Waker) {
        let mut held = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.iter().any(|held| held.will_wake(waker)) {
            held.push(waker.clone());
        }
    }

    fn is_over(&self, now: u32) -> bool {
        let passed = now.saturating_sub(self.since.load(Ordering::Relaxed));
        let late = if self.is(Phase::Head) || self.is(Phase::New) {
            passed >= HEAD
        } else {
            self.is(Phase::Idle) && passed >= IDLE
        };
        // While the client is behind, nobody asks the API for more.
        let ahead = !self.outward.is_waiting();
        late || self.inward.is_stuck(now)
            || self.outward.is_stuck(now)
            || self.beside.is_stuck(now)
            || ahead && self.upstream.is_stuck(now)
    }

    /// Whether the API has been asked too long ago; says so once.
    pub(crate) fn is_late(&self) -> bool {
        self.late.swap(false, Ordering::Relaxed)
    }

    fn wake(&self) {
        let mut held = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        let wakers = std::mem::take(&mut *held);
        drop(held);
        for waker in wakers {
            waker.wake();
        }
    }
}

/// All connections of a worker. Its seconds begin at one: zero means "never" in a [`Flow`].
#[derive(Debug)]
pub(crate) struct Sweep {
    seconds: Arc<AtomicU32>,
    pulses: Mutex<Vec<Weak<Pulse>>>,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self {
            seconds: Arc::new(AtomicU32::new(1)),
            pulses: Mutex::default(),
        }
    }

    /// The seconds that have passed, for whoever wants no clock.
    pub(crate) fn seconds(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.seconds)
    }

    /// The pulse of a new connection.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse::new(&self.seconds));
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.push(Arc::downgrade(&pulse));
        pulse
    }

    /// Another second has passed.
    #[cfg(test)]
    pub(crate) fn tick(&self) {
        self.pass(1);
    }

    /// So many seconds have passed.
    pub(crate) fn pass(&self, seconds: u32) {
        let now = self
            .seconds
            .fetch_add(seconds, Ordering::Relaxed)
            .saturating_add(seconds);
        let mut found = Found::default();
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else {
                return false;
            };
            if pulse.belongs_to(Whose::Shared) {
                pulse.look_at_streams(now, &mut found);
            }
            found.look_at(pulse, now);
            true
        });
        drop(pulses);
        found.tell();
    }
}

/// Those whose time is over.
#[derive(Debug, Default)]
struct Found {
    over: Vec<Arc<Pulse>>,
    /// Those whose API has not answered.
    late: Vec<Arc<Pulse>>,
}

impl Found {
    fn look_at(&mut self, pulse: Arc<Pulse>, now: u32) {
        if pulse.is_over(now) {
            self.over.push(pulse);
        } else if pulse.answer.is_stuck(now) {
            self.late.push(pulse);
        }
    }

    fn tell(self) {
        for pulse in self.over {
            pulse.cut.store(true, Ordering::Relaxed);
            pulse.wake();
        }
        for pulse in self.late {
            pulse.late.store(true, Ordering::Relaxed);
            pulse.wake();
        }
    }
}

#[cfg(test)]
mod tests;
