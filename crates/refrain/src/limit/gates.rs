//! The gates of one process: asked before every request to the Web API, told of every 429.
//!
//! While there is no gate at all, asking is one atomic load. Once the end of a gate has come, one request
//! goes ahead as a **probe**, and the others are told to come back in a second; only an answer to the
//! probe other than a 429 takes the gate away. A hundred clients who have waited for the same second
//! would otherwise close it again at once.
//!
//! Nothing here waits for a store. What has to be kept is noted, and whoever keeps it is woken.

mod keep;
mod probe;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

pub(crate) use self::keep::Unkept;
pub use self::probe::Probe;
use crate::{
    id::{AppName, DeveloperName},
    limit::{Bucket, Gate, Kind, Limit},
    time::{Clock, Deadline, Moment, UnixMillis, seconds_rounded_up},
};

/// What those are told who have to wait for a probe.
const MEANWHILE: Duration = Duration::from_secs(1);
/// A probe that has not come back by then counts as lost, and another one may go.
const PATIENCE: Duration = Duration::from_secs(30);

/// The gates of a process. Clones share everything.
///
/// ```no_run
/// # async fn example(refrain: refrain::Refrain) -> Result<(), refrain::Error> {
/// use refrain::limit::{self, Entered, Outcome};
///
/// let (gates, app) = (refrain.gates().await?, "default".parse().expect("a name"));
/// let probe = match gates.enter(&app) {
///     Entered::Open => None,
///     Entered::Probe(probe) => Some(probe),
///     Entered::Closed(closed) => {
///         println!("429, Retry-After: {}", closed.retry_after());
///         return Ok(());
///     }
/// };
/// // … the request is sent, and this is its answer; dropping the probe instead lets another one try:
/// let (status, headers, body) = (429, http::HeaderMap::new(), b"Too many requests");
/// let outcome = if status == 429 {
///     Outcome::Limited(limit::judge(&headers, body, refrain.parts().clock.wall()))
/// } else {
///     Outcome::Passed
/// };
/// gates.report(&app, probe, outcome);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Gates {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    developers: BTreeMap<AppName, DeveloperName>,
    /// Whether there is any gate.
    any: AtomicBool,
    state: Mutex<State>,
    /// Wakes whoever keeps the gates.
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<Bucket, Held>,
    /// Gates that are gone here and still in the store, with the write that put them there.
    gone: BTreeMap<Bucket, u64>,
    probes: u64,
}

#[derive(Debug)]
struct Held {
    gate: Gate,
    /// Counts how often it was closed; what a probe of an earlier round says does not open it.
    round: u64,
    /// The probe that is on its way, and until when it is waited for.
    probe: Option<(u64, Deadline)>,
    /// Which write of it the store has; 0 for none.
    kept: u64,
    /// Whether the store has to hear of it.
    unkept: bool,
}

/// Whether a request may be sent.
#[derive(Debug)]
pub enum Entered {
    /// It may.
    Open,
    /// It may, and the others wait for its answer.
    Probe(Probe),
    /// It may not.
    Closed(Closed),
}

/// Why a request may not be sent, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Which limit was met.
    pub kind: Kind,
    /// By whom.
    pub bucket: Bucket,
    /// How long it lasts; a second while a probe is on its way.
    pub remaining: Duration,
    /// The same as an instant, for people.
    pub until: UnixMillis,
    /// Since when.
    pub since: UnixMillis,
}

impl Closed {
    fn by(gate: &Gate, remaining: Duration, now: &Moment) -> Self {
        Self {
            kind: gate.kind(),
            bucket: gate.bucket.clone(),
            remaining,
            until: now.wall.after(remaining),
            since: gate.since,
        }
    }

    /// The value of a Retry-After header: whole seconds, never too few, and never zero.
    pub fn retry_after(&self) -> u64 {
        seconds_rounded_up(self.remaining).max(1)
    }
}

/// How a request that was let through came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// By a 429.
    Limited(Limit),
    /// By any other answer. No answer is no outcome: the probe is dropped.
    Passed,
}

