//! The `refrain` command: keeps programs connected to Spotify.

mod args;
mod callback;
mod command;
mod output;
mod report;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return report::usage(&error),
    };
    telemetry::start(args.global.verbose);
    let json = args.global.json;
    match command::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(explanation) => report::failure(&explanation, json),
    }
}
