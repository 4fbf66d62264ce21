//! The page that the browser ends on.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded, run, framed or submitted; the one style is known by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// What a person reads at the end of a login. The texts are escaped; none may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// What happened, in a few words.
    pub(crate) title: String,
    /// What it means.
    pub(crate) text: String,
    /// What to do now.
    pub(crate) next: String,
}

impl Page {
    /// The answer to a callback that was accepted, or was not.
    pub(super) fn response(&self, accepted: bool) -> Response<Full<Bytes>> {
        let (status, class, mark) = if accepted {
            (StatusCode::OK, "done", "M4.5 12.5l5 5 10-11")
        } else {
            (StatusCode::BAD_REQUEST, "problem", "M12 5v8.5M12 18.5v.1")
        };
        let [title, text, next] = [&self.title, &self.text, &self.next].map(|text| escape(text));
        let page = format!(
            "<!doctype html>\n<html lang=\"en\" class=\"{class}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>{title} · refrain</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"{mark}\"/></svg>\n\
             <h1>{title}</h1>\n<p>{text}</p>\n<p class=\"next\">{next}</p>\n\
             <footer>refrain, on this computer</footer>\n</main>\n</body>\n</html>\n"
        );
        respond(status, "text/html; charset=utf-8", page)
    }
}

/// A plain answer, to whoever is not a browser at the end of a login.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    harden(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn harden(headers: &mut HeaderMap) {
    // The address of the page holds the code: it goes into no cache and no Referer.
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Base64 and the words around it are always a legal header value.
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(
            escape("<b onx='1'>&\"</b>"),
            "&lt;b onx=&#39;1&#39;&gt;&amp;&quot;&lt;/b&gt;"
        );
    }
}
