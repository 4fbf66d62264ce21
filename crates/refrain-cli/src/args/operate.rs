//! What the commands about refrain itself understand.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use clap_complete::Shell;
use refrain_sim::Rotation;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Stay up at the end, until interrupted
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen here instead of where the configuration says
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Serve the built single-page app in this folder too, at /
    #[arg(long, value_name = "DIR")]
    pub(crate) app_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DashboardArgs {
    /// Sign everybody out of the dashboard instead, and void the links that are unused
    #[arg(long)]
    pub(crate) sign_out_all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Where the Accounts service listens; the Web API gets the next port. Port 0 takes free ones
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4290")]
    pub(crate) listen: SocketAddr,
    /// What happens to a refresh token when it is used [default: family-kill]
    ///
    /// static, omit: it stays, and the answer leaves it out.
    ///
    /// empty, null, echo: it stays, and the answer has "", has null, repeats it.
    ///
    /// grace:SECONDS: a new one each time; the one before works for that long (grace alone: 30).
    ///
    /// strict: a new one each time; an old one is refused.
    ///
    /// family-kill: a new one each time; presenting an old one ends the whole authorization.
    ///
    /// until-used: a new one each time; the old one works until the new one was used.
    #[arg(long, value_name = "MODE", value_parser = rotation, verbatim_doc_comment)]
    pub(crate) rotation: Option<Rotation>,
    /// How many seconds an access token lives [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) access_ttl: Option<u64>,
    /// Consent to every login at once, without a page
    #[arg(long)]
    pub(crate) auto_consent: bool,
    /// Begin with this profile; its form is the one that GET /_sim/profile shows
    #[arg(long, value_name = "FILE.json")]
    pub(crate) profile: Option<PathBuf>,
    /// Write a refrain.toml for it into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write_config: Option<PathBuf>,
}

/// The modes by name; grace takes its seconds behind a colon.
const ROTATIONS: [(&str, Rotation); 9] = [
    ("static", Rotation::Static),
    ("omit", Rotation::Omit),
    ("empty", Rotation::Empty),
    ("null", Rotation::Null),
    ("echo", Rotation::Echo),
    ("grace", Rotation::Grace { seconds: 30 }),
    ("strict", Rotation::Strict),
    ("family-kill", Rotation::FamilyKill),
    ("until-used", Rotation::UntilUsed),
];

fn rotation(text: &str) -> Result<Rotation, String> {
    if let Some(seconds) = text.strip_prefix("grace:") {
        let seconds = seconds
            .parse()
            .map_err(|_| "grace:SECONDS, such as grace:30".to_owned())?;
        return Ok(Rotation::Grace { seconds });
    }
    let known = ROTATIONS.iter().find(|(name, _)| *name == text);
    known.map(|(_, rotation)| *rotation).ok_or_else(|| {
        let names: Vec<_> = ROTATIONS.iter().map(|(name, _)| *name).collect();
        format!("one of: {}, grace:SECONDS", names.join(", "))
    })
}

/// What the command line calls a mode.
pub(crate) fn rotation_name(rotation: Rotation) -> String {
    if let Rotation::Grace { seconds } = rotation {
        return format!("grace:{seconds}");
    }
    let known = ROTATIONS.iter().find(|(_, mode)| *mode == rotation);
    known.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each value and where it came from; secrets are left out
    #[command(after_help = "Example:\n  refrain config show")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_by_the_name_it_is_shown_by() {
        for (name, mode) in ROTATIONS {
            assert_eq!(rotation(name), Ok(mode));
            assert_eq!(rotation(&rotation_name(mode)), Ok(mode));
        }
        assert_eq!(rotation("grace:5"), Ok(Rotation::Grace { seconds: 5 }));
        assert!(rotation("grace:soon").unwrap_err().contains("grace:30"));
        assert!(rotation("loose").unwrap_err().contains("until-used"));
    }
}
