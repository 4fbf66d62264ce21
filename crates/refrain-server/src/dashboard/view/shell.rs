//! What stands around every page of the dashboard.

use bytes::Bytes;
use http::{Response, StatusCode};
use refrain::time::UnixMillis;

use super::{files, time};
use crate::{
    html::{Html, html},
    page::{self, Policy},
};

/// Which part of the dashboard a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dashboard) enum Part {
    Grants,
    Connect,
    Keys,
}

const PARTS: [(Part, &str, &str); 3] = [
    (Part::Grants, "/dashboard", "Grants"),
    (Part::Connect, "/dashboard/connect", "Connect"),
    (Part::Keys, "/dashboard/keys", "Keys"),
];

/// What the frame has to know.
#[derive(Debug)]
pub(in crate::dashboard) struct Shell<'a> {
    /// What proves that a form is this session's.
    pub(in crate::dashboard) csrf: &'a str,
    /// Where consents are given: a form may be sent on there.
    pub(in crate::dashboard) accounts: String,
    pub(in crate::dashboard) now: UnixMillis,
}

/// A page without its frame.
#[derive(Debug)]
pub(in crate::dashboard) struct Sheet {
    pub(in crate::dashboard) part: Part,
    pub(in crate::dashboard) title: String,
    /// What came of what was done before.
    pub(in crate::dashboard) notice: Option<Html>,
    pub(in crate::dashboard) content: Html,
    /// Whether it is looked at again and again while somebody has it open; not where it shows something
    /// that is shown once.
    pub(in crate::dashboard) live: bool,
}

impl Shell<'_> {
    /// The field that every form of the dashboard has.
    pub(in crate::dashboard) fn field(&self) -> Html {
        html!(
            "<input type=\"hidden\" name=\"csrf\" value=\"",
            self.csrf,
            "\">"
        )
    }

    /// A form with one button and nothing to fill in.
    pub(super) fn button(&self, action: &str, class: &'static str, words: &str) -> Html {
        html!(
            "<form method=\"post\" action=\"",
            action,
            "\">",
            self.field(),
            "<button class=\"",
            class,
            "\">",
            words,
            "</button></form>"
        )
    }

    /// The page as an answer.
    pub(in crate::dashboard) fn answer(
        &self,
        status: StatusCode,
        sheet: &Sheet,
    ) -> Response<Bytes> {
        let policy = Policy::dashboard(&["'self'", &self.accounts]);
        page::document(status, self.frame(sheet).into_string(), &policy)
    }

    fn frame(&self, sheet: &Sheet) -> Html {
        let live = if sheet.live {
            html!(" data-live")
        } else {
            Html::default()
        };
        let body = html!(
            "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<div>\n\
             <a class=\"brand\" href=\"/dashboard\">refrain</a>\n<nav aria-label=\"Dashboard\"><ul>",
            links(sheet.part),
            "</ul></nav>\n",
            "<form method=\"post\" action=\"/dashboard/leave\">",
            self.field(),
            "<button class=\"quiet\">Sign out<span class=\"unseen\"> of the dashboard</span></button></form>",
            "</div>\n</header>\n<p id=\"news\" class=\"unseen\" role=\"status\"></p>\n<main id=\"main\" \
             tabindex=\"-1\"",
            live,
            ">\n",
            sheet.notice,
            sheet.content,
            "</main>\n<footer><p>All times are UTC. This page is as of ",
            time::stamp(self.now),
            ".<span id=\"live\" hidden> It renews itself every ten seconds.</span></p></footer>\n</body>\n"
        );
        document(&sheet.title, &body)
    }
}

/// A document with the dashboard's style and script.
fn document(title: &str, body: &Html) -> Html {
    html!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light \
         dark\">\n<title>",
        title,
        " · refrain</title>\n<link rel=\"stylesheet\" href=\"",
        files::STYLE.url(),
        "\">\n<script src=\"",
        files::SCRIPT.url(),
        "\" defer></script>\n</head>\n",
        body,
        "</html>\n"
    )
}

fn links(here: Part) -> Html {
    let link = |(part, place, words): (Part, &str, &str)| {
        let current = if part == here {
            html!(" aria-current=\"page\"")
        } else {
            Html::default()
        };
        html!(
            "<li><a href=\"",
            place,
            "\"",
            current,
            ">",
            words,
            "</a></li>"
        )
    };
    PARTS.into_iter().map(link).collect()
}

/// What came of something, above a page.
pub(in crate::dashboard) fn notice(done: bool, text: &Html) -> Html {
    let class = if done { "done" } else { "failed" };
    html!(
        "<p class=\"notice ",
        class,
        "\" role=\"status\">",
        text,
        "</p>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_it_is_and_keeps_to_itself() {
        let shell = Shell {
            csrf: "a\"b",
            accounts: "https://accounts.spotify.com".to_owned(),
            now: UnixMillis(1_795_000_000_000),
        };
        let sheet = Sheet {
            part: Part::Keys,
            title: "<Keys>".to_owned(),
            notice: None,
            content: html!("<h1>x</h1>"),
            live: false,
        };
        let answer = shell.answer(StatusCode::OK, &sheet);
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(text.contains("<a href=\"/dashboard/keys\" aria-current=\"page\">"));
        assert!(text.contains("<title>&lt;Keys&gt; · refrain</title>"));
        assert!(text.contains("value=\"a&quot;b\"") && !text.contains("data-live"));
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
        assert!(policy.ends_with("form-action 'self' https://accounts.spotify.com"));
    }
}
