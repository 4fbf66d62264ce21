//! What the commands about the key and the store as wholes understand.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SealingCommand {
    /// Replace the master key while everything goes on; run again, it goes on where it was stopped
    ///
    /// The old key stays in the key file until nothing can need it any more: at once where nothing else
    /// uses the store and no login has begun, else ten minutes later, at the next run.
    #[command(after_help = "Example:\n  refrain sealing rotate")]
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Only put a new key into the key file, to be copied to every machine before it is used
    #[arg(long)]
    pub(crate) prepare: bool,
    /// Wait until the old key can leave the key file
    #[arg(long, conflicts_with = "prepare")]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Where to
    pub(crate) file: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// A file that `refrain backup` has made
    #[arg(required_unless_present = "mark_only")]
    pub(crate) file: Option<PathBuf>,
    /// Replace a store that is there without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Restore nothing; mark the grants whose refresh token may have been replaced since the backup.
    /// For a PostgreSQL database that has just been put back by its own programs
    #[arg(long, conflicts_with_all = ["file", "yes"])]
    pub(crate) mark_only: bool,
}
