//! What the commands about one grant understand.

use clap::Args;
use refrain::id::{AppName, GrantName};

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The grant; may be left out where there is only one
    pub(crate) grant: Option<GrantName>,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// What to call the grant [default: the only grant there is, else "default"]
    pub(crate) grant: Option<GrantName>,
    /// The app to log in to; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<AppName>,
    /// Ask for this scope, or these in quotes, instead of the configured ones; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Print the URL, alone on the first line, instead of opening a browser; the URL that the browser
    /// ends on may be pasted back
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Let a grant change hands: take the consent of another user than before
    #[arg(long)]
    pub(crate) other_account: bool,
    /// For how many seconds to wait for the user, 600 at most: Spotify forgets the login then
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) wait: u16,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The grant; may be left out where there is only one
    pub(crate) grant: Option<GrantName>,
    /// For how many seconds at least the token must still work
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) min_ttl: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The HTTP method [default: GET, or POST with a body]
    #[arg(short = 'X', long)]
    pub(crate) method: Option<String>,
    /// The body; @FILE reads it from a file, - from standard input
    #[arg(short = 'd', long = "data", value_name = "BODY")]
    pub(crate) body: Option<String>,
    /// A header, as "Name: value"; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The grant; may be left out where there is only one
    #[arg(short, long)]
    pub(crate) grant: Option<GrantName>,
    /// Print the status and the headers of the answer too
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Path and query at the Web API, such as /v1/me, or the whole URL
    pub(crate) path: String,
}
