//! One refresh for everybody: the first caller starts it, the others wait for the same one.
//!
//! The refresh runs in a task of its own, so that a caller who hangs up takes nothing with him. Failure
//! is shared like success, a panic included: it ends this flight and no other.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::task::task_tracker::TrackedFuture;
use tracing::Instrument as _;

use crate::{
    id::{Epoch, Minting},
    keeper::{
        Error, Keeper, Problem,
        caught::{Panicked, caught},
        live::Cell,
        live::Live,
        sync::{Mutex, spawn},
        tasks::Tasks,
    },
    lifecycle::{Cause, timing},
    secret::AccessToken,
    time::{BoxFuture, Uptime},
};

/// When a refresh has done what it was wanted for; then another process may as well have done it.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// A token that lasts, or at least one newer than the one there was.
    Lasting {
        min_ttl: Option<Duration>,
        than: Option<Arc<Live>>,
    },
    /// Another token than this one, which the API rejected.
    NotThis(AccessToken),
    /// A token minted after this one.
    After(Epoch, Minting, Cause),
}

impl Goal {
    pub(super) fn met_by(&self, live: &Live, now: Uptime) -> bool {
        match self {
            Self::Lasting { min_ttl, than } => {
                let newer =
                    |than: &Arc<Live>| (live.epoch, live.minting) > (than.epoch, than.minting);
                live.lasts(*min_ttl, now) || live.lives(now) && than.as_ref().is_some_and(newer)
            }
            Self::NotThis(rejected) => live.lives(now) && !live.token().ct_eq(rejected),
            Self::After(epoch, minting, _) => (live.epoch, live.minting) > (*epoch, *minting),
        }
    }
}

/// How far a refresh is.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// On its way.
    Running,
    /// The answer is here and cannot be saved; tried again until it is.
    Saving(Error),
    /// Over.
    Done(Result<Arc<Live>, Error>),
}

/// A refresh that is going on.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    cause: Cause,
    /// The newest login or logout that was known when it began.
    newest: Epoch,
    progress: watch::Receiver<Progress>,
}

impl Flight {
    /// Whether its task goes on: one that has panicked, or whose runtime has ended, does not.
    fn is_running(&self) -> bool {
        self.progress.has_changed().is_ok()
    }
}

/// A refresh from its beginning to its end.
type Flying = BoxFuture<'static, ()>;

/// The place of a grant's refresh.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Flight>>);

impl Keeper {
    /// Waits for a refresh that meets the goal, 15 s at most.
    pub(super) async fn refresh(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        goal: &Goal,
    ) -> Result<Arc<Live>, Error> {
        let end = self.parts.clock.uptime().after(timing::PATIENCE);
        // Somebody else's refresh may end without what we want: theirs was not forced, ours is.
        for _ in 0..3 {
            let newest = cell.newest();
            let flight = self.board(cell, goal);
            match self.arrival(cell, flight.progress, end).await {
                // Told in time, and ended by a logout or a login before this caller has got round to it.
                Ok(live) if cell.is_over(live.epoch) => {}
                Ok(live) if goal.met_by(&live, self.parts.clock.uptime()) => return Ok(live),
                // It may have failed for want of the login that had come before this caller.
                Err(_) if flight.newest < newest => {}
                Err(error) if flight.cause >= goal.cause() => return Err(error),
                // Our own refresh brought what the provider has to give.
                Ok(live) if flight.cause >= goal.cause() => return Ok(live),
                Ok(_) | Err(_) => {}
            }
        }
        Err(Problem::StillRefreshing {
            grant: cell.name.clone(),
        }
        .into())
    }

    /// The refresh that is going on, or a new one; none is begun once the keeper is closing.
    pub(super) fn board(self: &Arc<Self>, cell: &Arc<Cell>, goal: &Goal) -> Flight {
        self.board_by(cell, goal, Tasks::track_new)
    }

    /// The same for what was set out to before the keeper was closing, and is waited for.
    pub(super) fn board_still(self: &Arc<Self>, cell: &Arc<Cell>, goal: &Goal) -> Flight {
        self.board_by(cell, goal, |tasks, flying| Some(tasks.track(flying)))
    }

    fn board_by(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        goal: &Goal,
        track: impl FnOnce(&Tasks, Flying) -> Option<TrackedFuture<Flying>>,
    ) -> Flight {
        let mut slot = cell.slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = &*slot
            && flight.is_running()
        {
            return flight.clone();
        }
        let (report, progress) = watch::channel(Progress::Running);
        let flight = Flight {
            cause: goal.cause(),
            newest: cell.newest(),
            progress,
        };
        let (keeper, of, goal) = (Arc::clone(self), Arc::clone(cell), goal.clone());
        let flying = async move { keeper.see_through(&of, &goal, report).await };
        if let Some(tracked) = track(&self.tasks, Box::pin(flying)) {
            *slot = Some(flight.clone());
            drop(slot);
            // What it says in the log belongs to whoever began it.
            spawn(tracked.in_current_span());
            return flight;
        }
        let (_, progress) = watch::channel(Progress::Done(Err(Problem::Closing.into())));
        Flight { progress, ..flight }
    }

    /// A refresh from its beginning until its result is told.
    async fn see_through(
        self: Arc<Self>,
        cell: &Arc<Cell>,
        goal: &Goal,
        report: watch::Sender<Progress>,
    ) {
        let flying = caught(self.fly(cell, goal, &report));
        #[cfg(not(feature = "failpoints"))]
        let ended = flying.await;
        #[cfg(feature = "failpoints")]
        let points = self.parts.clock.failpoints();
        #[cfg(feature = "failpoints")]
        let Some(ended) = Box::pin(points.droppable(flying)).await else {
            return;
        };
        let result = match ended {
            Ok(result) => result,
            Err(Panicked) => Err(self.broke_off(&cell.name).await),
        };
        self.outcomes.note(&result);
        if let Err(error) = &result {
            // What was sent and went wrong is logged where it happened; this is every caller's turn.
            tracing::debug!(grant = %cell.name, code = error.code(), "no new access token");
        }
        // Emptied before the result is told: whoever comes now starts afresh.
        *cell.slot.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        report.send_replace(Progress::Done(result));
    }

    async fn arrival(
        &self,
        cell: &Cell,
        mut progress: watch::Receiver<Progress>,
        end: Uptime,
    ) -> Result<Arc<Live>, Error> {
        let still = || Problem::StillRefreshing {
            grant: cell.name.clone(),
        };
        let done = progress.wait_for(|progress| matches!(progress, Progress::Done(_)));
        let ended = tokio::select! {
            ended = done => ended.map(|progress| progress.clone()).ok(),
            () = self.parts.clock.sleep(end.since(self.parts.clock.uptime())) => None,
        };
        let last = ended.unwrap_or_else(|| progress.borrow().clone());
        match last {
            Progress::Done(result) => result,
            Progress::Saving(error) => Err(error),
            // Also where the task's runtime has ended: the intent says what was going on.
            Progress::Running => Err(still().into()),
        }
    }
}
