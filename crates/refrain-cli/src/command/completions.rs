//! `refrain completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{args::Args, output, report::Explanation};

pub(super) fn run(shell: Shell) -> Result<(), Explanation> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "refrain", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
