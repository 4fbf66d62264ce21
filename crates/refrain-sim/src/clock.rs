//! The simulator's clock: real time, plus whatever a test has added.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, in simulated time.
pub(crate) type UnixMs = i64;

const DAY_MS: i64 = 86_400_000;
/// A thousand years: no sum of times in this crate overflows from there.
const FARTHEST_MS: i64 = 365_250 * DAY_MS;

/// Tells simulated time, which runs like real time and can be moved forward.
#[derive(Debug)]
pub(crate) struct SimClock {
    started_at: UnixMs,
    started: Instant,
    added_ms: AtomicI64,
}

// === impl SimClock ===

impl SimClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads real time"
    )]
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started_at: millis(since_epoch),
            started: Instant::now(),
            added_ms: AtomicI64::new(0),
        }
    }

    /// Moves simulated time forward, a thousand years at most.
    pub(crate) fn advance(&self, by: Duration) {
        let add = |added: i64| Some(added.saturating_add(millis(by)).min(FARTHEST_MS));
        // The closure never gives up, so this is always Ok.
        self.added_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .ok();
    }

    /// Simulated time.
    pub(crate) fn now(&self) -> UnixMs {
        self.started_at
            .saturating_add(millis(self.started.elapsed()))
            .saturating_add(self.added_ms.load(Ordering::SeqCst))
    }

    /// Real microseconds since the start, for measuring.
    pub(crate) fn real_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A duration in milliseconds, capped.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// The same day of the month, six calendar months later, or that month's last day.
pub(crate) fn six_months_after(at: UnixMs) -> UnixMs {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY_MS));
    let (year, month) = if month > 6 {
        (year + 1, month - 6)
    } else {
        (year, month + 6)
    };
    let day = day.min(days_in_month(year, month));
    days_from_civil(year, month, day) * DAY_MS + at.rem_euclid(DAY_MS)
}

/// A point in time as the Web API writes it.
pub(crate) fn rfc3339(at: UnixMs) -> String {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY_MS));
    let of_day = at.rem_euclid(DAY_MS);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// The two conversions count from 1 March, so that leap days come last in their year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64) -> UnixMs {
        days_from_civil(year, month, day) * DAY_MS + 12_345
    }

    #[test]
    fn six_months_are_calendar_months() {
        assert_eq!(six_months_after(at(2026, 11, 23)), at(2027, 5, 23));
        assert_eq!(six_months_after(at(2026, 3, 1)), at(2026, 9, 1));
    }

    #[test]
    fn six_months_end_on_the_last_day_of_a_shorter_month() {
        assert_eq!(six_months_after(at(2026, 8, 31)), at(2027, 2, 28));
        assert_eq!(six_months_after(at(2027, 8, 31)), at(2028, 2, 29));
    }

    #[test]
    fn a_time_is_written_to_the_millisecond() {
        assert_eq!(rfc3339(at(2027, 2, 3)), "2027-02-03T00:00:12.345Z");
        assert_eq!(rfc3339(1_795_428_000_000), "2026-11-23T10:00:00.000Z");
    }

    #[test]
    fn the_epoch_is_day_zero() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(20_780), (2026, 11, 23));
    }

    #[test]
    fn advancing_moves_simulated_time_only() {
        let clock = SimClock::start();
        let before = clock.now();
        clock.advance(Duration::from_hours(1));
        assert!(clock.now() >= before + 3_600_000);
        assert!(clock.real_us() < 60_000_000);
        clock.advance(Duration::MAX);
        assert!(six_months_after(clock.now()) > clock.now());
    }
}
