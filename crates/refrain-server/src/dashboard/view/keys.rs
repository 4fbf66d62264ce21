//! refrain's own keys: which there are, and a form for another one.

use refrain::{
    access::{ApiKey, Grants, KeyRecord, Permission, Standing},
    id::GrantName,
    time::UnixMillis,
};

use super::{level::Level, shell::Shell, time};
use crate::html::{Html, html};

/// What each permission is good for.
const PERMISSIONS: [(Permission, &str); 4] = [
    (Permission::ProxyRead, "read from Spotify by way of refrain"),
    (Permission::Proxy, "read and write by way of refrain"),
    (
        Permission::Token,
        "take access tokens out of refrain, which work until they expire",
    ),
    (
        Permission::Manage,
        "see, connect and sign out grants, and make keys",
    ),
];

/// How long a new key may live, in days; 0 is without end.
pub(in crate::dashboard) const LIVES: [(u64, &str); 4] = [
    (0, "until it is revoked"),
    (30, "30 days"),
    (90, "90 days"),
    (365, "a year"),
];

/// The list and the form.
pub(in crate::dashboard) fn content(
    keys: &[KeyRecord],
    grants: &[GrantName],
    shell: &Shell<'_>,
) -> Html {
    let now = shell.now;
    let valid = |key: &&KeyRecord| key.standing(now) == Standing::Valid;
    let (live, over): (Vec<_>, Vec<_>) = keys.iter().rev().partition(valid);
    let list = if live.is_empty() {
        html!(
            "<p class=\"soft\">No program has a key yet. With one, a program calls Spotify through this \
             server and never sees a token.</p>\n"
        )
    } else {
        table("Valid keys", &live, now)
    };
    let over = (!over.is_empty()).then(|| {
        html!(
            "<details id=\"over\"><summary>Expired and revoked <span class=\"count\">",
            over.len(),
            "</span></summary>\n",
            table("Expired and revoked keys", &over, now),
            "</details>\n"
        )
    });
    html!("<h1>Keys</h1>\n", list, over, form(grants, shell))
}

fn table(caption: &str, keys: &[&KeyRecord], now: UnixMillis) -> Html {
    let rows: Html = keys.iter().map(|key| row(key, now)).collect();
    html!(
        "<table class=\"keys\"><caption class=\"unseen\">",
        caption,
        "</caption>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">May</th><th \
         scope=\"col\">Grants</th><th scope=\"col\">Used</th><th scope=\"col\">Ends</th><th scope=\"col\">\
         <span class=\"unseen\">Action</span></th></tr></thead>\n<tbody>\n",
        rows,
        "</tbody></table>\n"
    )
}

fn row(key: &KeyRecord, now: UnixMillis) -> Html {
    let may: Html = key
        .permissions
        .iter()
        .map(|it| html!("<code>", it.as_str(), "</code> "))
        .collect();
    let used = key.last_used_at;
    let used = used.map_or_else(|| html!("never"), |at| time::distance(at, now));
    let end = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => html!(Level::Off.icon(), "revoked ", time::day(at)),
        (None, Some(at)) if at <= now => html!(Level::Off.icon(), "expired ", time::day(at)),
        (None, Some(at)) => time::distance(at, now),
        (None, None) => html!("no end"),
    };
    let revoke = (key.standing(now) == Standing::Valid).then(|| {
        html!(
            "<a class=\"button quiet danger\" href=\"/dashboard/keys/",
            key.id.as_str(),
            "/revoke\">Revoke…<span class=\"unseen\"> ",
            &key.name,
            "</span></a>"
        )
    });
    html!(
        "<tr><th scope=\"row\">",
        &key.name,
        " <br><span class=\"soft\">made ",
        time::day(key.created_at),
        "</span></th><td data-is=\"May\">",
        may,
        key.rewrite_links
            .then(|| html!("<span class=\"soft\">links lead here</span>")),
        "</td><td data-is=\"Grants\">",
        reached(&key.grants),
        "</td><td data-is=\"Used\">",
        used,
        "</td><td data-is=\"Ends\">",
        end,
        "</td><td>",
        revoke,
        "</td></tr>\n"
    )
}

fn reached(grants: &Grants) -> Html {
    match grants {
        Grants::All => html!("all, also those to come"),
        Grants::Only(names) if names.is_empty() => html!("none"),
        Grants::Only(names) => {
            let names: Vec<&str> = names.iter().map(GrantName::as_str).collect();
            html!(names.join(", "))
        }
    }
}

