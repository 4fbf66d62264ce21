//! Hearing what other processes have done: a logout, a login, a new token.
//!
//! One question to the store every two seconds, however many grants this process holds, and at once when
//! the store gives a hint. While the feed is alive a token in memory is served without a look at its row;
//! when it has been silent for more than four seconds (a stopped process, a starved runtime, a question that
//! fails) every reader looks for himself again. Where the store answers nothing at all, looking tells nobody
//! anything, and what is here is served to its end.

use std::{
    pin::pin,
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
    store::{Changed, Changes, Mark},
    time::{BoxFuture, Uptime},
};

/// How often a process asks what the others have done.
const ASK: Duration = Duration::from_secs(2);
/// How soon it asks again at the earliest, however many hints come.
const SETTLE: Duration = Duration::from_millis(100);
/// How long a token is served when nothing has been heard, and how old an answer of the store may be that
/// somebody is given who asks now. A question that gets no answer for two seconds ends before.
pub(super) const SILENCE: Duration = Duration::from_millis(4500);
/// How long the store may think about what has changed before it is asked for something else.
const DOUBT: Duration = Duration::from_millis(100);
/// So many changes are told one by one; where there are more, each grant is looked at when it is wanted.
const MOST: u32 = 1000;
const _: () = assert!(
    ASK.as_millis() < SILENCE.as_millis() && SILENCE.as_millis() < 5000,
    "logout reaches every process within five seconds"
);

/// How far this process has heard.
#[derive(Debug)]
pub(super) struct Feed {
    started: AtomicBool,
    /// Counts the times from which on whoever reads a row will hear of its next change; 0 before the first.
    round: AtomicI64,
    /// Until which uptime the last answer counts.
    until: AtomicI64,
    /// Up to where it has heard; outlives the task, so that one that takes its place leaves nothing out.
    mark: Mutex<Option<Mark>>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            started: AtomicBool::new(false),
            round: AtomicI64::new(0),
            until: AtomicI64::new(i64::MIN),
            mark: Mutex::default(),
        }
    }

    /// In which round a row is read that is read after this. Changes to it are heard of, or begin another;
    /// in round 0 they are not.
    pub(super) fn round(&self) -> i64 {
        self.round.load(Ordering::Acquire)
    }

    /// What was read before this may have changed unheard.
    fn begin_round(&self) {
        self.round.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it is alive.
    pub(super) fn is_heard(&self, now: Uptime) -> bool {
        now.0 < self.until.load(Ordering::Acquire)
    }

    fn counts_until(&self, until: Uptime) {
        self.until.store(until.0, Ordering::Release);
    }
}

/// What does not answer.
#[derive(Debug)]
enum Silent {
    /// Nothing does.
    Store,
    /// The question for changes fails alone, or will not pass by itself.
    Feed,
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
        let since = mark().clone();
        match self.ask(since.as_ref()).await {
            Ok((changes, next)) => {
                // Ended logins first: from here on none of their tokens is served.
                let stale = self.outdated_by(&changes);
                *mark() = Some(next);
                if since.is_none() || changes == Changes::Any {
                    self.feed.begin_round();
                }
                self.feed.counts_until(asked.after(SILENCE));
                for cell in stale {
                    self.look_again(&cell).await;
                }
            }
            // What is here is served to its end.
            Err(Silent::Store) => {
                let now = self.parts.clock.uptime();
                self.feed.counts_until(now.after(SILENCE));
            }
            Err(Silent::Feed) => {}
        }
    }

    /// Asks what has changed. Where that takes long, a row is asked for beside it: should both fail, nobody
    /// who looks for himself would find anything.
    async fn ask(&self, since: Option<&Mark>) -> Result<(Changes, Mark), Silent> {
        let store = &self.parts.store;
        let mut question = pin!(store.changes(since, MOST));
        let mut beside = pin!(async {
            self.parts.clock.sleep(DOUBT).await;
            store.grants(None, 1).await.err()
        });
        let mut found = None;
        let answer = tokio::select! {
            biased;
            answer = &mut question => answer,
            error = &mut beside => {
                found = Some(error);
                question.await
            }
        };
        let error = match answer {
            Ok(told) => return Ok(told),
            Err(error) => error,
        };
        let code = error.code();
        tracing::debug!(code, "what others have done is not known");
        if !error.is_transient() {
            return Err(Silent::Feed);
        }
        let other = match found {
            Some(found) => found,
            None => beside.await,
        };
        Err(match other {
            Some(error) if error.is_transient() => Silent::Store,
            Some(_) | None => Silent::Feed,
        })
    }

    /// The cells that some changes are news to.
    fn outdated_by(&self, changes: &Changes) -> Vec<Arc<Cell>> {
        match changes {
            Changes::These(told) => told.iter().filter_map(|it| self.outdated(it)).collect(),
            Changes::Any => Vec::new(),
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
