//! The seconds that pass, as a worker counts them: by the clock, however late it comes to it.
//!
//! Were each tick a second, the ticks of a worker that is busy would come later and later, and every limit
//! that is counted in them would grow with the load.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

const SECOND: Duration = Duration::from_secs(1);
/// A process that was stopped for longer has not waited for its clients meanwhile.
const MOST: u32 = 3;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Seconds {
    ticks: Interval,
    begun: Option<Instant>,
    counted: u64,
}

impl Seconds {
    /// Begins to count.
    pub(crate) fn begin() -> Self {
        let mut ticks = interval(SECOND);
        // On whole seconds since the beginning, whatever was missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            ticks,
            begun: None,
            counted: 0,
        }
    }

    /// Waits for the next one; answers how many have passed.
    ///
    /// # Cancel safety
    /// Whoever stops waiting misses none.
    pub(crate) async fn pass(&mut self) -> u32 {
        let due = self.ticks.tick().await;
        let all = self.begun.get_or_insert(due).elapsed().as_secs();
        let passed = all.saturating_sub(self.counted);
        self.counted = all;
        u32::try_from(passed).unwrap_or(MOST).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn seconds_that_are_noticed_late_are_counted_all_the_same() {
        let mut seconds = Seconds::begin();
        assert_eq!(seconds.pass().await, 0);
        let mut counted = 0;
        for (busy, all) in [(100, 1), (1700, 2), (2900, 5), (300, 6), (700, 7)] {
            advance(Duration::from_millis(busy)).await;
            counted += seconds.pass().await;
            assert_eq!(counted, all, "{busy}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stood_still_for_an_hour_holds_it_against_nobody() {
        let mut seconds = Seconds::begin();
        seconds.pass().await;
        advance(Duration::from_secs(3600)).await;
        assert_eq!(seconds.pass().await, MOST);
        assert_eq!(seconds.pass().await, 1);
    }
}
