//! Pages for people: one thing happened, and one thing is to be done. No script, nothing that is loaded.
//!
//! The command uses them too, for the page on which `refrain login` ends.

pub mod login;

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::html::escape;

/// Whose a page of the server is.
pub(crate) const FOOTER: &str = "refrain";

const STYLE: &str = include_str!("page/page.css");

/// The one style is known by its hash.
static STYLE_HASH: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("'sha256-{hash}'")
});

/// What a browser may do with a page. Whatever is not named may not be loaded or run, and none can be framed.
#[derive(Debug)]
pub(crate) struct Policy<'a> {
    style: &'a str,
    /// Where scripts come from, and what they may reach.
    script: Option<&'a str>,
    /// Whom the page's address is told.
    referrer: &'static str,
    /// Where its forms may lead, wherever they are sent on from there.
    form_action: Vec<&'a str>,
}

impl<'a> Policy<'a> {
    /// Of a page whose address can hold a code or a link: it goes into no Referer.
    fn closed(form_action: &[&'a str]) -> Self {
        Self {
            style: &STYLE_HASH,
            script: None,
            referrer: "no-referrer",
            form_action: form_action.to_vec(),
        }
    }

    /// Of the dashboard, whose addresses are nobody's secret: of its own forms the browser tells the origin.
    pub(crate) fn dashboard(form_action: &[&'a str]) -> Self {
        Self {
            style: "'self'",
            script: Some("'self'"),
            referrer: "same-origin",
            form_action: form_action.to_vec(),
        }
    }

    fn text(&self) -> String {
        let script = self.script.map_or_else(String::new, |from| {
            format!(" script-src {from}; connect-src {from};")
        });
        let forms = if self.form_action.is_empty() {
            "'none'".to_owned()
        } else {
            self.form_action.join(" ")
        };
        format!(
            "default-src 'none'; style-src {};{script} base-uri 'none'; frame-ancestors 'none'; form-action \
             {forms}",
            self.style
        )
    }
}

/// What a person reads at the end of something. The texts are escaped; none may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What happened, in a few words.
    pub title: String,
    /// What it means.
    pub text: String,
    /// What to do now.
    pub next: String,
}

/// A link below what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// Where it leads: a path of this server, or a page of the provider's.
    pub(crate) place: Box<str>,
    /// What it says.
    pub(crate) words: &'static str,
}

/// The drawing above a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Done,
    Problem,
    Question,
}

impl Mark {
    /// Its class and its path.
    fn drawing(self) -> (&'static str, &'static str) {
        match self {
            Self::Done => ("done", "M4.5 12.5l5 5 10-11"),
            Self::Problem => ("problem", "M12 5v8.5M12 18.5v.1"),
            Self::Question => ("question", "M5 12h13M12.5 6l6 6-6 6"),
        }
    }
}

impl Page {
    /// What stood in the way, and what to do.
    pub fn problem(title: &str, what: &str, fix: &str) -> Self {
        Self {
            title: title.to_owned(),
            text: format!("{}.", capital(what)),
            next: format!("What to do: {fix}."),
        }
    }

    /// The page as an answer. `footer` says whose it is.
    pub fn answer(&self, status: StatusCode, footer: &str) -> Response<Bytes> {
        self.told(status, footer, &[])
    }

    /// The same with links, of which the first is what most people want.
    pub(crate) fn answer_with(&self, status: StatusCode, ways: &[Way]) -> Response<Bytes> {
        self.told(status, FOOTER, ways)
    }

    fn told(&self, status: StatusCode, footer: &str, ways: &[Way]) -> Response<Bytes> {
        let mark = if status.is_success() {
            Mark::Done
        } else {
            Mark::Problem
        };
        let [text, next] = [&self.text, &self.next].map(|text| escape(text));
        let ways = ways.iter().fold(String::new(), |html, way| {
            let (place, words) = (escape(&way.place), way.words);
            format!("{html}<p class=\"way\"><a href=\"{place}\">{words}</a></p>\n")
        });
        let content = format!("<p>{text}</p>\n<p class=\"next\">{next}</p>\n{ways}");
        html((status, mark), &self.title, &content, footer, &[])
    }
}

/// A sentence begins with a capital, whatever it was part of.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A page of which the content is markup already; its forms lead to these places and no others, wherever
/// they are sent on from there.
pub(crate) fn html(
    (status, mark): (StatusCode, Mark),
    title: &str,
    content: &str,
    footer: &str,
    form_action: &[&str],
) -> Response<Bytes> {
    let policy = Policy::closed(form_action);
    let (class, path) = mark.drawing();
    let [title, footer] = [title, footer].map(escape);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\" class=\"{class}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title} · refrain</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>\n\
         <h1>{title}</h1>\n{content}<footer>{footer}</footer>\n</main>\n</body>\n</html>\n"
    );
    document(status, page, &policy)
}

/// A page that is markup already, with its head and all.
pub(crate) fn document(status: StatusCode, page: String, policy: &Policy<'_>) -> Response<Bytes> {
    respond(status, "text/html; charset=utf-8", page, policy)
}

/// A plain answer, to whoever is not a browser at the end of something.
pub fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    respond(
        status,
        "text/plain; charset=utf-8",
        format!("{text}\n"),
        &Policy::closed(&[]),
    )
}

/// Sends a browser on, by GET whatever brought it here.
pub(crate) fn see_other(location: &str) -> Option<Response<Bytes>> {
    let location = HeaderValue::from_str(location).ok()?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    harden(headers, &Policy::closed(&[]));
    headers.insert(header::LOCATION, location);
    Some(response)
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: String,
    policy: &Policy<'_>,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    harden(headers, policy);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn harden(headers: &mut HeaderMap, policy: &Policy<'_>) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, policy.referrer),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    // Base64, origins and the words around them are always a legal header value.
    if let Ok(policy) = HeaderValue::from_str(&policy.text()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_forbids_whatever_a_page_could_do() {
        let page = Page::problem("<i>", "<i>", "<i>").answer(StatusCode::BAD_REQUEST, "<i>");
        assert!(!String::from_utf8_lossy(page.body()).contains("<i>"));
        let sent_on = see_other("https://app.example/").unwrap();
        for answer in [page, plain(StatusCode::NOT_FOUND, "x"), sent_on] {
            let header = |name: &str| answer.headers()[name].to_str().unwrap();
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(policy.ends_with("form-action 'none'"), "{policy}");
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("referrer-policy"), "no-referrer");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("x-frame-options"), "DENY");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin");
            assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        }
    }

    #[test]
    fn nobody_is_sent_to_what_is_no_header() {
        assert!(see_other("https://app.example/\r\nset-cookie: a=b").is_none());
    }
}
