//! The page on which an account is connected, and the one that shows a link, once.

use refrain::{config::App, connect::LinkRecord, lifecycle::GrantRow, time::UnixMillis};

use super::{grant, shell::Shell, time};
use crate::html::{Html, html};

/// What the form begins with.
#[derive(Debug)]
pub(in crate::dashboard) struct Asked<'a> {
    /// The grant that is to be renewed, where it is there.
    pub(in crate::dashboard) known: Option<&'a GrantRow>,
}

/// The form.
pub(in crate::dashboard) fn content(asked: &Asked<'_>, apps: &[&App], shell: &Shell<'_>) -> Html {
    if apps.is_empty() {
        return html!(
            "<h1>Connect an account</h1>\n<section class=\"card\"><p>The configuration has no app yet, in \
             whose name a user could be asked. <code>refrain init</code> makes one, and says what to \
             register at Spotify.</p></section>\n"
        );
    }
    let title = asked.known.map_or_else(
        || html!("Connect an account"),
        |row| html!("Reconnect ", &row.name),
    );
    let verb = if asked.known.is_some() {
        "Reconnect"
    } else {
        "Connect"
    };
    let name = asked.known.map_or_else(new_name, known_name);
    html!(
        "<h1>",
        title,
        "</h1>\n<form class=\"card\" method=\"post\" action=\"/dashboard/connect\">",
        shell.field(),
        name,
        apps_field(asked, apps),
        "<div class=\"buttons\"><button name=\"way\" value=\"here\">",
        verb,
        " in this browser</button><button \
         class=\"quiet\" name=\"way\" value=\"link\">Make a link to send</button></div>\n<p class=\"soft\">In \
         this browser you go to Spotify at once and come back here. A link works once, in whatever browser \
         opens it, within an hour.</p>\n</form>\n"
    )
}

/// The grant is known by its name.
fn known_name(row: &GrantRow) -> Html {
    html!(
        "<input type=\"hidden\" name=\"grant\" value=\"",
        &row.name,
        "\"><input type=\"hidden\" name=\"known\" value=\"yes\"><p>The same Spotify account is asked \
         again; another one is turned away. What works goes on working until the new consent is there.\
         </p>\n"
    )
}

/// The grant needs a name.
fn new_name() -> Html {
    html!(
        "<div class=\"field\"><label for=\"grant\">Name</label><p id=\"grant-hint\" class=\"soft\">What \
         your programs call this user: letters, digits, “.”, “_” and “-”.</p><input id=\"grant\" \
         name=\"grant\" required maxlength=\"64\" pattern=\"[A-Za-z0-9][A-Za-z0-9._\\-]*\" \
         autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" \
         aria-describedby=\"grant-hint\"></div>\n"
    )
}

/// Which app asks, and for what.
fn apps_field(asked: &Asked<'_>, apps: &[&App]) -> Html {
    let permissions = |app: &App| {
        let scope = asked
            .known
            .map_or_else(|| app.scopes.clone(), |row| app.scopes.union(&row.scope));
        let list = grant::asked_for(&app.name, &scope);
        html!("<div class=\"asks\">", list, "</div>\n")
    };
    if let [app] = apps {
        return html!(
            "<p>The app <strong>",
            &app.name,
            "</strong> asks, and may do what the user agrees to.</p>\n",
            permissions(app)
        );
    }
    let own = asked.known.map(|row| &row.app);
    let chosen = own.or_else(|| apps.first().map(|it| &it.name));
    let choice = |app: &&App| {
        let id = format!("app-{}", app.name);
        let checked = if Some(&app.name) == chosen {
            html!(" checked")
        } else {
            Html::default()
        };
        html!(
            "<div class=\"choice\"><input type=\"radio\" name=\"app\" id=\"",
            &id,
            "\" value=\"",
            &app.name,
            "\"",
            checked,
            "><label for=\"",
            &id,
            "\">",
            &app.name,
            "</label>",
            permissions(app),
            "</div>\n"
        )
    };
    let choices: Html = apps.iter().map(choice).collect();
    html!("<fieldset><legend>App</legend>\n", choices, "</fieldset>\n")
}

/// A link that was made.
pub(in crate::dashboard) fn made(url: &str, record: &LinkRecord, now: UnixMillis) -> Html {
    let name = &record.terms.grant;
    html!(
        "<h1>A link to connect ",
        name,
        "</h1>\n<section class=\"card\"><p>Send it to the user. It is shown here and nowhere else, and works \
         once.</p>\n<div class=\"field\"><label for=\"link\">Link</label><div class=\"copy\"><input \
         id=\"link\" readonly value=\"",
        url,
        "\"><button type=\"button\" class=\"quiet\" data-copies=\"link\" hidden>Copy</button></div></div>\n\
         <p>It can be used until ",
        time::stamp(record.expires_at),
        " (",
        time::distance(record.expires_at, now),
        "). Whoever opens it sees which app asks and for what, and consents at Spotify.</p>\n<p><a \
         class=\"button quiet\" href=\"/dashboard\">Back to the grants</a></p></section>\n"
    )
}
