//! What the person at the terminal and the person in the browser are told.

use std::{
    env,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use qrcode::{QrCode, render::unicode::Dense1x2};
use refrain::{
    Error,
    id::{AppName, GrantName},
    keeper::login::{Begun, LoggedIn},
    oauth::scope::Scope,
    provider::spotify::{DASHBOARD_URL, PAGE_ERRORS, SCOPES},
    time::UnixMillis,
    words,
};
use refrain_server::page::login as page;
use serde::Serialize;

use crate::{
    callback::{BindError, Page},
    output,
    report::{self, Exit, Explanation, notice},
};

#[derive(Serialize)]
struct Json<'a> {
    grant: &'a str,
    account: Option<JsonAccount<'a>>,
    scope: Vec<&'a str>,
    /// Asked for and not granted.
    missing: Vec<&'a str>,
    reauthorize_by: String,
}

#[derive(Serialize)]
struct JsonAccount<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

/// Knows how to talk to this user about this login.
pub(super) struct Tell {
    json: bool,
    no_browser: bool,
    /// Whether somebody watches standard error.
    watched: bool,
    begun: Begun,
    patience: Duration,
}

// === impl Tell ===

impl Tell {
    pub(super) fn new(json: bool, no_browser: bool, begun: Begun, patience: Duration) -> Self {
        Self {
            json,
            no_browser,
            watched: std::io::stderr().is_terminal(),
            begun,
            patience,
        }
    }

    pub(super) fn begun(&self) -> &Begun {
        &self.begun
    }

    /// What is going to happen.
    pub(super) fn begin(
        &self,
        grant: &GrantName,
        app: &AppName,
        can_paste: bool,
        bind_error: Option<&BindError>,
    ) -> Result<(), Explanation> {
        let url = &self.begun.url;
        notice(&format!("Asking for consent for grant {grant}, app {app}."));
        if let Some(error) = bind_error {
            notice(&format!(
                "The browser's answer cannot be received here: {}.\n\
                 Agree in the browser all the same; then copy the address it ends on, even from an error \
                 page, and paste it here.",
                report::with_causes(error)
            ));
        } else {
            self.tunnel_hint();
        }
        if self.no_browser {
            self.qr_code();
            notice("Open this address in a browser, on any device:");
            output::text(&format!("{url}\n"))?;
        } else {
            notice(&format!(
                "Opening the browser. If nothing opens, go to:\n  {url}"
            ));
        }
        if can_paste && bind_error.is_none() {
            notice(
                "If the browser ends on a page that cannot be reached, because it runs on another \
                 machine, paste the address of that page here and press Enter.",
            );
        }
        Ok(())
    }

