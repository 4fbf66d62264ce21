//! refrain beside its baselines, in one run on one machine.
//!
//! Rounds of both sides alternate, so that a busy neighbour slows both; what counts is the ratio of the
//! medians. Run with `scripts/bench`; `scripts/bench million` measures a store with a million grants,
//! `scripts/bench server` the server beside other proxies.

#[path = "../../crates/refrain/tests/support/postgres.rs"]
#[allow(dead_code, reason = "shared with tests")]
mod cluster;
mod durable;
mod million;
mod read;
mod refresh;
mod server;
mod waiters;
mod world;

use std::{path::PathBuf, time::Duration};

use self::server::Part;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &str| text.parse().expect("a number of grants");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all().await,
        ["million"] => million::run(1_000_000).await,
        ["million", grants] => million::run(number(grants)).await,
        ["server", ref rest @ ..] => {
            let (parts, binaries): (Vec<_>, Vec<_>) =
                rest.iter().partition(|it| Part::named(it).is_some());
            let parts: Vec<_> = parts.into_iter().filter_map(|it| Part::named(it)).collect();
            let parts = if parts.is_empty() {
                &Part::ALL[..]
            } else {
                &parts
            };
            let binaries: Vec<_> = binaries.into_iter().map(PathBuf::from).collect();
            server::run(parts, &binaries).await;
        }
        ["axum-child", port, upstream] => {
            server::axum_child(port.parse().expect("a port"), upstream.to_owned()).await;
        }
        ["million-child", what, grants, address, key] => {
            million::child(what, number(grants), address, key.as_ref()).await;
        }
        _ => {
            eprintln!(
                "usage: scripts/bench [million [GRANTS] | server [plain|tls|tokens|latency]… [OTHER-BUILD]…]"
            );
            std::process::exit(2);
        }
    }
}

async fn all() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{cores} cores; medians of alternating rounds; a ratio above 1 means refrain is faster\n"
    );
    println!(
        "{:<46} {:>12} {:>12} {:>7}",
        "", "baseline", "refrain", "ratio"
    );
    read::run().await;
    refresh::run().await;
    durable::run().await;
    waiters::run().await;
}

/// One line of the table.
fn line(what: &str, baseline: &mut [Duration], refrain: &mut [Duration], per: u32) {
    let (baseline, refrain) = (median(baseline) / per, median(refrain) / per);
    let ratio = baseline.as_secs_f64() / refrain.as_secs_f64();
    println!(
        "{what:<46} {:>12} {:>12} {ratio:>6.2}x",
        show(baseline),
        show(refrain)
    );
}

fn median(rounds: &mut [Duration]) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

fn show(duration: Duration) -> String {
    format!("{duration:.1?}")
}
