//! Faster and wrong clocks, for child processes. Test-only: a scaled process agrees on the uptime with
//! others of the same scale, and with no others.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

static SCALE: OnceLock<u32> = OnceLock::new();
static JUMPED: AtomicI64 = AtomicI64::new(0);

/// How many times faster than real time this process lives: `REFRAIN_TIME_SCALE`, or 1.
pub fn time_scale() -> u32 {
    *SCALE.get_or_init(|| {
        let variable = std::env::var("REFRAIN_TIME_SCALE").ok();
        variable
            .and_then(|text| text.parse().ok())
            .map_or(1, |scale: u32| scale.max(1))
    })
}

/// Chooses the scale of this process, before anything has asked for the time.
pub fn scale_time(scale: u32) {
    SCALE.get_or_init(|| scale.max(1));
}

/// Milliseconds of real time as this process lives them.
pub(crate) fn scaled(millis: i64) -> i64 {
    millis.saturating_mul(time_scale().into())
}

/// How far the wall clock of this process has jumped.
pub(crate) fn jumped() -> i64 {
    JUMPED.load(Ordering::SeqCst)
}

/// Lets it jump.
pub(super) fn jump(millis: i64) {
    JUMPED.fetch_add(millis, Ordering::SeqCst);
}

/// So much time of this process's own in real time.
pub(crate) fn real(duration: Duration) -> Duration {
    duration / time_scale()
}
