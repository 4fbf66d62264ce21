//! refrain beside its baselines, in one run on one machine.
//!
//! Rounds of both sides alternate, so that a busy neighbour slows both; what counts is the ratio of the
//! medians. Run with `scripts/bench`.

mod read;
mod refresh;
mod world;

use std::time::Duration;

#[tokio::main]
async fn main() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores; medians of alternating rounds; a ratio above 1 means refrain is faster\n");
    println!("{:<46} {:>12} {:>12} {:>7}", "", "baseline", "refrain", "ratio");
    read::run().await;
    refresh::run().await;
}

/// One line of the table.
fn line(what: &str, baseline: &mut [Duration], refrain: &mut [Duration], per: u32) {
    let (baseline, refrain) = (median(baseline) / per, median(refrain) / per);
    let ratio = baseline.as_secs_f64() / refrain.as_secs_f64();
    println!("{what:<46} {:>12} {:>12} {ratio:>6.2}x", show(baseline), show(refrain));
}

fn median(rounds: &mut [Duration]) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

fn show(duration: Duration) -> String {
    format!("{duration:.1?}")
}
