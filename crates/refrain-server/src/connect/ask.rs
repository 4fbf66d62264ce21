//! The page that says who asks, and for what.

use std::fmt::Write as _;

use http::{Response, StatusCode};
use refrain::{
    config::ReturnTo,
    connect::LinkTerms,
    id::AppName,
    oauth::scope::Scope,
    provider::spotify::{PAGE_ERRORS, scope_words},
};

use crate::{
    body::Answer,
    fault::Fault,
    html::escape,
    page::{FOOTER, Mark, html},
    visit::Visit,
};

/// `GET /connect/{link}`: changes nothing, so that whoever looks into messages may open it.
pub(super) async fn show(visit: &Visit<'_>) -> Result<Response<Answer>, Fault> {
    let (_, record, _) = visit.link().await?;
    let terms = record.terms;
    let accounts = &visit.shared().refrain().parts().provider.accounts;
    // Browsers hold the form to these places over all redirects: of a user who has agreed before, Spotify
    // asks nothing, and sends the browser on to the app at once.
    let accounts = accounts.to_string();
    let app = terms.return_to.as_ref().map(ReturnTo::origin);
    let mut places = vec!["'self'", accounts.as_str()];
    places.extend(app.as_deref());
    let shown = (StatusCode::OK, Mark::Question);
    let title = "Connect your Spotify account";
    let page = html(shown, title, &content(&terms), FOOTER, &places);
    Ok(page.map(Answer::own))
}

fn content(terms: &LinkTerms) -> String {
    let (app, grant) = (escape(terms.app.as_str()), escape(terms.grant.as_str()));
    let again = if terms.reconnect {
        " It has to be the account that was connected before."
    } else {
        ""
    };
    let mut content = format!(
        "<p>The app <strong>{app}</strong> asks for access, to keep it under the name \
         <strong>{grant}</strong>.{again} It may:</p>\n<ul>\n"
    );
    content.push_str(&scopes(&terms.scope));
    let back = terms.return_to.as_ref().map_or_else(
        || "Afterwards you may close the page.".to_owned(),
        |it| {
            format!(
                "Afterwards you go back to <strong>{}</strong>.",
                escape(&it.origin())
            )
        },
    );
    let _ = write!(
        content,
        "</ul>\n<p class=\"next\">Spotify asks you to sign in and to agree; your password stays there. \
         {back}</p>\n{GO_ON}"
    );
    content.push_str(&errors());
    content
}

/// What a user is asked who signs in to an app.
pub(crate) fn sign_in(app: &AppName, scope: &Scope) -> String {
    let app = escape(app.as_str());
    let (scopes, errors) = (scopes(scope), errors());
    format!(
        "<p>You sign in to the app <strong>{app}</strong> with your Spotify account. It may then:</p>\n\
         <ul>\n{scopes}</ul>\n<p class=\"next\">Spotify asks you to sign in and to agree; your password stays \
         there. Your browser keeps a cookie, and no token.</p>\n{GO_ON}{errors}"
    )
}

const GO_ON: &str = "<form method=\"post\"><button>Go on to Spotify</button></form>\n";

/// What an app may do, as the items of a list.
fn scopes(scope: &Scope) -> String {
    if scope.is_empty() {
        return "<li>see what everybody can see of your account</li>\n".to_owned();
    }
    scope.iter().fold(String::new(), |list, scope| {
        let words = scope_words(scope).map_or_else(
            || format!("use what Spotify calls <strong>{}</strong>", escape(scope)),
            escape,
        );
        format!("{list}<li>{words}</li>\n")
    })
}

/// What Spotify may show that leads nobody back.
fn errors() -> String {
    let list = PAGE_ERRORS
        .iter()
        .fold(String::new(), |list, (text, meaning)| {
            format!("{list}<li>{}: {}</li>\n", escape(text), escape(meaning))
        });
    format!(
        "<details><summary>If Spotify shows an error instead</summary>\n<ul>\n{list}</ul>\n\
         <p>Tell whoever runs the app that sent you here.</p>\n</details>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_said_in_words_and_never_as_markup() {
        let terms = |scope: &str| LinkTerms {
            grant: "alice".parse().unwrap(),
            app: "default".parse().unwrap(),
            scope: scope.parse().unwrap(),
            return_to: Some("https://app.example/a'b".parse().unwrap()),
            epoch: None,
            reconnect: true,
        };
        let page = content(&terms("user-read-email <script>alert(1)</script> 'onx='"));
        assert!(page.contains("<li>see your e-mail address</li>"), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{page}"
        );
        assert!(
            page.contains("&#39;onx=&#39;") && !page.contains("<script"),
            "{page}"
        );
        assert!(page.contains("back to <strong>https://app.example</strong>"));
        assert!(page.contains("connected before"));
        assert!(content(&terms("")).contains("everybody can see"));
    }
}
