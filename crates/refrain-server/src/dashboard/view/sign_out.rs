//! Signing a user out: what it will do, and afterwards what it has done and what it could not do.

use refrain::{
    id::GrantName, keeper::logout::LoggedOut, provider::spotify::USER_APPS_URL, time::UnixMillis,
    words::logout,
};

use super::{shell::Shell, time};
use crate::html::{Html, html};

/// The question before.
pub(in crate::dashboard) fn ask(name: &GrantName, shell: &Shell<'_>) -> Html {
    html!(
        "<h1>Sign ",
        name,
        " out?</h1>\n<section class=\"card\"><ul><li>The refresh token, the access token and the key that \
         sealed them are destroyed here, and what is known about the user goes with them.</li><li>Programs \
         that use <strong>",
        name,
        "</strong> are refused from then on.</li><li>An access token that was given out before works at \
         Spotify until it expires, an hour at most.</li><li>It cannot be taken back: to connect again, the \
         user consents again.</li></ul>\n<div class=\"buttons\">",
        shell.button(&place(name), "danger", "Sign out"),
        "<a class=\"button quiet\" href=\"/dashboard/grants/",
        name,
        "\">Keep it</a></div></section>\n"
    )
}

fn place(name: &GrantName) -> String {
    format!("/dashboard/grants/{name}/sign-out")
}

/// What came of it.
pub(in crate::dashboard) fn done(done: &LoggedOut, now: UnixMillis) -> Html {
    let name = &done.grant;
    html!(
        "<h1>",
        name,
        " is signed out</h1>\n<section class=\"card\"><dl class=\"state\"><dt>Destroyed</dt><dd>The refresh \
         token, the access token, and the key that sealed them.</dd><dt>Spotify</dt><dd>",
        time::prose(&logout::revocation(&done.revocation)),
        "</dd><dt>Still works</dt><dd>",
        time::prose(&logout::access(done, now)),
        "</dd><dt>Remains to do</dt><dd>To take the consent back at Spotify as well, the user removes the \
         app at <a href=\"",
        USER_APPS_URL,
        "\" rel=\"noreferrer\">",
        USER_APPS_URL,
        "</a>.</dd><dt>Next login</dt><dd>It asks for consent anew.</dd></dl>\n<p><a class=\"button quiet\" \
         href=\"/dashboard\">Back to the grants</a></p></section>\n"
    )
}
