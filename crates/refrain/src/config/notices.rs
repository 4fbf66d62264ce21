//! Who is told of grants without asking: webhooks, and a program of this machine.

use std::{fmt, path::Path, str::FromStr};

use url::Url;

use crate::{
    oauth::origin::{Origin, is_loopback},
    secret::WebhookSecret,
};

/// So long a URL may be.
const LONGEST: usize = 2000;

/// Who is told of grants without asking. Nobody, if nothing is said.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Notices {
    /// Where messages are sent to.
    pub webhooks: Vec<Webhook>,
    /// What they are signed with: each message by all of these. There is one where there are webhooks.
    pub secrets: Vec<WebhookSecret>,
    /// A program that gets each message, and what is said to it: an absolute path, and arguments.
    pub command: Vec<String>,
}

impl Notices {
    /// Whether nobody is told anything.
    pub fn is_empty(&self) -> bool {
        self.webhooks.is_empty() && self.command.is_empty()
    }
}

/// A URL that messages are sent to: https, or http to a loopback address. It may be a secret: what is shown of
/// it is its origin.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    url: Url,
    origin: Origin,
}

/// The text is no URL that messages may be sent to. It is not quoted: a secret could be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Not an absolute URL, or far too long.
    #[error("a webhook is an absolute URL")]
    NotAUrl,
    /// Everyone on the way could read the messages.
    #[error("a webhook is https, or http to 127.0.0.1 or [::1]")]
    Insecure,
    /// A user name, a password or a fragment.
    #[error("a webhook has neither user name nor password nor fragment")]
    TooMuch,
}

impl Webhook {
    /// Its scheme, host and port: where to connect, and what to call it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The whole URL, for whoever sends to it.
    pub fn expose(&self) -> &Url {
        &self.url
    }
}

impl FromStr for Webhook {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, WebhookError> {
        let url = Url::parse(text).map_err(|_| WebhookError::NotAUrl)?;
        match (url.scheme(), url.host()) {
            _ if text.len() > LONGEST => return Err(WebhookError::NotAUrl),
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback(&host) => {}
            (_, Some(_)) => return Err(WebhookError::Insecure),
            (_, None) => return Err(WebhookError::NotAUrl),
        }
        let named = !url.username().is_empty() || url.password().is_some();
        if named || url.fragment().is_some() {
            return Err(WebhookError::TooMuch);
        }
        let origin = url.origin().ascii_serialization();
        let origin = origin.parse().map_err(|_| WebhookError::NotAUrl)?;
        Ok(Self { url, origin })
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self}/(redacted))")
    }
}

/// The text is no part of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    /// It would be looked for in the folders of PATH, or in the one that refrain was started in.
    #[error("a command begins with the absolute path of a program")]
    NotAbsolute,
    /// In the environment the parts of a command are parted by spaces.
    #[error(
        "no part of a command is empty or has a space in it; a script of your own may say more"
    )]
    Space,
}

/// One part of a command.
pub(super) fn word(text: &str) -> Result<String, CommandError> {
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err(CommandError::Space);
    }
    Ok(text.to_owned())
}

/// A whole command, or none.
pub(super) fn command(words: Vec<String>) -> Result<Vec<String>, CommandError> {
    match words.first() {
        Some(program) if !Path::new(program).is_absolute() => Err(CommandError::NotAbsolute),
        _ => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_private_on_its_way_and_shows_its_origin_alone() {
        for (text, shown) in [
            (
                "https://hooks.example/canary?k=canary",
                "https://hooks.example",
            ),
            ("https://hooks.example:8443", "https://hooks.example:8443"),
            ("http://127.0.0.1:9/canary", "http://127.0.0.1:9"),
            ("http://[::1]:9/", "http://[::1]:9"),
        ] {
            let webhook: Webhook = text.parse().unwrap();
            assert_eq!(webhook.to_string(), shown);
            assert!(!format!("{webhook:?}").contains("canary"));
        }
        let long = format!("https://a/{}", "a".repeat(LONGEST));
        for (text, error) in [
            ("", WebhookError::NotAUrl),
            ("/path", WebhookError::NotAUrl),
            (&long, WebhookError::NotAUrl),
            ("mailto:a@b", WebhookError::NotAUrl),
            ("http://hooks.example/", WebhookError::Insecure),
            ("http://localhost/", WebhookError::Insecure),
            ("ftp://hooks.example/", WebhookError::Insecure),
            ("https://user@hooks.example/", WebhookError::TooMuch),
            ("https://:canary@hooks.example/", WebhookError::TooMuch),
            ("https://hooks.example/#canary", WebhookError::TooMuch),
        ] {
            assert_eq!(text.parse::<Webhook>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_command_is_a_program_by_its_path() {
        let words = |words: &[&str]| -> Result<Vec<String>, CommandError> {
            let words = words.iter().map(|text| word(text));
            command(words.collect::<Result<_, _>>()?)
        };
        assert_eq!(words(&[]).unwrap(), [""; 0]);
        assert_eq!(words(&["/bin/tell", "-x"]).unwrap(), ["/bin/tell", "-x"]);
        assert_eq!(words(&["tell"]), Err(CommandError::NotAbsolute));
        assert_eq!(words(&["./tell"]), Err(CommandError::NotAbsolute));
        assert_eq!(words(&["/bin/a b"]), Err(CommandError::Space));
        assert_eq!(words(&["/bin/a", ""]), Err(CommandError::Space));
    }
}
