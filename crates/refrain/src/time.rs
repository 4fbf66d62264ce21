//! Two clocks, because each lies in its own way.
//!
//! The wall clock is what people and six-month dates mean, and anyone can set it. The uptime counts
//! since the machine started, suspended hours included; it never jumps, but it means nothing to another
//! boot. Whatever must not be fooled by a wrong date (how long a token lives, how long a lease holds)
//! is counted on the uptime while the boot lasts, and on the wall clock only after a restart.

use std::{fmt, future::Future, pin::Pin, sync::Mutex, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Milliseconds since 1970-01-01T00:00:00Z, by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This instant plus a duration; stays at the end of time instead of wrapping.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This instant minus a duration.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long from `earlier` to this instant; zero when it lies the other way round.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How many whole days from `earlier` to this instant; zero when it lies the other way round.
    pub fn days_since(self, earlier: Self) -> u64 {
        self.since(earlier).as_secs() / DAY
    }
}

impl fmt::Display for UnixMillis {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        match jiff::Timestamp::from_second(seconds) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{seconds} s after 1970"),
        }
    }
}

/// A wait in whole seconds. Rounded up: whoever comes back a moment too early is sent away again.
pub fn seconds_rounded_up(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part)
}

/// Milliseconds since the machine started, time spent suspended included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uptime(pub i64);

impl Uptime {
    /// This reading plus a duration.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// How long from `earlier` to this reading; zero when it lies the other way round.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Names one run of the machine; uptimes compare only within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(#[serde(with = "hex128")] pub u128);

/// 128-bit identifiers as 32 hexadecimal digits, for readers whose numbers end at 53 bits.
pub(crate) mod hex128 {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(id: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{id:032x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

/// One reading of everything a decision about time needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: UnixMillis,
    /// The uptime.
    pub uptime: Uptime,
    /// The boot that the uptime belongs to.
    pub boot: BootId,
}

/// An instant in the future that survives both a wrong date and a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The instant by the wall clock of whoever set it.
    pub wall: UnixMillis,
    /// The same instant by the uptime.
    pub uptime: Uptime,
    /// The boot that the uptime belongs to.
    pub boot: BootId,
    /// How far off it was when it was set, in milliseconds.
    pub span: i64,
}

impl Deadline {
    /// The instant `duration` from `now`.
    pub fn after(now: &Moment, duration: Duration) -> Self {
        Self {
            wall: now.wall.after(duration),
            uptime: now.uptime.after(duration),
            boot: now.boot,
            span: millis(duration),
        }
    }

    /// How long is left; zero from the instant itself on. After a restart the wall clock says, and the
    /// whole span is the most: it may have been set by a clock that was years ahead.
    pub fn remaining(&self, now: &Moment) -> Duration {
        if self.boot == now.boot {
            return self.uptime.since(now.uptime);
        }
        let span = Duration::from_millis(u64::try_from(self.span).unwrap_or(0));
        self.wall.since(now.wall).min(span)
    }

