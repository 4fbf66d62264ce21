//! What `refrain import` understands: a subcommand for each program whose token it can take over.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use refrain::id::{AppName, GrantName};

/// What `--json` prints, for `refrain import --help`; a field may be added, and none changes.
pub(crate) const IMPORT_HELP: &str = "\
The token is verified by one refresh, with the client of the configured app: a token works with the client
id it was issued to, and with no other. The file, or whatever the token is from, is read and never changed.
Afterwards the other program must stop using it: where Spotify replaces a token, two owners lock each other
out.

With --json one object is printed:
  grant            the name
  source           the program
  account          an object of id and name, or null where Spotify's API did not say
  scope            an array of what is granted
  authorized_at, authorized_at_latest
                   between them the user consented
  reauthorize_by, reauthorize_by_latest
                   between them Spotify stops honouring it
  replaced         whether Spotify has replaced the token: what the other program has is dead then
  again            whether it had been imported before
  old_owner        what to do there

Example:
  refrain import spotipy .cache alice";

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// From the cache file of spotipy (Python)
    #[command(after_help = "Example:\n  refrain import spotipy .cache alice")]
    Spotipy {
        /// The cache file [default: .cache]
        file: Option<PathBuf>,
        #[command(flatten)]
        to: ImportArgs,
    },
    /// From the cache file of rspotify (Rust)
    #[command(after_help = "Example:\n  refrain import rspotify .spotify_token_cache.json alice")]
    Rspotify {
        #[arg(help = "The cache file [default: .spotify_token_cache.json]")]
        file: Option<PathBuf>,
        #[command(flatten)]
        to: ImportArgs,
    },
    #[command(
        about = "From spotify_player, where its client_id is set to an app of your own",
        after_help = "Example:\n  refrain import spotify-player ~/.cache/spotify-player/user_client_token.json alice"
    )]
    SpotifyPlayer {
        #[arg(
            help = "Its token file [default: spotify-player/user_client_token.json in the folder of caches]"
        )]
        file: Option<PathBuf>,
        #[command(flatten)]
        to: ImportArgs,
    },
    #[command(
        about = "From your_spotify: its users, as mongoexport writes them",
        after_help = "Example:\n  mongoexport --uri=mongodb://localhost/your_spotify --collection=users --out=users.json\n  refrain import your-spotify users.json alice --user alice"
    )]
    YourSpotify {
        /// The file that mongoexport wrote
        file: PathBuf,
        #[command(flatten)]
        to: ImportArgs,
        /// Which user, by name or Spotify id, where there are several
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    #[command(
        about = "From Home Assistant: its folder .storage, or the file core.config_entries in it",
        after_help = "Example:\n  refrain import home-assistant /config/.storage alice"
    )]
    HomeAssistant {
        /// The folder, or the file
        file: PathBuf,
        #[command(flatten)]
        to: ImportArgs,
        /// Which user, by name or Spotify id, where there are several
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    #[command(
        about = "From the environment: SPOTIFY_REFRESH_TOKEN, SPOTIPY_REFRESH_TOKEN or another variable",
        after_help = "Example:\n  refrain import env alice"
    )]
    Env {
        #[command(flatten)]
        to: ImportArgs,
        /// The variable that holds the refresh token
        #[arg(long, value_name = "NAME")]
        variable: Option<String>,
    },
    /// From standard input: a refresh token, alone on a line
    #[command(after_help = "Example:\n  refrain import stdin alice < refresh-token")]
    Stdin {
        #[command(flatten)]
        to: ImportArgs,
    },
    /// Says why nothing can be taken over from ncspot
    #[command(after_help = "Example:\n  refrain import ncspot")]
    Ncspot {
        /// Not read
        #[arg(hide = true)]
        file: Option<PathBuf>,
        #[command(flatten)]
        to: ImportArgs,
    },
    /// Says why nothing can be taken over from librespot, or from what is built on it
    #[command(after_help = "Example:\n  refrain import librespot")]
    Librespot {
        /// Not read
        #[arg(hide = true)]
        file: Option<PathBuf>,
        #[command(flatten)]
        to: ImportArgs,
    },
}

/// Where it goes.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What to call the grant [default: "default"]
    pub(crate) grant: Option<GrantName>,
    /// The app that the token was issued to; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<AppName>,
    /// Let it take the place of the token that the grant has, if it is of the same Spotify account
    #[arg(long)]
    pub(crate) replace: bool,
}

impl ImportCommand {
    /// Where it goes.
    pub(crate) fn to(&self) -> &ImportArgs {
        match self {
            Self::Spotipy { to, .. }
            | Self::Rspotify { to, .. }
            | Self::SpotifyPlayer { to, .. }
            | Self::YourSpotify { to, .. }
            | Self::HomeAssistant { to, .. }
            | Self::Env { to, .. }
            | Self::Stdin { to }
            | Self::Ncspot { to, .. }
            | Self::Librespot { to, .. } => to,
        }
    }
}