impl Gates {
    /// No gates yet, for apps and the developers they belong to.
    pub fn new(clock: Arc<dyn Clock>, developers: BTreeMap<AppName, DeveloperName>) -> Self {
        let shared = Shared {
            clock,
            developers,
            any: AtomicBool::new(false),
            state: Mutex::default(),
            news: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Asks whether a request of an app may be sent now.
    pub fn enter(&self, app: &AppName) -> Entered {
        if !self.shared.any.load(Ordering::Acquire) {
            return Entered::Open;
        }
        let now = self.shared.clock.now();
        let developer = self.shared.developer(app);
        let mut state = self.shared.state();
        let concerned = || {
            state
                .held
                .values()
                .filter(|it| it.concerns(app, &developer))
        };
        let closed = concerned()
            .map(|held| (held.gate.remaining(&now), &held.gate))
            .filter(|(remaining, _)| !remaining.is_zero())
            .max_by_key(|(remaining, _)| *remaining);
        if let Some((remaining, gate)) = closed {
            return Entered::Closed(Closed::by(gate, remaining, &now));
        }
        if let Some(probed) = concerned().find(|held| held.is_probed(&now)) {
            return Entered::Closed(Closed::by(&probed.gate, MEANWHILE, &now));
        }
        let rounds: Vec<_> = concerned()
            .map(|held| (held.gate.bucket.clone(), held.round))
            .collect();
        if rounds.is_empty() {
            return Entered::Open;
        }
        let number = state.next_probe();
        for (bucket, _) in &rounds {
            if let Some(held) = state.held.get_mut(bucket) {
                held.probe = Some((number, Deadline::after(&now, PATIENCE)));
            }
        }
        drop(state);
        Entered::Probe(Probe::new(&self.shared, number, rounds))
    }

    /// Tells how a request of an app came out, with the probe where it was one. It waits for nothing.
    ///
    /// A request that was no probe and passed says nothing about a gate: it may have been sent before the
    /// gate closed.
    pub fn report(&self, app: &AppName, probe: Option<Probe>, outcome: Outcome) {
        match outcome {
            Outcome::Limited(limit) => self.shared.close(app, &limit),
            Outcome::Passed => {
                if let Some(probe) = probe {
                    probe.passed();
                }
            }
        }
    }

    /// The gates there are, also those whose end has come and that nobody has passed since.
    pub fn list(&self) -> Vec<Gate> {
        let state = self.shared.state();
        state.held.values().map(|held| held.gate.clone()).collect()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn developer(&self, app: &AppName) -> DeveloperName {
        let known = self.developers.get(app).cloned();
        known.unwrap_or_else(|| app.into())
    }

    fn close(&self, app: &AppName, limit: &Limit) {
        let now = self.clock.now();
        let gate = Gate::closed(app, &self.developer(app), limit, &now);
        let mut state = self.state();
        let (bucket, wait) = (gate.bucket.clone(), limit.wait.as_secs());
        if state.closed(gate, &now) {
            tracing::warn!(%bucket, wait, "Spotify's Web API wants to be left alone");
        }
        self.any.store(true, Ordering::Release);
        drop(state);
        self.news.notify_one();
    }

    /// Says again whether there is any gate.
    fn recount(&self, state: &State) {
        self.any.store(!state.held.is_empty(), Ordering::Release);
    }
}

impl State {
    /// Closes a gate, or keeps it closed for longer; answers whether that changes anything.
    fn closed(&mut self, gate: Gate, now: &Moment) -> bool {
        let Some(held) = self.held.get_mut(&gate.bucket) else {
            let held = Held {
                kept: 0,
                unkept: true,
                ..Held::new(gate)
            };
            self.held.insert(held.gate.bucket.clone(), held);
            return true;
        };
        let next = held.gate.and(&gate, now);
        if next == held.gate {
            return false;
        }
        held.close_again(next);
        held.unkept = true;
        true
    }

    fn next_probe(&mut self) -> u64 {
        self.probes = self.probes.wrapping_add(1);
        self.probes
    }
}

impl Held {
    fn new(gate: Gate) -> Self {
        Self {
            gate,
            round: 0,
            probe: None,
            kept: 0,
            unkept: false,
        }
    }

    fn concerns(&self, app: &AppName, developer: &DeveloperName) -> bool {
        self.gate.bucket.holds(app, developer)
    }

    fn is_probed(&self, now: &Moment) -> bool {
        let patience = self.probe.as_ref();
        patience.is_some_and(|(_, until)| !until.passed(now))
    }

    /// The next round: whatever probe is on its way was too early.
    fn close_again(&mut self, gate: Gate) {
        self.gate = gate;
        self.round = self.round.wrapping_add(1);
        self.probe = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemClock;

    #[test]
    fn while_there_is_no_gate_nobody_waits_for_a_lock() {
        let gates = Gates::new(Arc::new(SystemClock::new()), BTreeMap::new());
        let app: AppName = "a".parse().unwrap();
        let held = gates.shared.state();
        // On this thread: if it asked for the lock, it would wait for ever.
        assert!(matches!(gates.enter(&app), Entered::Open));
        gates.report(&app, None, Outcome::Passed);
        drop(held);
    }
}