    /// Over SSH the browser is elsewhere, and so is its 127.0.0.1.
    fn tunnel_hint(&self) {
        let Some(connection) = env::var_os("SSH_CONNECTION") else {
            return;
        };
        let url = self.begun.redirect_uri.url();
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return;
        };
        let connection = connection.to_string_lossy();
        // Client address and port, server address and port.
        let server = connection.split(' ').nth(2).unwrap_or("HOST");
        notice(&format!(
            "This is an SSH session. So that a browser on your own machine comes back here, run there:\n  \
             ssh -L {port}:{host}:{port} {server}"
        ));
    }

    fn qr_code(&self) {
        if !self.watched {
            return;
        }
        // A URL that is too long for a code is still printed.
        let Ok(code) = QrCode::new(&self.begun.url) else {
            return;
        };
        // Light on dark: most terminals are dark, and scanners read both.
        let code = code
            .render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build();
        notice(&code);
    }

    /// The line that counts down, where somebody watches it and does not type over it.
    pub(super) fn waiting(&self, left: Duration) {
        if self.watched && !self.no_browser {
            let line = format!(
                "\r\x1b[Kwaiting for you to agree in the browser… ({} left)",
                clock(left)
            );
            write(&line);
        }
    }

    /// Takes that line away.
    pub(super) fn clear(&self) {
        if self.watched && !self.no_browser {
            write("\r\x1b[K");
        }
    }

    pub(super) fn no_browser(&self) {
        self.clear();
        notice(&format!(
            "No browser could be opened. Go to:\n  {}",
            self.begun.url
        ));
    }

    /// The text was pasted and is not the answer; it is not repeated, because it may hold a code.
    pub(super) fn not_this(&self, line: &str) {
        let line = line.trim();
        notice(if line == self.begun.url {
            "That is the address to open. Open it in a browser, agree there, and paste the address that \
             the browser ends on."
        } else if line.contains("state=") {
            "That is the answer to another login. Open the address above, agree, and paste the address \
             that the browser ends on."
        } else {
            "That is not the whole address. It has code= and state= in it: copy all of it from the \
             browser's address bar."
        });
    }

    /// The time is over. Spotify shows some errors on its own page and then never comes back.
    pub(super) fn nothing_came(&self) -> Explanation {
        let mut fix = format!(
            "look at what the browser shows, register the redirect URI {} at {DASHBOARD_URL} exactly as \
             it is written here, and run `refrain login` again",
            self.begun.redirect_uri
        );
        if self.json {
            let list = PAGE_ERRORS.map(|(text, meaning)| format!("\"{text}\": {meaning}"));
            fix = format!("{fix}; what Spotify's page may say: {}", list.join("; "));
        } else {
            notice("What Spotify's own page may say, and what it means:");
            for (text, meaning) in PAGE_ERRORS {
                notice(&format!("  {text}\n      {meaning}"));
            }
        }
        Explanation {
            code: "login_nothing_came",
            what: format!(
                "nothing came back from the browser within {}",
                words::long(self.patience)
            ),
            safe: "nothing was saved; a grant that was there before is as it was".to_owned(),
            fix,
            retry_at: None,
            exit: Exit::TryLater,
        }
    }

    /// Nobody can listen, and nobody can paste.
    pub(super) fn no_way_back(&self) -> Explanation {
        Explanation {
            code: "login_no_way_back",
            what: format!(
                "the answer cannot be received at {}, and standard input has ended",
                self.begun.redirect_uri
            ),
            safe: "nothing was saved; a grant that was there before is as it was".to_owned(),
            fix: "free the port of the redirect URI, or run this in a terminal and paste the address that \
                  the browser ends on"
                .to_owned(),
            retry_at: None,
            exit: Exit::Configuration,
        }
    }

    /// The result, on standard output.
    pub(super) fn result(&self, done: &LoggedIn, now: UnixMillis) -> Result<(), Explanation> {
        if self.json {
            return output::json(&to_json(done));
        }
        if !done.missing.is_empty() {
            notice(&format!(
                "Asked for and not granted: {}. Calls that need it will answer 403.",
                done.missing
            ));
        }
        if done.account.is_none() {
            notice("Spotify's API did not say whose account it is; the next login is not checked.");
        }
        output::text(&to_text(done, now))
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody looks on any more, then.
    drop(
        stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush()),
    );
}

fn to_json(done: &LoggedIn) -> Json<'_> {
    Json {
        grant: done.grant.as_str(),
        account: done.account.as_ref().map(|account| JsonAccount {
            id: &account.id,
            name: account.display_name.as_deref(),
        }),
        scope: done.scope.iter().collect(),
        missing: done.missing.iter().collect(),
        reauthorize_by: done.reauthorize_by.to_string(),
    }
}

fn to_text(done: &LoggedIn, now: UnixMillis) -> String {
    let by = done.reauthorize_by.to_string();
    let days = words::count(done.reauthorize_by.days_since(now), "day");
    let scopes = if done.scope.is_empty() {
        "none".to_owned()
    } else {
        done.scope.to_string()
    };
    format!(
        "{} is signed in{}\nscopes: {scopes}\nSpotify asks for consent again by {} (in {days})\n",
        done.grant,
        whose(done).map_or_else(String::new, |name| format!(" as {name}")),
        words::day(&by),
    )
}

fn whose(done: &LoggedIn) -> Option<String> {
    let account = done.account.as_ref()?;
    let name = account.display_name.as_ref().unwrap_or(&account.id);
    Some(report::plain(name))
}

/// Warns of scopes that Spotify does not document: it shows an error page and never comes back.
pub(super) fn warn_of_unknown(scope: &Scope) {
    let unknown: Vec<_> = scope.iter().filter(|one| !SCOPES.contains(one)).collect();
    if !unknown.is_empty() {
        notice(&format!(
            "Spotify documents no scope {}; its page may say \"Illegal scope\" and not come back.",
            unknown.join(", ")
        ));
    }
}

/// The page after a login that came to nothing.
pub(super) fn failure(error: &Error) -> Page {
    let explanation = error.explain();
    let what = format!("{} ({})", explanation.what, explanation.safe);
    Page::problem(page::NOTHING, &what, &explanation.fix)
}
/// `4:59`.
fn clock(left: Duration) -> String {
    let seconds = left.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_reads_as_a_clock() {
        assert_eq!(clock(Duration::from_secs(299)), "4:59");
        assert_eq!(clock(Duration::from_secs(5)), "0:05");
    }
}
