//! The points that are set, and what has happened at them.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::watch;

use crate::failpoint::{Action, Point, time};

/// The failpoints of one process; in tests, of one of the processes that share a real one. Clones share
/// them.
#[derive(Clone)]
pub struct Failpoints(Arc<Set>);

struct Set {
    armed: Mutex<Vec<Armed>>,
    /// What was done, in order.
    fired: watch::Sender<Vec<(Point, Action)>>,
    /// Whether those who are held may go on.
    open: watch::Sender<bool>,
    /// How often something was dropped.
    dropped: watch::Sender<u64>,
    jump: Box<dyn Fn(i64) + Send + Sync>,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    point: Point,
    action: Action,
    times: u32,
}

/// The step fails because a test wants it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub Point);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failpoint {}", self.0)
    }
}

impl std::error::Error for Broken {}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failpoints")
            .field(&self.0.fired.borrow())
            .finish()
    }
}

impl Failpoints {
    /// None set; `jump` moves the wall clock by milliseconds.
    pub fn new(jump: impl Fn(i64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Set {
            armed: Mutex::default(),
            fired: watch::Sender::default(),
            open: watch::Sender::new(true),
            dropped: watch::Sender::new(0),
            jump: Box::new(jump),
        }))
    }

    /// Those of this process, as `REFRAIN_FAILPOINTS` sets them.
    ///
    /// # Panics
    /// Where the variable makes no sense.
    #[expect(clippy::panic, reason = "a test that breaks nothing proves nothing")]
    pub fn of_process() -> &'static Self {
        static PROCESS: OnceLock<Failpoints> = OnceLock::new();
        PROCESS.get_or_init(|| {
            let points = Self::new(time::jump);
            let text = std::env::var("REFRAIN_FAILPOINTS").unwrap_or_default();
            if let Err(why) = points.read(&text) {
                panic!("REFRAIN_FAILPOINTS: {why}");
            }
            points
        })
    }

    /// Reads `point=action`, or `point=times*action`, separated by semicolons; without a number, once.
    fn read(&self, text: &str) -> Result<(), String> {
        for one in text.split(';').filter(|one| !one.trim().is_empty()) {
            let (point, action) = one
                .split_once('=')
                .ok_or_else(|| format!("{one} has no action"))?;
            let (times, action) = action.split_once('*').unwrap_or(("1", action));
            let times = times.trim().parse();
            let times = times.map_err(|_| format!("{one} has no number of times"))?;
            self.set(point.trim().parse()?, action.trim().parse()?, times);
        }
        Ok(())
    }

    /// From now on this happens there, so many times.
    pub fn set(&self, point: Point, action: Action, times: u32) {
        if action == Action::Hold {
            self.0.open.send_replace(false);
        }
        let mut armed = self.0.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.push(Armed {
            point,
            action,
            times,
        });
    }

    /// Nothing happens any more; those who are held go on.
    pub fn clear(&self) {
        let mut armed = self.0.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.clear();
        drop(armed);
        self.release();
    }

    /// Those who are held go on.
    pub fn release(&self) {
        self.0.open.send_replace(true);
    }

    /// What has been done so far, in order.
    pub fn fired(&self) -> Vec<(Point, Action)> {
        self.0.fired.borrow().clone()
    }

    /// Waits until something has happened at a point.
    pub async fn reached(&self, point: Point) {
        let mut fired = self.0.fired.subscribe();
        let at = |fired: &Vec<(Point, Action)>| fired.iter().any(|(at, _)| *at == point);
        // The sender lives as long as this handle.
        fired.wait_for(at).await.map(drop).unwrap_or_default();
    }

    /// Whether something is set for a point.
    pub(crate) fn is_set(&self, point: Point) -> bool {
        let armed = self.0.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.iter().any(|it| it.point == point && it.times > 0)
    }

    /// Passes a point; an error is for the step to fail with.
    pub(crate) async fn hit(&self, point: Point) -> Result<(), Broken> {
        let Some(action) = self.take(point) else {
            return Ok(());
        };
        self.0
            .fired
            .send_modify(|fired| fired.push((point, action)));
        self.act(point, action).await
    }

    #[expect(clippy::panic, reason = "that is what was asked for")]
    async fn act(&self, point: Point, action: Action) -> Result<(), Broken> {
        match action {
            Action::Error => return Err(Broken(point)),
            Action::Panic => panic!("{}", Broken(point)),
            Action::Abort => std::process::abort(),
            Action::Stop => {
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::STOP)
                    .unwrap_or_default();
            }
            Action::Drop => {
                self.0.dropped.send_modify(|count| *count += 1);
                std::future::pending::<()>().await;
            }
            Action::Hold => {
                let mut open = self.0.open.subscribe();
                open.wait_for(|open| *open)
                    .await
                    .map(drop)
                    .unwrap_or_default();
            }
            Action::Sleep(time) => tokio::time::sleep(time).await,
            Action::Jump(millis) => (self.0.jump)(millis),
        }
        Ok(())
    }

    fn take(&self, point: Point) -> Option<Action> {
        let mut armed = self.0.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = armed
            .iter_mut()
            .find(|it| it.point == point && it.times > 0)?;
        found.times -= 1;
        Some(found.action)
    }

    /// Does something that [`Action::Drop`] drops where it stands; `None` where it did.
    pub(crate) async fn droppable<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut dropped = self.0.dropped.subscribe();
        tokio::select! {
            done = work => Some(done),
            _ = dropped.changed() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_sets_points() {
        let points = Failpoints::new(|_| {});
        points
            .read("commit.before_txn=abort; feed.lost=3*sleep(20);send.done=jump(-5);")
            .unwrap();
        assert_eq!(points.take(Point::CommitBeforeTxn), Some(Action::Abort));
        assert_eq!(points.take(Point::CommitBeforeTxn), None);
        assert_eq!(points.take(Point::SendDone), Some(Action::Jump(-5)));
        for _ in 0..3 {
            assert!(points.take(Point::FeedLost).is_some());
        }
        assert!(!points.is_set(Point::FeedLost));
        for wrong in [
            "nowhere=abort",
            "feed.lost=burn",
            "feed.lost",
            "feed.lost=x*abort",
        ] {
            assert!(points.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_a_point_and_none_is_there_twice() {
        for point in Point::ALL {
            assert_eq!(point.name().parse(), Ok(*point));
        }
        let names: std::collections::BTreeSet<_> = Point::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }

    #[tokio::test]
    async fn a_point_that_is_not_set_is_passed() {
        let points = Failpoints::new(|_| {});
        points.set(Point::FeedLost, Action::Error, 1);
        assert_eq!(points.hit(Point::SendDone).await, Ok(()));
        assert_eq!(
            points.hit(Point::FeedLost).await,
            Err(Broken(Point::FeedLost))
        );
        assert_eq!(points.hit(Point::FeedLost).await, Ok(()));
        assert_eq!(points.fired(), [(Point::FeedLost, Action::Error)]);
    }
}
