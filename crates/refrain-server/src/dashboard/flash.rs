//! What came of what was done before: one of a few sentences, chosen by a word in the page's address. What
//! else stands there is never shown.

use refrain::id::GrantName;

use super::view::shell;
use crate::html::{Html, html};

/// What was done, in the word that the address has.
pub(super) const REFRESHED: &str = "refreshed";
pub(super) const REVOKED: &str = "revoked";
pub(super) const ENDED: &str = "ended";

/// The notice that a query asks for.
pub(super) fn asked(query: impl Iterator<Item = (String, String)>) -> Option<Html> {
    let mut asked = Asked::default();
    for (name, value) in query {
        match name.as_str() {
            "done" => asked.done = Some(value),
            "refrain" => asked.connected = value == "connected",
            "error" => asked.error = Some(value),
            // A name has no other letters than such as belong in one.
            "grant" => asked.grant = value.parse().ok(),
            _ => {}
        }
    }
    asked.notice()
}

#[derive(Debug, Default)]
struct Asked {
    done: Option<String>,
    connected: bool,
    error: Option<String>,
    grant: Option<GrantName>,
}

impl Asked {
    fn notice(&self) -> Option<Html> {
        let who = self.grant.as_ref().map(GrantName::as_str);
        if self.connected {
            return Some(shell::notice(
                true,
                &html!(who.unwrap_or("The account"), " is connected."),
            ));
        }
        if let Some(code) = &self.error {
            let whose = who.map(|who| html!(" of ", who));
            let text = html!("The login", whose, " came to nothing: ", refusal(code));
            return Some(shell::notice(false, &text));
        }
        let text = match self.done.as_deref()? {
            REFRESHED => "Refreshed: Spotify gave a new access token.",
            REVOKED => "The key is revoked. Programs that have it are refused within five seconds.",
            ENDED => "The session is ended: whoever had it has to sign in again.",
            _ => return None,
        };
        Some(shell::notice(true, &html!(text)))
    }
}

/// Why a login has come to nothing, and what to do.
fn refusal(code: &str) -> &'static str {
    match code {
        "login_denied" => "at Spotify somebody pressed Cancel. Nothing was changed.",
        "login_other_account" => {
            "it was another Spotify account than before. Sign out at Spotify, or use a private window, and \
             connect with the account that it was."
        }
        "login_not_allowlisted" => {
            "the account is not among the users of the app, which is in development mode. Add it in \
             Spotify's developer dashboard."
        }
        "login_owner_not_premium" => "the owner of the app has no Premium, which Spotify demands.",
        "link_overtaken" => {
            "it was signed in or out meanwhile. Look at it, and begin again if need be."
        }
        _ => {
            "the login did not work out. Nothing was changed; begin again, and see the log if it stays so."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(query: &str) -> Option<String> {
        let query = url::form_urlencoded::parse(query.as_bytes());
        asked(query.into_owned()).map(Html::into_string)
    }

    #[test]
    fn a_notice_is_one_of_a_few_sentences() {
        assert!(
            notice("done=refreshed")
                .unwrap()
                .contains("new access token")
        );
        assert!(
            notice("refrain=connected&grant=bob")
                .unwrap()
                .contains("bob is connected")
        );
        let denied = notice("error=login_denied&grant=bob").unwrap();
        assert!(denied.contains("failed") && denied.contains("pressed Cancel"));
        for nothing in [
            "",
            "done=",
            "done=%3Cb%3E",
            "refrain=x",
            "grant=bob",
            "x=refreshed",
        ] {
            assert_eq!(notice(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_an_address_says_besides_is_not_shown() {
        for query in [
            "error=%3Cb%3Eevil&grant=%3Cb%3Eevil",
            "error=evil&grant=e%20vil",
        ] {
            assert!(!notice(query).unwrap().contains("evil"), "{query}");
        }
    }
}
