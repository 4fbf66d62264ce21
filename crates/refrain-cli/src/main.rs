//! The `refrain` command: keeps programs connected to Spotify.

mod args;
mod callback;
mod child;
mod command;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod generated;
mod output;
mod report;
mod systemd;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return report::usage(&error),
    };
    protect();
    telemetry::start(args.global.verbose, args.global.log_format);
    let json = args.global.json;
    match command::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(explanation) => report::failure(&explanation, json),
    }
}

/// Leaves no memory behind: no core file, and no look into this process by others of the same user.
/// Where the system refuses, the command works all the same.
fn protect() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let limited = limited.and_then(|()| {
        let behavior = rustix::process::DumpableBehavior::NotDumpable;
        rustix::process::set_dumpable_behavior(behavior)
    });
    if let Err(error) = limited {
        tracing::debug!(%error, "core files could not be ruled out");
    }
}
