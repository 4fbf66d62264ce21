//! A client that sends at a fixed rate, however long the answers take.
//!
//! What counts is the time from when a request was to be sent: one that has to wait because the answer before
//! it is late has waited for the server too, and a client that counted from when it came to send would not see
//! that. Timers of the runtime go by milliseconds, so each connection has one of the kernel's.

use std::{
    num::NonZero,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    thread::set_current_timer_slack,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::unix::AsyncFd;

use super::{Exchange, Place, on_a_thread};

/// How long requests took.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub median: Duration,
    pub p99: Duration,
}

/// Sends so many requests a second over so many connections, for so long, on a thread of its own.
pub fn run(place: &Place, request: &str, connections: u32, rate: u32, time: Duration) -> Times {
    let every = Duration::from_secs(1) * connections / rate;
    let mut took = on_a_thread(place, request, connections, move |number, exchange| {
        // One nanosecond late at most, and not fifty microseconds.
        set_current_timer_slack(NonZero::new(1)).expect("Linux");
        let first = Instant::now() + Duration::from_millis(5) + every * number / connections;
        one(exchange, first, every, first + time)
    });
    took.sort_unstable();
    let at = |hundredths: usize| took[(took.len() - 1) * hundredths / 100];
    Times {
        median: at(50),
        p99: at(99),
    }
}

async fn one(
    mut exchange: Exchange,
    first: Instant,
    every: Duration,
    end: Instant,
) -> Vec<Duration> {
    let (alarm, mut due, mut took) = (Alarm::new(), first, Vec::new());
    while due < end {
        alarm.ring_at(due).await;
        exchange.make().await;
        took.push(due.elapsed());
        due += every;
    }
    took
}

struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[expect(
        deprecated,
        reason = "it trusts that the number stays the timer's, and an OwnedFd sees to that"
    )]
    fn new() -> Self {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).expect("a timer");
        Self(AsyncFd::new(timer).expect("a reactor"))
    }

    /// Waits; not at all where the time is over.
    async fn ring_at(&self, due: Instant) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: left.try_into().expect("a time"),
        };
        let timer = self.0.get_ref();
        timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).expect("a time");
        let read = |timer: &OwnedFd| Ok(rustix::io::read(timer, &mut [0; 8])?);
        let rung = self.0.async_io(tokio::io::Interest::READABLE, read);
        rung.await.expect("a timer");
    }
}
