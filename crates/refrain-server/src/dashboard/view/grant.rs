//! One grant: how it stands, what happens next, what may be done about it, and its story.

use refrain::{
    Next, Why,
    id::AppName,
    oauth::scope::Scope,
    provider::spotify::scope_words,
    words::{limit, standing},
};

use super::{
    consent, history,
    level::{Glance, Level},
    shell::Shell,
    time,
};
use crate::html::{Html, html};

/// The page of a grant.
pub(in crate::dashboard) fn content(why: &Why, shell: &Shell<'_>) -> Html {
    let (row, now) = (&why.row, why.now.wall);
    let glance = Glance::of(&why.summary(), now);
    html!(
        "<nav aria-label=\"Way back\" class=\"back\"><a href=\"/dashboard\">All grants</a></nav>\n<div \
         class=\"title\"><h1>",
        &row.name,
        "</h1>",
        glance.chip(),
        "</div>\n",
        state(&glance, why),
        actions(&glance, why, shell),
        facts(why),
        story(why)
    )
}

/// Where it stands, and what happens next.
fn state(glance: &Glance, why: &Why) -> Html {
    let (row, now) = (&why.row, why.now.wall);
    let Next { what, at } = why.next();
    let next = match at {
        None => time::sentence(&what),
        Some(at) => html!(
            time::sentence_until(&what),
            " ",
            time::stamp(at),
            " (",
            time::distance(at, now),
            ")."
        ),
    };
    let limited = why.limit.as_ref().map(|gate| {
        let text = limit::sentence(gate, &why.now);
        html!("<dt>Limit</dt><dd>", time::sentence(&text), "</dd>")
    });
    html!(
        "<section class=\"card\" aria-labelledby=\"state\"><h2 id=\"state\" class=\"unseen\">State</h2>\n<dl \
         class=\"state\"><dt>Now</dt><dd>",
        time::sentence(&standing::sentence(&row.status, row.trouble.as_ref())),
        "</dd><dt>Next</dt><dd>",
        next,
        "</dd>",
        limited,
        "</dl>\n",
        row.consent
            .as_ref()
            .filter(|_| glance.has_consent())
            .map(|it| consent::bar(it, now)),
        "</section>\n"
    )
}

fn facts(why: &Why) -> Html {
    let (row, now) = (&why.row, why.now.wall);
    let account = row.account.as_ref().map(|it| {
        let name = it.display_name.as_ref().unwrap_or(&it.id);
        html!(
            "<div><dt>User</dt><dd><bdi>",
            name,
            "</bdi> <span class=\"soft\">account <bdi>",
            &it.id,
            "</bdi></span></dd></div>"
        )
    });
    let token = why.token_end().map(|at| {
        let word = if at > now { "expires " } else { "expired " };
        html!(
            "<div><dt>Access token</dt><dd>",
            word,
            time::distance(at, now),
            "</dd></div>"
        )
    });
    let consented = row.consent.map(|it| {
        let (day, about) = if let Some(latest) = it.latest {
            let days = html!(
                "between ",
                time::day(it.authorized_at),
                " and ",
                time::day(latest)
            );
            (days, html!("imported: nobody knows the day"))
        } else {
            (
                time::day(it.authorized_at),
                time::distance(it.authorized_at, now),
            )
        };
        html!(
            "<div><dt>Consented</dt><dd>",
            day,
            " <span class=\"soft\">",
            about,
            "</span></dd></div>"
        )
    });
    html!(
        "<dl class=\"facts\">",
        account,
        "<div><dt>App</dt><dd>",
        &row.app,
        " <span class=\"soft\">client id ",
        row.client_id.to_string(),
        "</span></dd></div>",
        consented,
        token,
        "</dl>\n",
        scopes("scopes", row.scope.iter())
    )
}

/// What an app asks for.
pub(super) fn asked_for(app: &AppName, scope: &Scope) -> Html {
    scopes(&format!("scopes-{app}"), scope.iter())
}

/// What may be done in the user's name.
fn scopes<'s>(id: &str, scopes: impl Iterator<Item = &'s str>) -> Html {
    let mut count = 0_usize;
    let mut lines = Html::default();
    for scope in scopes {
        count = count.saturating_add(1);
        let words = scope_words(scope).unwrap_or("a permission that Spotify does not document");
        lines.add(&html!("<li>", words, " <code>", scope, "</code></li>\n"));
    }
    if count == 0 {
        return html!(
            "<p class=\"soft\">No permission beyond what everybody can see of the account.</p>\n"
        );
    }
    html!(
        "<details id=\"",
        id,
        "\"><summary>What it may do <span class=\"count\">",
        count,
        "</span></summary>\n<ul>\n",
        lines,
        "</ul></details>\n"
    )
}

/// What can be done; what is most needed comes first and stands out.
fn actions(glance: &Glance, why: &Why, shell: &Shell<'_>) -> Html {
    let name = &why.row.name;
    let place = |action: &str| format!("/dashboard/grants/{name}/{action}");
    let off = glance.level == Level::Off;
    let urgent = glance.level.needs_somebody() && !why.row.status.is_unproven();
    let (connect, here) = match (off, urgent) {
        (true, _) => ("", "Connect in this browser"),
        (_, true) => ("", "Reconnect in this browser"),
        _ => ("quiet", "Reconnect in this browser"),
    };
    let class = if why.row.status.is_unproven() {
        ""
    } else {
        "quiet"
    };
    let refresh = (!off).then(|| shell.button(&place("refresh"), class, "Refresh now"));
    let leave = (!off).then(|| {
        html!(
            "<a class=\"button quiet danger\" href=\"",
            place("sign-out"),
            "\">Sign ",
            name,
            " out…</a>"
        )
    });
    html!(
        "<section class=\"actions\" aria-labelledby=\"actions\"><h2 id=\"actions\" \
         class=\"unseen\">Actions</h2>\n",
        way(name.as_str(), "here", connect, here, shell),
        way(
            name.as_str(),
            "link",
            "quiet",
            "Make a link for the user",
            shell
        ),
        refresh,
        leave,
        "</section>\n"
    )
}

/// A way to connect that needs no more to be said.
fn way(name: &str, way: &str, class: &'static str, words: &str, shell: &Shell<'_>) -> Html {
    html!(
        "<form method=\"post\" action=\"/dashboard/connect\">",
        shell.field(),
        "<input type=\"hidden\" name=\"grant\" value=\"",
        name,
        "\"><input type=\"hidden\" name=\"known\" value=\"yes\"><button class=\"",
        class,
        "\" name=\"way\" value=\"",
        way,
        "\">",
        words,
        "</button></form>\n"
    )
}

fn story(why: &Why) -> Html {
    let now = why.now.wall;
    if why.events.is_empty() {
        return Html::default();
    }
    html!(
        "<section aria-labelledby=\"story\"><h2 id=\"story\">What has happened</h2>\n",
        history::picture(&why.events, now),
        history::table(&why.events, now),
        "</section>\n"
    )
}
