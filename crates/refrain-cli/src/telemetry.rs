//! The log on standard error.

use std::str::FromStr as _;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Starts the log; `verbose` counts the `-v`s and wins over `REFRAIN_LOG`.
pub(crate) fn start(verbose: u8) {
    let asked = std::env::var("REFRAIN_LOG").ok();
    let (level, unknown) = level(verbose, asked.as_deref());
    // Our own modules alone: what HTTP libraries say at their lower levels includes headers.
    // Who has done what is told as long as anything is.
    let audit = if level == LevelFilter::OFF {
        LevelFilter::OFF
    } else {
        LevelFilter::INFO
    };
    let targets = Targets::new()
        .with_target("refrain", level)
        .with_target("audit", audit);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(anstream::stderr)
        .with_target(false);
    let subscriber = tracing_subscriber::registry().with(targets).with(layer);
    // Only fails where a log runs already.
    drop(subscriber.try_init());
    if unknown {
        tracing::warn!("REFRAIN_LOG is none of off, error, warn, info, debug, trace: using warn");
    }
}

/// The level to log at, and whether the variable's value was not understood.
fn level(verbose: u8, asked: Option<&str>) -> (LevelFilter, bool) {
    let by_flag = match verbose {
        0 => None,
        1 => Some(LevelFilter::INFO),
        2 => Some(LevelFilter::DEBUG),
        _ => Some(LevelFilter::TRACE),
    };
    let by_variable = asked
        .filter(|text| !text.is_empty())
        .map(LevelFilter::from_str);
    match (by_flag, by_variable) {
        (Some(level), _) | (None, Some(Ok(level))) => (level, false),
        (None, Some(Err(_))) => (LevelFilter::WARN, true),
        (None, None) => (LevelFilter::WARN, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable() {
        for (verbose, variable, expected) in [
            (0, None, (LevelFilter::WARN, false)),
            (0, Some(""), (LevelFilter::WARN, false)),
            (0, Some("off"), (LevelFilter::OFF, false)),
            (0, Some("debug"), (LevelFilter::DEBUG, false)),
            (0, Some("loud"), (LevelFilter::WARN, true)),
            (1, Some("off"), (LevelFilter::INFO, false)),
            (9, None, (LevelFilter::TRACE, false)),
        ] {
            assert_eq!(level(verbose, variable), expected, "{verbose} {variable:?}");
        }
    }
}
