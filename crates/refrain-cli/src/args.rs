//! What can be written after `refrain`.

mod custody;
#[cfg(test)]
mod documents;
mod grant;
mod import;
mod init;
mod key;
mod operate;
#[cfg(test)]
mod reference;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    custody::{BackupArgs, RestoreArgs, RotateArgs, SealingCommand},
    grant::{ApiArgs, GrantArgs, LoginArgs, TokenArgs},
    import::{IMPORT_HELP, ImportArgs, ImportCommand},
    init::InitArgs,
    key::{CreateKeyArgs, KEY_HELP, KeyCommand, RevokeKeyArgs},
    operate::{
        CompletionsArgs, ConfigCommand, DashboardArgs, DemoArgs, ManArgs, ServeArgs, SimArgs,
        rotation_name,
    },
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the API answered with a status of 400 or more
  2  the command was not understood
  3  the user has to log in again
  4  not permitted
  5  not now: try again later
  6  configuration or key
  7  storage
  130  interrupted by Ctrl-C

Example:
  curl -H \"Authorization: Bearer $(refrain token)\" https://api.spotify.com/v1/me";

/// The heading of the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// Keeps programs connected to Spotify
///
/// Log in once; from then on refrain hands out an access token that works, refreshes it when it has to,
/// and says in time when Spotify will want the user's consent again.
#[derive(Debug, Parser)]
#[command(name = "refrain", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Read this configuration file instead of the usual one
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,
    /// Write results and errors as JSON
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// Log more on standard error; up to three times. `REFRAIN_LOG=off` to `trace` sets the level too
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    pub(crate) verbose: u8,
    /// Log as text, or as JSON with an object in each line [default: text]. `REFRAIN_LOG_FORMAT` sets it too
    #[arg(long, global = true, value_name = "FORMAT", help_heading = EVERYWHERE)]
    pub(crate) log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum LogFormat {
    /// For people.
    #[value(help = "for people")]
    Text,
    /// For programs that collect logs.
    #[value(help = "for programs that collect logs")]
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole job on a simulated Spotify: no account, no network, nothing left behind
    #[command(after_help = "Example:\n  refrain demo")]
    Demo(DemoArgs),
    /// Set refrain up: ask for the app's credentials, make the key and the configuration
    #[command(after_help = "Example:\n  refrain init")]
    Init(InitArgs),
    /// Ask a user for consent in the browser and keep the authorization
    #[command(after_help = "Example:\n  refrain login alice --scope user-read-recently-played")]
    Login(LoginArgs),
    /// Open the browser from an environment without secrets; `login` calls it
    #[command(
        hide = true,
        after_help = "Example:\n  refrain open-browser http://127.0.0.1/"
    )]
    OpenBrowser {
        /// The address
        url: String,
    },
    /// Take over a refresh token that another program holds: spotipy, rspotify, Home Assistant and others
    #[command(subcommand, after_help = IMPORT_HELP)]
    Import(ImportCommand),
    /// Print an access token that works
    #[command(after_help = "Example:\n  refrain token alice --min-ttl 300")]
    Token(TokenArgs),
    /// Call the Web API with a fresh token and print the answer
    #[command(after_help = "Example:\n  refrain api /v1/me/player/recently-played?limit=5")]
    Api(ApiArgs),
    /// List the grants: user, scopes, expiry, the day consent is due again, status
    #[command(after_help = "Example:\n  refrain list")]
    List,
    /// Tell one grant's story: consent, refreshes, refusals, and what happens next
    #[command(after_help = "Example:\n  refrain why alice")]
    Why(GrantArgs),
    /// Get a new access token now
    #[command(after_help = "Example:\n  refrain refresh alice")]
    Refresh(GrantArgs),
    /// Destroy the tokens of a grant here, and say what remains to do at Spotify
    #[command(after_help = "Example:\n  refrain logout alice")]
    Logout(GrantArgs),
    /// Make, list and revoke API keys: what programs show to a refrain that they ask
    #[command(subcommand, after_help = KEY_HELP)]
    Key(KeyCommand),
    /// Change how tokens are sealed
    #[command(subcommand, after_help = "Example:\n  refrain sealing rotate")]
    Sealing(SealingCommand),
    /// Copy the store to a file, while everything goes on; without the key
    #[command(after_help = "Example:\n  refrain backup /media/stick/refrain.backup")]
    Backup(BackupArgs),
    /// Put a backup in the store's place; the old store is kept under another name
    #[command(after_help = "Example:\n  refrain restore /media/stick/refrain.backup")]
    Restore(RestoreArgs),
    /// Serve programs in any language: Spotify's Web API with a fresh token, behind refrain's own keys
    #[command(after_help = "Example:\n  refrain serve --listen 127.0.0.1:4280")]
    Serve(ServeArgs),
    /// Print a link that signs you in to the dashboard, once
    #[command(after_help = "Example:\n  refrain dashboard\n  refrain dashboard --sign-out-all")]
    Dashboard(DashboardArgs),
    /// Look for misconfiguration before a user finds it
    #[command(after_help = "Example:\n  refrain doctor --json")]
    Doctor,
    /// Run the Spotify simulator alone
    #[command(after_help = "Example:\n  refrain sim --access-ttl 60 --auto-consent")]
    Sim(SimArgs),
    /// Look at the configuration
    #[command(subcommand, after_help = "Example:\n  refrain config show")]
    Config(ConfigCommand),
    /// Print the completions of a shell
    #[command(
        after_help = "Example:\n  refrain completions bash > ~/.local/share/bash-completion/completions/refrain"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands into a folder
    #[command(after_help = "Example:\n  refrain man | man -l -")]
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn look(command: &clap::Command, path: &str) {
            for command in command.get_subcommands() {
                let help = command.get_after_help().map(ToString::to_string);
                let path = format!("{path} {}", command.get_name());
                assert!(help.unwrap_or_default().contains(&path), "{path}");
                look(command, &path);
            }
        }
        look(&Args::command(), "refrain");
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in [
            "refrain --json --config f -vv list",
            "refrain list --json --config f -vv",
        ] {
            let global = parse(line).unwrap().global;
            assert!(global.json && global.verbose == 2, "{line}");
            assert_eq!(global.config, Some("f".into()));
        }
    }

    #[test]
    fn an_api_call_reads_like_curl() {
        let line = "refrain api -X PUT -H Accept:x -H If-None-Match:y -d {} -g alice /v1/me";
        let Command::Api(api) = parse(line).unwrap().command else {
            panic!("{line}");
        };
        assert_eq!(api.method.as_deref(), Some("PUT"));
        assert_eq!(api.headers, ["Accept:x", "If-None-Match:y"]);
        assert_eq!(api.body.as_deref(), Some("{}"));
        assert_eq!(api.path, "/v1/me");
        assert_eq!(api.grant.unwrap().as_str(), "alice");
    }

    #[test]
    fn a_grant_that_is_no_name_is_a_usage_error() {
        let error = parse("refrain token a/b").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("is not a name"));
    }
}
