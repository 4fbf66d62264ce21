//! The few pages that a person sees. Everything that came from outside is escaped.

use std::fmt::Write as _;

use super::authorize::AuthorizationRequest;
use crate::model::User;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f23;--dim:#57606a;--paper:#f4f5f6;--card:#fff;--line:#d5d9dd;--go:#1a6b3c}\
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--dim:#a2a9b1;--paper:#121416;--card:#1c2023;--line:#343a40;--go:#1f7a46}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;\
background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:27rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}\
h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.3}p,ul,pre{margin:0 0 1rem}ul{padding-left:1.2rem}\
.sim{margin:0 0 1.25rem;padding-bottom:.75rem;border-bottom:1px solid var(--line);color:var(--dim);font-size:.875rem}\
.dim{color:var(--dim);font-size:.875rem;overflow-wrap:anywhere}label{display:block;margin-bottom:1rem}\
select{width:100%;margin-top:.25rem;padding:.5rem;font:inherit}\
.row{display:flex;gap:.75rem}button{flex:1;padding:.65rem 1rem;font:inherit;font-weight:600;\
border:1px solid var(--line);border-radius:.5rem;background:transparent;color:inherit;cursor:pointer}\
button.go{background:var(--go);border-color:var(--go);color:#fff}\
button:focus-visible,select:focus-visible{outline:3px solid #4c8dff;outline-offset:2px}";

/// The consent page.
pub(crate) fn consent(
    app: &str,
    request: &AuthorizationRequest,
    users: &[User],
    signed_in: &str,
    query: &str,
) -> String {
    let mut scopes = String::new();
    for scope in &request.scope {
        push(
            &mut scopes,
            format_args!("<li><code>{}</code></li>", escape(scope)),
        );
    }
    if scopes.is_empty() {
        scopes.push_str("<li>nothing private: no scope was asked for</li>");
    }
    let mut options = String::new();
    for user in users {
        let selected = if user.id == signed_in {
            " selected"
        } else {
            ""
        };
        push(
            &mut options,
            format_args!(
                "<option value=\"{id}\"{selected}>{name} ({id})</option>",
                id = escape(&user.id),
                name = escape(&user.display_name),
            ),
        );
    }
    let app = escape(app);
    page(
        &format!("Connect {app}"),
        &format!(
            "<h1>{app} asks for access to a pretended account</h1><p>It will be able to use:</p>\
             <ul>{scopes}</ul>\
             <form method=\"post\" action=\"/authorize/decide\">\
             <input type=\"hidden\" name=\"request\" value=\"{query}\">\
             <label>Signed in as<select name=\"user\">{options}</select></label>\
             <div class=\"row\"><button name=\"decision\" value=\"cancel\">Cancel</button>\
             <button class=\"go\" name=\"decision\" value=\"allow\">Allow</button></div></form>\
             <p class=\"dim\" style=\"margin:1rem 0 0\">Goes back to {back}</p>",
            query = escape(query),
            back = escape(&request.redirect_uri),
        ),
    )
}

/// An error page: the browser stays here and the app never hears of it.
pub(crate) fn error(text: &str) -> String {
    let text = escape(text);
    page(
        &text,
        &format!("<h1>{text}</h1><p class=\"dim\">The app is not told about this.</p>"),
    )
}

/// The page at `/`.
pub(crate) fn front(accounts_url: &str) -> String {
    page(
        "Spotify simulator",
        &format!(
            "<h1>Nothing to see here, but it runs</h1>\
             <p>Point an app's accounts URL at <code>{}</code>. \
             What can be switched is listed at <a href=\"/_sim/\">/_sim/</a>.</p>",
            escape(accounts_url)
        ),
    )
}

/// Makes text safe in HTML, between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · Spotify simulator</title><style>{STYLE}</style></head><body><main>\
         <p class=\"sim\"><strong>Spotify simulator.</strong> Not Spotify: no real account, \
         no real music, nothing leaves this machine.</p>{body}</main></body></html>\n"
    )
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_place() {
        assert_eq!(escape("<b a=\"'&\">"), "&lt;b a=&quot;&#39;&amp;&quot;&gt;");
        assert!(!error("<script>alert(1)</script>").contains("<script>"));
    }
}
