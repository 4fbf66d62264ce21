//! Who is signed in to the dashboard.

use refrain::session::{SessionId, SessionRecord};

use super::{shell::Shell, time};
use crate::html::{Html, html};

/// The list; a browser's own session is ended by the button that every page has.
pub(in crate::dashboard) fn content(
    sessions: &[SessionRecord],
    own: &SessionId,
    shell: &Shell<'_>,
) -> Html {
    let rows: Html = sessions.iter().map(|it| row(it, own, shell)).collect();
    html!(
        "<h1>Signed in</h1>\n<p class=\"soft\">Whoever is signed in to this dashboard. A session is over after an \
         hour unused, and after twelve hours in any case. In a terminal, <code>refrain dashboard \
         --sign-out-all</code> ends them all.</p>\n<table class=\"keys\"><caption class=\"unseen\">Sessions\
         </caption>\n<thead><tr><th scope=\"col\">Session</th><th scope=\"col\">Since</th><th \
         scope=\"col\">Used</th><th scope=\"col\"><span class=\"unseen\">Action</span></th></tr></thead>\n\
         <tbody>\n",
        rows,
        "</tbody></table>\n"
    )
}

fn row(session: &SessionRecord, own: &SessionId, shell: &Shell<'_>) -> Html {
    let id = session.id.as_str();
    let act = if session.id == *own {
        html!("this browser")
    } else {
        let action = format!("/dashboard/sessions/{id}/end");
        shell.button(&action, "quiet danger", "End")
    };
    html!(
        "<tr><th scope=\"row\"><code>",
        id,
        "</code></th><td data-is=\"Since\">",
        time::distance(session.made_at, shell.now),
        "</td><td data-is=\"Used\">",
        time::distance(session.seen_at, shell.now),
        "</td><td>",
        act,
        "</td></tr>\n"
    )
}
