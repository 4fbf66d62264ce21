//! How a login has ended, in a browser.

use refrain::keeper::login::LoggedIn;

use super::Page;

/// The title of a login that has come to nothing.
pub const NOTHING: &str = "The login came to nothing";

/// The page after a login.
pub fn success(done: &LoggedIn) -> Page {
    let by = done.reauthorize_by.to_string();
    let mut text = format!(
        "The grant is called {}. Spotify asks for your consent again by {}.",
        done.grant,
        by.split('T').next().unwrap_or_default(),
    );
    if !done.missing.is_empty() {
        text = format!("{text} Not granted: {}.", done.missing);
    }
    let whose = done.account.as_ref();
    let whose = whose.map(|it| it.display_name.as_ref().unwrap_or(&it.id));
    Page {
        title: whose.map_or_else(
            || "Signed in".to_owned(),
            |name| format!("Signed in as {name}"),
        ),
        text,
        next: "You may close this page.".to_owned(),
    }
}

/// The page for an answer that belongs to no login of this browser.
pub fn not_ours() -> Page {
    Page {
        title: "This is not the login that waits here".to_owned(),
        text: "The answer belongs to another login, or to none.".to_owned(),
        next: "If a refrain login waits in a terminal, paste the address of this page there. Otherwise \
               close it."
            .to_owned(),
    }
}

/// The same where users sign in to an app: most often it is one of them who took too long.
pub(crate) fn not_ours_or_late() -> Page {
    Page {
        title: "This login is over".to_owned(),
        text: "It took longer than ten minutes, or began in another browser, or has ended already."
            .to_owned(),
        next: "Begin again where you came from, and stay in this browser. If a refrain login waits in a \
               terminal, paste the address of this page there instead."
            .to_owned(),
    }
}
