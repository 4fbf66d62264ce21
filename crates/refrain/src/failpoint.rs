//! Failpoints: the named places at which a test breaks this library, for builds with the feature
//! `failpoints` alone.
//!
//! Without the feature [`at`] expands to nothing, and no name of a point is in the program. With it and
//! without debug assertions nothing compiles, so that it cannot be in a release build.
//!
//! A test in the same process gives each of its clocks a set of [`Failpoints`] (`Clock::failpoints`). A
//! child process reads `REFRAIN_FAILPOINTS`, such as `commit.before_txn=abort` or
//! `send.done=2*sleep(500);feed.lost=error`, and `REFRAIN_TIME_SCALE`, by which its uptime and its pauses
//! run faster, so that a test need not wait for a lease in real time.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature `failpoints` is for tests: it must not be in a release build");

#[cfg(feature = "failpoints")]
mod action;
#[cfg(feature = "failpoints")]
mod points;
#[cfg(feature = "failpoints")]
mod set;
#[cfg(feature = "failpoints")]
mod time;
#[cfg(feature = "failpoints")]
mod wire;

#[cfg(feature = "failpoints")]
pub use self::{
    action::Action,
    points::Point,
    set::{Broken, Failpoints},
    time::{scale_time, time_scale},
};
#[cfg(feature = "failpoints")]
pub(crate) use self::{
    time::{jumped, real, scaled},
    wire::{Parted, Written},
};

/// The variables that a child process reads.
#[cfg(feature = "failpoints")]
pub(crate) const VARIABLES: [&str; 2] = ["REFRAIN_FAILPOINTS", "REFRAIN_TIME_SCALE"];

/// `at!(clock, Point, broken => out)` passes a point, and returns `out` where the test wants an error there.
/// The clock says whose failpoints are meant.
#[cfg(feature = "failpoints")]
macro_rules! at {
    ($clock:expr, $point:ident, $broken:ident => $out:expr) => {
        if let Err($broken) = $clock
            .failpoints()
            .hit($crate::failpoint::Point::$point)
            .await
        {
            return $out;
        }
    };
}
#[cfg(not(feature = "failpoints"))]
macro_rules! at {
    ($($point:tt)*) => {};
}
pub(crate) use at;
