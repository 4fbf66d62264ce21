//! What `refrain init` understands.

use std::path::PathBuf;

use clap::Args;

/// The variables have the names that override the configuration, so that one environment serves both.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The client id that Spotify's dashboard shows for the app
    #[arg(
        long,
        value_name = "ID",
        env = "REFRAIN_APPS_DEFAULT_CLIENT_ID",
        hide_env_values = true
    )]
    pub(crate) client_id: Option<String>,
    /// Copy the client secret from this file
    #[arg(
        long,
        value_name = "FILE",
        env = "REFRAIN_APPS_DEFAULT_CLIENT_SECRET_FILE",
        hide_env_values = true,
        conflicts_with = "client_secret_stdin"
    )]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Read the client secret from standard input
    #[arg(long)]
    pub(crate) client_secret_stdin: bool,
    /// Where a consent comes back to [default: `http://127.0.0.1:4280/callback`]
    #[arg(
        long,
        value_name = "URI",
        env = "REFRAIN_APPS_DEFAULT_REDIRECT_URI",
        hide_env_values = true
    )]
    pub(crate) redirect_uri: Option<String>,
    /// Ask for this scope, or these in quotes, at every login; may be repeated
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        env = "REFRAIN_APPS_DEFAULT_SCOPES",
        hide_env_values = true
    )]
    pub(crate) scopes: Vec<String>,
    /// Overwrite a configuration that is there
    #[arg(long)]
    pub(crate) force: bool,
}
