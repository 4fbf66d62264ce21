//! The page that says who asks, and for what.

use std::fmt::Write as _;

use http::{Response, StatusCode};
use refrain::{
    config::ReturnTo,
    connect::LinkTerms,
    provider::spotify::{PAGE_ERRORS, scope_words},
};

use crate::{
    body::Answer,
    fault::Fault,
    page::{FOOTER, Mark, escape, html},
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
    for scope in terms.scope.iter() {
        let words = scope_words(scope).map_or_else(
            || format!("use what Spotify calls <strong>{}</strong>", escape(scope)),
            escape,
        );
        // Writing to a text cannot fail.
        let _ = writeln!(content, "<li>{words}</li>");
    }
    if terms.scope.is_empty() {
        content.push_str("<li>see what everybody can see of your account</li>\n");
    }
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
         {back}</p>\n<form method=\"post\"><button>Go on to Spotify</button></form>\n\
         <details><summary>If Spotify shows an error instead</summary>\n<ul>\n"
    );
    for (text, meaning) in PAGE_ERRORS {
        let _ = writeln!(content, "<li>{}: {}</li>", escape(text), escape(meaning));
    }
    content.push_str("</ul>\n<p>Tell whoever runs the app that sent you here.</p>\n</details>\n");
    content
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
