//! How far a connection has come, and since when: a client that only holds it open loses it.
//!
//! A server that waits for slow clients runs out of places for the others. Each connection has a pulse;
//! whoever moves something notes it there, which costs a few plain stores, and once a second somebody looks
//! at all of them ([`Sweep`]). There is no timer per connection and no clock reading per request, so every
//! limit is kept to the second.
//!
//! | while | limit |
//! | --- | --- |
//! | a request's head is under way | 10 s as a whole |
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

/// Seconds that a request's head may take, from its first byte to its last.
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
    /// Open, and nothing has come yet.
    New,
    /// Between two requests.
    Idle,
    /// A request has begun to come.
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
    /// So many requests are being answered.
    requests: AtomicU32,
    /// Whether several requests share the connection.
    shared: AtomicBool,
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

/// How much has to move, and in which time.
#[derive(Debug, Clone, Copy)]
struct Step {
    bytes: u32,
    seconds: u32,
}

/// One direction: for how long somebody has been waited for, and how much has moved meanwhile.
#[derive(Debug)]
pub(crate) struct Flow {
    step: Step,
    waits: AtomicBool,
    /// 0 while nobody has waited.
    since: AtomicU32,
    moved: AtomicU32,
}

impl Flow {
    fn new(step: Step) -> Self {
        Self {
            step,
            waits: AtomicBool::new(false),
            since: AtomicU32::new(0),
            moved: AtomicU32::new(0),
        }
    }

    /// Somebody is waited for.
    pub(crate) fn waits(&self, pulse: &Pulse) {
        self.waits.store(true, Ordering::Relaxed);
        if self.since.load(Ordering::Relaxed) == 0 {
            self.moved.store(0, Ordering::Relaxed);
            self.since.store(pulse.now(), Ordering::Relaxed);
        }
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&self, bytes: usize) {
        if self.since.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.waits.store(false, Ordering::Relaxed);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let moved = self.moved.load(Ordering::Relaxed).saturating_add(bytes);
        self.moved.store(moved, Ordering::Relaxed);
        if moved >= self.step.bytes {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    /// There is nothing more to wait for.
    pub(crate) fn ends(&self) {
        self.waits.store(false, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
    }

    fn is_stuck(&self, now: u32) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since != 0
            && self.waits.load(Ordering::Relaxed)
            && now.saturating_sub(since) >= self.step.seconds
    }
}

impl Pulse {
    fn new(seconds: &Arc<AtomicU32>) -> Self {
        Self {
            seconds: Arc::clone(seconds),
            phase: AtomicU8::new(Phase::New as u8),
            since: AtomicU32::new(seconds.load(Ordering::Relaxed)),
            requests: AtomicU32::new(0),
            shared: AtomicBool::new(false),
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
        if (self.is(Phase::New) || self.is(Phase::Idle)) && !self.is_shared() {
            self.enter(Phase::Head);
        }
    }

    /// A request's head is complete.
    pub(crate) fn request_begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Busy);
    }

    /// Its answer has been handed over to its end.
    pub(crate) fn request_ends(&self) {
        self.inward.ends();
        self.upstream.ends();
        if self.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
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
        let ahead = !self.outward.waits.load(Ordering::Relaxed);
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
    pub(crate) fn tick(&self) {
        let now = self
            .seconds
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
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
mod tests {
    use super::*;

    /// Lets seconds pass until the pulse is cut; so many at most.
    fn seconds_until_cut(sweep: &Sweep, pulse: &Pulse, most: u32) -> Option<u32> {
        (1..=most).find(|_| {
            sweep.tick();
            pulse.is_cut()
        })
    }

    #[test]
    fn a_connection_that_says_nothing_is_cut_after_ten_seconds() {
        let sweep = Sweep::new();
        assert_eq!(seconds_until_cut(&sweep, &sweep.pulse(), 60), Some(10));
    }

    #[test]
    fn a_head_that_drips_is_cut_ten_seconds_after_its_first_byte() {
        let sweep = Sweep::new();
        let pulse = sweep.pulse();
        for _ in 0..5 {
            sweep.tick();
        }
        let dripping = (1..60).find(|_| {
            pulse.bytes_come();
            sweep.tick();
            pulse.is_cut()
        });
        assert_eq!(dripping, Some(10));
    }

    #[test]
    fn a_connection_between_requests_may_rest_longer() {
        let sweep = Sweep::new();
        let pulse = sweep.pulse();
        pulse.request_begins();
        assert_eq!(
            seconds_until_cut(&sweep, &pulse, 300),
            None,
            "no limit of its own"
        );
        pulse.request_ends();
        assert_eq!(seconds_until_cut(&sweep, &pulse, 300), Some(75));
    }

    #[test]
    fn a_body_has_to_move_while_it_is_waited_for() {
        let sweep = Sweep::new();
        let pulse = sweep.pulse();
        pulse.request_begins();
        let drip = |bytes: usize| {
            (1..40).find(|_| {
                pulse.inward.waits(&pulse);
                pulse.inward.moved(bytes);
                pulse.inward.waits(&pulse);
                sweep.tick();
                pulse.is_cut()
            })
        };
        assert_eq!(drip(200), None, "2,000 bytes in ten seconds are enough");
        pulse.inward.ends();
        assert_eq!(drip(1), Some(10));
    }

    #[test]
    fn whoever_does_not_wait_cuts_nobody() {
        let sweep = Sweep::new();
        let pulse = sweep.pulse();
        pulse.request_begins();
        pulse.outward.waits(&pulse);
        pulse.outward.moved(1);
        assert_eq!(
            seconds_until_cut(&sweep, &pulse, 100),
            None,
            "the upstream is slow, not the client"
        );
        pulse.outward.waits(&pulse);
        sweep.tick();
        assert!(pulse.is_cut());
    }

    #[test]
    fn what_has_been_dropped_is_forgotten() {
        let sweep = Sweep::new();
        drop(sweep.pulse());
        sweep.tick();
        assert!(sweep.pulses.lock().unwrap().is_empty());
    }
}