fn form(grants: &[GrantName], shell: &Shell<'_>) -> Html {
    let permission = |(permission, words): (Permission, &str)| {
        let usual = permission == Permission::ProxyRead;
        check(
            "permission",
            permission.as_str(),
            usual,
            &html!(
                "<code>",
                permission.as_str(),
                "</code> <span class=\"soft\">",
                words,
                "</span>"
            ),
        )
    };
    let life =
        |(days, words): (u64, &str)| html!("<option value=\"", days, "\">", words, "</option>");
    html!(
        "<section aria-labelledby=\"new\"><h2 id=\"new\">A new key</h2>\n<form class=\"card\" \
         method=\"post\" action=\"/dashboard/keys\">",
        shell.field(),
        "<div class=\"field\"><label for=\"name\">Name</label><p id=\"name-hint\" class=\"soft\">What has it: \
         a program, a machine. Letters, digits, “.”, “_” and “-”.</p><input id=\"name\" name=\"name\" \
         required maxlength=\"64\" pattern=\"[A-Za-z0-9][A-Za-z0-9._\\-]*\" autocomplete=\"off\" \
         autocapitalize=\"none\" spellcheck=\"false\" aria-describedby=\"name-hint\"></div>\n\
         <fieldset><legend>It may</legend>\n",
        PERMISSIONS.into_iter().map(permission).collect::<Html>(),
        "</fieldset>\n",
        grants_field(grants),
        "<div class=\"field\"><label for=\"life\">Lifetime</label><select id=\"life\" name=\"days\">",
        LIVES.into_iter().map(life).collect::<Html>(),
        "</select></div>\n",
        check(
            "rewrite_links",
            "yes",
            false,
            &html!(
                "Links in Spotify's answers lead back here <span class=\"soft\">for programs that follow \
             <code>next</code> and <code>href</code></span>"
            )
        ),
        "<div class=\"buttons\"><button>Make the key</button></div>\n</form></section>\n"
    )
}

fn grants_field(grants: &[GrantName]) -> Html {
    let names: Html = grants
        .iter()
        .map(|name| check("grant", name.as_str(), false, &html!(name)))
        .collect();
    html!(
        "<fieldset><legend>For these grants</legend>\n",
        names,
        check(
            "all_grants",
            "yes",
            grants.is_empty(),
            &html!("All grants <span class=\"soft\">also those that come later</span>")
        ),
        "</fieldset>\n"
    )
}

fn check(name: &'static str, value: &str, checked: bool, words: &Html) -> Html {
    let id = format!("{name}-{value}");
    let checked = if checked {
        html!(" checked")
    } else {
        Html::default()
    };
    html!(
        "<div class=\"choice\"><input type=\"checkbox\" id=\"",
        &id,
        "\" name=\"",
        name,
        "\" value=\"",
        value,
        "\"",
        checked,
        "><label for=\"",
        &id,
        "\">",
        words,
        "</label></div>\n"
    )
}

/// A key that was made: the only page that shows one.
pub(in crate::dashboard) fn made(key: &ApiKey, record: &KeyRecord) -> Html {
    html!(
        "<h1>The key ",
        &record.name,
        " is made</h1>\n<section class=\"card\"><p><strong>Copy it now.</strong> It is shown this once; refrain \
         keeps a fingerprint of it and cannot show it again.</p>\n<div class=\"field\"><label for=\"key\">Key\
         </label><div class=\"copy\"><input id=\"key\" readonly autocomplete=\"off\" spellcheck=\"false\" \
         value=\"",
        key.expose(),
        "\"><button type=\"button\" class=\"quiet\" data-copies=\"key\" hidden>Copy</button></div></div>\n\
         <p>A program sends it as <code>Authorization: Bearer …</code> in the place of an access token.</p>\n\
         <p><a class=\"button quiet\" href=\"/dashboard/keys\">I have it: back to the keys</a></p></section>\n"
    )
}

/// The question before a key is revoked.
pub(in crate::dashboard) fn ask_revoke(key: &KeyRecord, shell: &Shell<'_>) -> Html {
    let action = format!("/dashboard/keys/{}/revoke", key.id.as_str());
    let used = key.last_used_at.map_or_else(
        || html!("It was never used."),
        |at| html!("It was last used ", time::distance(at, shell.now), "."),
    );
    html!(
        "<h1>Revoke the key ",
        &key.name,
        "?</h1>\n<section class=\"card\"><p>Whatever program has it is refused within five seconds, for good. ",
        used,
        "</p><p>Access tokens that it took out work until they expire, an hour at most.</p>\n<div \
         class=\"buttons\">",
        shell.button(&action, "danger", "Revoke it"),
        "<a class=\"button quiet\" href=\"/dashboard/keys\">Keep it</a></div></section>\n"
    )
}
