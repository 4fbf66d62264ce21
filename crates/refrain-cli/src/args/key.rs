//! What the commands about refrain's own API keys understand.

use std::time::Duration;

use clap::{Args, Subcommand};
use refrain::{
    access::Permission,
    id::{ApiKeyName, GrantName},
};

/// What `--json` prints, for `refrain key --help`; a field may be added, and none changes.
pub(crate) const KEY_HELP: &str = "\
With --json, create and revoke print one object, and list an array of them:
  id, name       the key's own
  permissions    an array of: proxy:read, proxy, token, manage
  grants         an array of names; empty where all_grants is true
  all_grants     true or false
  rewrite_links  true or false
  created_at, expires_at, last_used_at, revoked_at
                 such as 2026-11-23T14:06:20Z, or null
  status         valid, expired or revoked
  key            the key itself; create alone has it
  was_revoked    whether it was revoked before; revoke alone has it

Example:
  refrain key create phone -g alice";

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it, alone on the last line; it is never shown again
    ///
    /// The key goes into the Authorization header of whoever asks, behind the word Bearer. refrain keeps a
    /// keyed hash of it, and no key.
    #[command(
        after_help = "Example:\n  refrain key create phone -g alice --allow proxy --expires 90d"
    )]
    Create(CreateKeyArgs),
    /// List the keys: what each may do, for which grants, until when, and when it was used last
    #[command(after_help = "Example:\n  refrain key list")]
    List,
    /// Revoke a key for ever; to replace one, make the next first
    #[command(after_help = "Example:\n  refrain key revoke phone")]
    Revoke(RevokeKeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateKeyArgs {
    /// What to call it
    pub(crate) name: ApiKeyName,
    /// A grant that it reaches; may be repeated
    #[arg(short, long = "grant", value_name = "GRANT", value_delimiter = ',')]
    pub(crate) grants: Vec<GrantName>,
    /// Let it reach every grant, also those that come later
    #[arg(long, conflicts_with = "grants")]
    pub(crate) all_grants: bool,
    /// What it may do, with commas in between: proxy:read, proxy, token, manage
    ///
    /// proxy:read: read from the Web API by way of refrain. No token is handed out.
    ///
    /// proxy: the same, and write.
    ///
    /// token: get access tokens, which go on working when the key is revoked, for an hour at most.
    ///
    /// manage: see, refresh and sign out the grants that it reaches, make and revoke keys that reach no
    /// further; neither proxy nor token.
    #[arg(
        long,
        value_name = "PERMISSION",
        value_delimiter = ',',
        default_value = "proxy:read",
        verbatim_doc_comment
    )]
    pub(crate) allow: Vec<Permission>,
    /// For how long it is valid, such as 12h, 90d or 52w [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<Duration>,
    /// Have links in the API's answers lead to refrain, for programs that follow them
    #[arg(long)]
    pub(crate) rewrite_links: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeKeyArgs {
    /// Its name, or its id as `refrain key list` shows it
    #[arg(value_name = "NAME|ID")]
    pub(crate) key: String,
}

/// A number and a unit. A month is none: they differ in length.
fn lifetime(text: &str) -> Result<Duration, String> {
    const MOST: u64 = 100 * 365 * 24 * 60;
    let minutes = text.char_indices().last().and_then(|(end, unit)| {
        let number: u64 = text.get(..end)?.parse().ok()?;
        let unit = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'w' => 7 * 24 * 60,
            _ => return None,
        };
        number.checked_mul(unit)
    });
    match minutes {
        Some(minutes @ 1..=MOST) => Ok(Duration::from_secs(minutes * 60)),
        _ => Err("a number and m, h, d or w, such as 90d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
        assert_eq!(lifetime("60m"), hours(1));
        assert_eq!(lifetime("12h"), hours(12));
        assert_eq!(lifetime("90d"), hours(90 * 24));
        assert_eq!(lifetime("2w"), hours(14 * 24));
        for text in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "1.5d",
            "90 d",
            "1y",
            "1M",
            "36501d",
            "9ä",
            "99999999999999999999d",
            "9999999999999999999w",
        ] {
            assert!(lifetime(text).unwrap_err().contains("90d"), "{text}");
        }
    }
}
