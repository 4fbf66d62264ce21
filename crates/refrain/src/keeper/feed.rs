//! Hearing what other processes have done: a logout, a login, a new token.
//!
//! One question to the store every two seconds, however many grants this process holds, and at once when
//! the store gives a hint. While the feed is alive a token in memory is served without a look at its row;
//! when it has fallen silent for four seconds (a stopped process, a starved runtime) every reader looks
//! for himself again.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    failpoint,
    keeper::{
        Keeper,
        caught::Running,
        live::Cell,
        sync::{AtomicBool, AtomicI64, Mutex, spawn},
    },
    limit::Gates,
    store::{Changed, Mark},
    time::{BoxFuture, Uptime},
};

/// How often a process asks what the others have done.
const ASK: Duration = Duration::from_secs(2);
/// How soon it asks again at the earliest, however many hints come.
const SETTLE: Duration = Duration::from_millis(100);
/// How long a token is served when nothing has been heard, and how old an answer of the store may be that
/// somebody is given who asks now.
pub(super) const SILENCE: Duration = Duration::from_secs(4);
const _: () = assert!(
    ASK.as_secs() < SILENCE.as_secs() && SILENCE.as_secs() < 5,
    "logout reaches every process within five seconds"
);

/// How far this process has heard.
#[derive(Debug)]
pub(super) struct Feed {
    started: AtomicBool,
    /// Whether there is a mark: whoever reads a row from now on will hear of its next change.
    begun: AtomicBool,
    /// Until which uptime the last answer counts.
    until: AtomicI64,
    /// Up to where it has heard; outlives the task, so that one that takes its place leaves nothing out.
    mark: Mutex<Option<Mark>>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            started: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            until: AtomicI64::new(i64::MIN),
            mark: Mutex::default(),
        }
    }

    /// Whether changes to a row that is read after this are heard of.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Whether it is alive.
    pub(super) fn is_heard(&self, now: Uptime) -> bool {
        now.0 < self.until.load(Ordering::Relaxed)
    }

    fn heard(&self, at: Uptime) {
        self.until.store(at.after(SILENCE).0, Ordering::Relaxed);
    }
}

impl Keeper {
    /// Starts to listen, once there is a token that could go stale.
    pub(super) fn listen(self: &Arc<Self>) {
        if let Some(running) = Running::begin(self, |keeper| &keeper.feed.started) {
            spawn(run(running));
        }
    }

    async fn hear(self: &Arc<Self>) {
        let asked = self.parts.clock.uptime();
        failpoint::at!(self.parts.clock, FeedLost, broken => tracing::debug!(%broken));
        let mark = || {
            self.feed
                .mark
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let since = *mark();
        match self.parts.store.changes(since).await {
            Ok((changed, next)) => {
                // Ended logins first: from here on none of their tokens is served.
                let stale: Vec<Arc<Cell>> =
                    changed.iter().filter_map(|it| self.outdated(it)).collect();
                *mark() = Some(next);
                self.feed.begun.store(true, Ordering::Release);
                self.feed.heard(asked);
                for cell in stale {
                    self.look_again(&cell).await;
                }
            }
            // Of a store that fails nothing is known: what is here is served to its end.
            Err(error) => {
                tracing::debug!(code = error.code(), "what others have done is not known");
                self.feed.heard(self.parts.clock.uptime());
            }
        }
    }

    /// The cell that a change is news to.
    fn outdated(&self, changed: &Changed) -> Option<Arc<Cell>> {
        let cell = self.cells.get(&changed.name)?;
        // Also where nothing is held: somebody may have read the row before this, and publish it after.
        cell.begin_epoch(changed.epoch);
        let held = cell.live.load_full()?;
        ((held.epoch, held.minting) < (changed.epoch, changed.minting)).then_some(cell)
    }

    async fn look_again(self: &Arc<Self>, cell: &Arc<Cell>) {
        if let Err(error) = self.reload(cell).await
            && error.problem().ends_the_grant()
        {
            cell.live.store(None);
        }
    }
}

async fn run(running: Running) {
    let mut hints = running.keeper().and_then(|it| it.parts.store.hints());
    loop {
        let Some(strong) = running.keeper() else {
            return;
        };
        tokio::join!(strong.hear(), strong.keep_gates());
        // Each of the two sees to the other.
        strong.refresh_ahead();
        let clock = &strong.parts.clock;
        let (settled, asked) = (clock.sleep(SETTLE), clock.sleep(ASK));
        let gates = strong.limits.gates().clone();
        drop(strong);
        let next = async {
            settled.await;
            hint_or(&mut hints, asked).await;
        };
        tokio::select! {
            () = next => {}
            () = keep(&running, &gates) => return,
        }
    }
}

/// Makes gates durable as soon as they close; ends with the keeper.
async fn keep(running: &Running, gates: &Gates) {
    loop {
        gates.news().await;
        let Some(strong) = running.keeper() else {
            return;
        };
        strong.keep_gates().await;
        // A burst of refusals is one write, or a few.
        let settled = strong.parts.clock.sleep(SETTLE);
        drop(strong);
        settled.await;
    }
}

/// Waits for a hint from the store, or for something else.
pub(super) async fn hint_or(
    hints: &mut Option<watch::Receiver<u64>>,
    other: BoxFuture<'static, ()>,
) {
    let Some(hint) = hints else {
        return other.await;
    };
    let heard = tokio::select! {
        heard = hint.changed() => heard,
        () = other => Ok(()),
    };
    if heard.is_err() {
        *hints = None;
    }
}
