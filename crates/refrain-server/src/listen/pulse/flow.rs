//! One direction in which bytes move, and who keeps whom waiting.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Pulse;

/// How much has to move, and in which time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) bytes: u32,
    pub(super) seconds: u32,
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
    pub(super) fn new(step: Step) -> Self {
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

    pub(super) fn is_waiting(&self) -> bool {
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

    pub(super) fn is_stuck(&self, now: u32) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        let waited = self.waited.load(Ordering::Relaxed);
        since != 0 && now.saturating_sub(since).saturating_add(waited) >= self.step.seconds
    }

    /// The second that has passed is nobody's fault either.
    pub(super) fn is_excused(&self, now: u32) {
        let since = self.since.load(Ordering::Relaxed);
        if since != 0 {
            let later = since.saturating_add(1).min(now);
            self.since.store(later, Ordering::Relaxed);
        }
    }
}