    /// Whether the instant has come.
    pub fn passed(&self, now: &Moment) -> bool {
        self.remaining(now).is_zero()
    }
}

/// An instant of the store's own clock, which alone decides how long a lease holds.
///
/// SQLite's is the machine's uptime and PostgreSQL's the server's clock; instants of two eras (two
/// boots, two servers) do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreInstant {
    /// Which run of which clock.
    #[serde(with = "hex128")]
    pub era: u128,
    /// Milliseconds within the era.
    pub millis: i64,
}

impl StoreInstant {
    /// This instant plus a duration.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self {
            era: self.era,
            millis: self.millis.saturating_add(millis(duration)),
        }
    }

    /// How long until this instant, seen from `now`; zero once it has come or its era has ended.
    pub fn remaining(self, now: Self) -> Duration {
        if self.era != now.era {
            return Duration::ZERO;
        }
        Duration::from_millis(u64::try_from(self.millis.saturating_sub(now.millis)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The only way in which this crate learns the time or lets it pass.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock.
    fn wall(&self) -> UnixMillis;
    /// The uptime; one system call without entering the kernel on Linux.
    fn uptime(&self) -> Uptime;
    /// The boot that the uptime belongs to.
    fn boot(&self) -> BootId;
    /// Resolves after `duration` of uptime.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Where the process that lives by this clock breaks.
    #[cfg(feature = "failpoints")]
    fn failpoints(&self) -> &crate::failpoint::Failpoints {
        crate::failpoint::Failpoints::of_process()
    }

    /// All readings at once.
    fn now(&self) -> Moment {
        Moment {
            wall: self.wall(),
            uptime: self.uptime(),
            boot: self.boot(),
        }
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    boot: BootId,
}

impl SystemClock {
    /// Reads which boot this is.
    ///
    /// Where the system does not say (not Linux, no `/proc`), every process counts as a boot of its own
    /// and lifetimes fall back to the wall clock across processes.
    pub fn new() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| u128::from_str_radix(&text.trim().replace('-', ""), 16).ok())
            .unwrap_or_else(|| {
                let mut id = [0; 16];
                // An identifier, not a secret: without randomness the process id tells runs apart.
                if getrandom::fill(&mut id).is_err() {
                    return u128::from(std::process::id());
                }
                u128::from_le_bytes(id)
            });
        Self { boot: BootId(boot) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn wall(&self) -> UnixMillis {
        let now = std::time::SystemTime::now();
        let wall = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => millis(before.duration()).saturating_neg(),
        };
        #[cfg(feature = "failpoints")]
        let wall = wall.saturating_add(crate::failpoint::jumped());
        UnixMillis(wall)
    }

    fn uptime(&self) -> Uptime {
        // Boottime, not Monotonic: the latter stands still while a laptop sleeps, and tokens do not.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let id = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(id);
        let millis = now
            .tv_sec
            .saturating_mul(1000)
            .saturating_add(now.tv_nsec / 1_000_000);
        #[cfg(feature = "failpoints")]
        let millis = crate::failpoint::scaled(millis);
        Uptime(millis)
    }

    fn boot(&self) -> BootId {
        self.boot
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Short naps: the timer under tokio stops in suspend, and a lease must not outlive a lid closed
        // overnight by more than a nap.
        const NAP: Duration = Duration::from_secs(30);
        let clock = *self;
        let until = clock.uptime().after(duration);
        Box::pin(async move {
            loop {
                let left = until.since(clock.uptime());
                if left.is_zero() {
                    return;
                }
                let nap = left.min(NAP);
                #[cfg(feature = "failpoints")]
                let nap = crate::failpoint::real(nap);
                tokio::time::sleep(nap).await;
            }
        })
    }
}

/// A clock that a test moves by hand; sleepers wake when it passes their instant.
#[derive(Debug)]
pub struct ManualClock {
    uptime: watch::Sender<Uptime>,
    wall: Mutex<UnixMillis>,
    boot: BootId,
}

impl ManualClock {
    /// A clock that stands at `wall`, an hour after its machine started.
    pub fn starting_at(wall: UnixMillis) -> Self {
        Self {
            uptime: watch::Sender::new(Uptime(3_600_000)),
            wall: Mutex::new(wall),
            boot: BootId(1),
        }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, duration: Duration) {
        self.set_wall(self.wall().after(duration));
        self.uptime
            .send_modify(|uptime| *uptime = uptime.after(duration));
    }

    /// Sets the wall clock alone, as an operator or a bad time server does.
    pub fn set_wall(&self, wall: UnixMillis) {
        *self
            .wall
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = wall;
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> UnixMillis {
        *self
            .wall
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn uptime(&self) -> Uptime {
        *self.uptime.borrow()
    }

    fn boot(&self) -> BootId {
        self.boot
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut uptime = self.uptime.subscribe();
        let until = self.uptime().after(duration);
        Box::pin(async move {
            // The sender lives as long as the clock; a dropped clock never moves again, so neither do we.
            if uptime.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: i64, uptime: i64, boot: u128) -> Moment {
        Moment {
            wall: UnixMillis(wall),
            uptime: Uptime(uptime),
            boot: BootId(boot),
        }
    }

    #[test]
    fn within_a_boot_the_date_does_not_move_a_deadline() {
        let deadline = Deadline::after(&moment(0, 0, 7), Duration::from_secs(10));
        assert_eq!(
            deadline.remaining(&moment(99_999_999, 4_000, 7)),
            Duration::from_secs(6)
        );
        assert!(deadline.passed(&moment(-5, 10_000, 7)));
    }

    #[test]
    fn after_a_restart_the_wall_clock_decides() {
        let deadline = Deadline::after(&moment(0, 50_000, 7), Duration::from_secs(10));
        assert_eq!(
            deadline.remaining(&moment(4_000, 0, 8)),
            Duration::from_secs(6)
        );
        assert!(deadline.passed(&moment(10_000, 0, 8)));
    }

    #[test]
    fn a_deadline_set_by_a_clock_years_ahead_does_not_last_for_years() {
        let ahead = moment(500_000_000_000, 0, 7);
        let deadline = Deadline::after(&ahead, Duration::from_secs(10));
        assert_eq!(
            deadline.remaining(&moment(0, 0, 8)),
            Duration::from_secs(10)
        );
    }

    #[tokio::test]
    async fn a_manual_sleeper_wakes_when_its_instant_passes() {
        let clock = ManualClock::starting_at(UnixMillis(0));
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(5)));
        clock.advance(Duration::from_secs(5));
        sleeper.await.unwrap();
    }

    #[test]
    fn an_instant_reads_as_rfc_3339() {
        assert_eq!(
            UnixMillis(1_795_442_780_500).to_string(),
            "2026-11-23T14:06:20Z"
        );
    }
}
