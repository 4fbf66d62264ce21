//! The log on standard error.

use std::{
    env,
    str::FromStr as _,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::ValueEnum as _;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::args::LogFormat;

/// The target of what is said to whoever looks on, whatever the level of the log.
pub(crate) const NOTICE: &str = "notice";

static JSON: AtomicBool = AtomicBool::new(false);

/// Whether the log is JSON. Then nothing else goes to standard error: a program that reads it line by line
/// would stumble.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Starts the log; `verbose` counts the `-v`s and wins over `REFRAIN_LOG`, as `format` does over
/// `REFRAIN_LOG_FORMAT`.
pub(crate) fn start(verbose: u8, format: Option<LogFormat>) {
    let (level, unknown_level) = level(verbose, env::var("REFRAIN_LOG").ok().as_deref());
    let asked = env::var("REFRAIN_LOG_FORMAT").ok();
    let (format, unknown_format) = self::format(format, asked.as_deref());
    // Our own modules alone: what HTTP libraries say at their lower levels includes headers.
    // Who has done what is told as long as anything is.
    let audit = if level == LevelFilter::OFF {
        LevelFilter::OFF
    } else {
        LevelFilter::INFO
    };
    let targets = Targets::new()
        .with_target("refrain", level)
        .with_target("audit", audit)
        .with_target(NOTICE, LevelFilter::INFO);
    let json = format == LogFormat::Json;
    let subscriber = tracing_subscriber::registry().with(targets);
    let started = if json {
        let layer = fmt::layer().with_writer(anstream::stderr).json();
        let layer = layer.flatten_event(true).with_span_list(false);
        subscriber.with(layer).try_init()
    } else {
        let layer = fmt::layer().with_writer(anstream::stderr);
        subscriber.with(layer.with_target(false)).try_init()
    };
    // Only fails where a log runs already.
    if started.is_ok() {
        JSON.store(json, Ordering::Relaxed);
    }
    if unknown_level {
        tracing::warn!("REFRAIN_LOG is none of off, error, warn, info, debug, trace: using warn");
    }
    if unknown_format {
        tracing::warn!("REFRAIN_LOG_FORMAT is none of text, json: using text");
    }
}

/// The format to log in, and whether the variable's value was not understood.
fn format(flag: Option<LogFormat>, asked: Option<&str>) -> (LogFormat, bool) {
    let by_variable = asked
        .filter(|text| !text.is_empty())
        .map(|text| LogFormat::from_str(text, true));
    match (flag, by_variable) {
        (Some(format), _) | (None, Some(Ok(format))) => (format, false),
        (None, by_variable) => (LogFormat::Text, by_variable.is_some()),
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

    #[test]
    fn the_format_is_that_of_the_flag_or_of_the_variable() {
        use LogFormat::{Json, Text};
        for (flag, variable, expected) in [
            (None, None, (Text, false)),
            (None, Some(""), (Text, false)),
            (None, Some("json"), (Json, false)),
            (None, Some("JSON"), (Json, false)),
            (None, Some("xml"), (Text, true)),
            (Some(Text), Some("json"), (Text, false)),
            (Some(Json), Some("xml"), (Json, false)),
        ] {
            assert_eq!(format(flag, variable), expected, "{flag:?} {variable:?}");
        }
    }
}
