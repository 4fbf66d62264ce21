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

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::Waker,
};

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
/// And the API.
const API: Step = Step {
    bytes: 1,
    seconds: 60,
};

/// What a connection is at. One that carries several requests at a time is busy with the first, and has no
/// heads of its own: HTTP/2 has limits for those.
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

/// One connection's pulse.
#[derive(Debug)]
pub(crate) struct Pulse {
    seconds: Arc<AtomicU32>,
    phase: AtomicU8,
    since: AtomicU32,
    /// Whether several requests share the connection.
    shared: AtomicBool,
    /// Requests that are being answered.
    running: AtomicU32,
    /// The request body on its way in.
    pub(crate) inward: Flow,
    /// The answer on its way out.
    pub(crate) outward: Flow,
    /// The API's answer on its way here.
    pub(crate) upstream: Flow,
    /// The beginning of it.
    pub(crate) answer: Flow,
    late: AtomicBool,
    cut: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// A request that is being answered, until its answer has been handed over or nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Running(Arc<Pulse>);

impl Running {
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

/// How much has to move, and in which time.
#[derive(Debug, Clone, Copy)]
struct Step {
    bytes: u32,
    seconds: u32,
}

/// One direction: for how long somebody has been waited for, and how much has moved meanwhile. What lies
/// between two waits is nobody's fault, and does not count.
#[derive(Debug)]
pub(crate) struct Flow {
    step: Step,
    /// Since when somebody is waited for; 0 while nobody is.
    since: AtomicU32,
    /// For how long somebody was waited for before, in this step.
    waited: AtomicU32,
    moved: AtomicU32,
}

impl Flow {
    fn new(step: Step) -> Self {
        Self {
            step,
            since: AtomicU32::new(0),
            waited: AtomicU32::new(0),
            moved: AtomicU32::new(0),
        }
    }

    /// Somebody is waited for.
    pub(crate) fn waits(&self, pulse: &Pulse) {
        if self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(pulse.now(), Ordering::Relaxed);
        }
    }

    fn is_waiting(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&self, bytes: usize, pulse: &Pulse) {
        let since = self.since.load(Ordering::Relaxed);
        let mut waited = self.waited.load(Ordering::Relaxed);
        if since != 0 {
            waited = waited.saturating_add(pulse.now().saturating_sub(since));
            self.since.store(0, Ordering::Relaxed);
        } else if waited == 0 {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut moved = self.moved.load(Ordering::Relaxed).saturating_add(bytes);
        if moved >= self.step.bytes {
            (waited, moved) = (0, 0);
        }
        self.waited.store(waited, Ordering::Relaxed);
        self.moved.store(moved, Ordering::Relaxed);
    }

    /// There is nothing more to wait for.
    pub(crate) fn ends(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.waited.store(0, Ordering::Relaxed);
        self.moved.store(0, Ordering::Relaxed);
    }

    fn is_stuck(&self, now: u32) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        let waited = self.waited.load(Ordering::Relaxed);
        since != 0 && now.saturating_sub(since).saturating_add(waited) >= self.step.seconds
    }
}

impl Pulse {
    fn new(seconds: &Arc<AtomicU32>) -> Self {
        Self {
            seconds: Arc::clone(seconds),
            phase: AtomicU8::new(Phase::New as u8),
            since: AtomicU32::new(seconds.load(Ordering::Relaxed)),
            shared: AtomicBool::new(false),
            running: AtomicU32::new(0),
            inward: Flow::new(CLIENT),
            outward: Flow::new(CLIENT),
            upstream: Flow::new(API),
            answer: Flow::new(API),
            late: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            waker: Mutex::default(),
        }
    }

    /// Several requests share the connection (HTTP/2).
    pub(crate) fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// Whether they do.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
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
        if self.is(Phase::Idle) && !self.is_shared() {
            self.enter(Phase::Head);
        }
    }

    /// A request's head is complete.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Busy);
        Running(Arc::clone(self))
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
        let mut held = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
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
            || ahead && self.upstream.is_stuck(now)
    }

    /// Whether the API has been asked too long ago.
    pub(crate) fn is_late(&self) -> bool {
        self.late.swap(false, Ordering::Relaxed)
    }

    fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
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
        let (mut over, mut late) = (Vec::new(), Vec::new());
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else {
                return false;
            };
            if pulse.is_over(now) {
                over.push(pulse);
            } else if pulse.answer.is_stuck(now) {
                late.push(pulse);
            }
            true
        });
        drop(pulses);
        for pulse in over {
            pulse.cut.store(true, Ordering::Relaxed);
            pulse.wake();
        }
        for pulse in late {
            pulse.late.store(true, Ordering::Relaxed);
            pulse.wake();
        }
    }
}

#[cfg(test)]
mod tests;
