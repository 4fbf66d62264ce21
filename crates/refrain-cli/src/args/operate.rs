//! What the commands about refrain itself understand.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Stay up at the end, until interrupted
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4281")]
    pub(crate) listen: SocketAddr,
    /// What happens to a refresh token when it is used
    #[arg(long, value_enum, default_value_t = RotationArg::FamilyKill)]
    pub(crate) rotation: RotationArg,
    /// How many seconds an access token lives
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) access_ttl: u64,
    /// Consent to every login at once, without a page
    #[arg(long)]
    pub(crate) auto_consent: bool,
}

/// What the simulator does with a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RotationArg {
    /// One refresh token for ever, never repeated in an answer
    Static,
    /// The answer leaves the refresh token out; the old one stays
    Omit,
    /// The answer has an empty refresh token; the old one stays
    Empty,
    /// The answer has null; the old one stays
    Null,
    /// The answer repeats the old one
    Echo,
    /// A new one each time; the one before is accepted for another 30 seconds
    Grace,
    /// A new one each time; an old one is refused
    Strict,
    /// A new one each time; presenting an old one kills them all
    FamilyKill,
    /// A new one each time; the old one works until the new one has been used
    UntilUsed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each value and where it came from; secrets are left out
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page per command into this folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}
