//! Running a scenario in many orders, and how time passes in them.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use shuttle::{
    Config, MaxSteps, Runner,
    future::{block_on, spawn, yield_now},
    rand::{Rng as _, thread_rng},
    scheduler::{
        PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId,
        UncontrolledNondeterminismCheckScheduler,
    },
};

use crate::{
    keeper::schedules::world::World,
    time::{ManualClock, UnixMillis},
};

/// So many orders of each kind in a usual run.
const FEW: usize = 150;
/// How many changes of priority a bug may need that PCT is to find.
const DEPTH: usize = 3;
/// The task that time passes in: the first that is spawned.
const CLOCK: usize = 1;

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// When nobody can do anything else: no lease lapses and nobody loses patience, unless somebody hangs.
    Idle,
    /// Whenever the scheduler likes, and now and then by more than a lease allows.
    Leaping,
}

impl Pace {
    fn tick(self) -> Duration {
        match self {
            Self::Idle => Duration::from_secs(1),
            Self::Leaping if thread_rng().gen_ratio(1, 30) => Duration::from_secs(40),
            Self::Leaping => Duration::from_millis(500),
        }
    }
}

/// Something that has to happen in some order, or the test would prove little.
#[derive(Debug)]
pub(super) struct Sometimes {
    what: &'static str,
    times: AtomicU64,
}

impl Sometimes {
    pub(super) const fn new(what: &'static str) -> Self {
        Self {
            what,
            times: AtomicU64::new(0),
        }
    }

    pub(super) fn happens(&self) {
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a test. What a single order does says nothing.
    #[expect(clippy::print_stdout, reason = "for whoever wants to know how often")]
    pub(super) fn has_happened(&self) {
        let times = self.times.load(Ordering::Relaxed);
        println!("{}: {times} times", self.what);
        assert!(times > 0 || replayed().is_some(), "never: {}", self.what);
    }
}

/// Takes a scenario through many orders.
pub(super) fn explore(pace: Pace, scenario: impl AsyncFn(World) + Copy + Send + Sync + 'static) {
    let run = move || {
        block_on(async {
            let clock = Arc::new(ManualClock::starting_at(UnixMillis(1_800_000_000_000)));
            spawn(pass(Arc::clone(&clock), pace));
            scenario(World::new(clock)).await;
        });
    };
    if let Some(schedule) = replayed() {
        let scheduler = ReplayScheduler::new_from_encoded(&schedule);
        Runner::new(scheduler, config()).run(run);
        return;
    }
    let orders = orders();
    // A replay is worth something if nothing but the scheduler decides.
    let same = UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new(5));
    Runner::new(Paced(same, pace), config()).run(run);
    Runner::new(Paced(RandomScheduler::new(orders), pace), config()).run(run);
    Runner::new(Paced(PctScheduler::new(DEPTH, orders), pace), config()).run(run);
}

fn orders() -> usize {
    let given = std::env::var("REFRAIN_SHUTTLE").ok();
    given.map_or(FEW, |text| {
        text.parse().expect("REFRAIN_SHUTTLE is a number")
    })
}

fn replayed() -> Option<String> {
    std::env::var("REFRAIN_SHUTTLE_REPLAY").ok()
}

fn config() -> Config {
    let mut config = Config::new();
    // Unoptimised futures with ciphers in them.
    config.stack_size = 0x8_0000;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    config
}

async fn pass(clock: Arc<ManualClock>, pace: Pace) {
    loop {
        clock.advance(pace.tick());
        yield_now().await;
    }
}

/// Lets others go on, or not: a caller who yields would always go on last under PCT.
pub(super) async fn step() {
    let mut stepped = false;
    poll_fn(|context| {
        if std::mem::replace(&mut stepped, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Another scheduler, for which time is a task like others or the last of all.
struct Paced<S>(S, Pace);

impl<S: Scheduler> Scheduler for Paced<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let clock = TaskId::from(CLOCK);
        let mut able = runnable.to_vec();
        if self.1 == Pace::Idle && able.len() > 1 {
            able.retain(|task| task.id() != clock);
        }
        self.0.next_task(&able, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
