//! What a form of the dashboard sends.

use http::{HeaderValue, StatusCode, header};

use crate::{
    body::{Sent, whole},
    fault::{Fault, code},
    session::Admin,
    visit::Visit,
};

/// The fields of a form, which may be there more than once.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form that a page of this session's has sent.
    ///
    /// # Errors
    /// 403 where it comes from elsewhere, 415 and 413 where it is no form of ours.
    pub(super) async fn read(visit: &Visit<'_>, admin: &Admin, body: Sent) -> Result<Self, Fault> {
        let kind = visit.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(HeaderValue::as_bytes).unwrap_or_default();
        if !kind.starts_with(b"application/x-www-form-urlencoded") {
            let (what, fix) = ("what was sent is no form", "use the page's own form");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Fault::request(status, code::BAD_CONTENT_TYPE, what, fix));
        }
        let form = Self::parse(&whole::read(body).await?);
        admin.check_csrf(form.all("csrf").next())?;
        Ok(form)
    }

    fn parse(bytes: &[u8]) -> Self {
        let fields = url::form_urlencoded::parse(bytes);
        Self(fields.into_owned().collect())
    }

    /// A field; empty where there is none.
    pub(super) fn text(&self, name: &'static str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every field of a name.
    pub(super) fn all<'f>(&'f self, name: &'static str) -> impl Iterator<Item = &'f str> {
        let fields = self.0.iter().filter(move |(it, _)| it == name);
        fields.map(|(_, value)| value.as_str())
    }

    /// Whether a box is checked.
    pub(super) fn is_checked(&self, name: &'static str) -> bool {
        self.text(name) == "yes"
    }
}

/// 400 for a field that says something else than it may.
pub(super) fn bad(what: impl Into<String>, fix: &str) -> Fault {
    Fault::request(StatusCode::BAD_REQUEST, code::BAD_FORM, what, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_be_there_more_than_once() {
        let form = Form::parse(b"grant=a&grant=b%2Bc&all=yes&csrf=x+y");
        assert_eq!(form.all("grant").collect::<Vec<_>>(), ["a", "b+c"]);
        assert_eq!(form.text("grant"), "a");
        assert!(form.is_checked("all") && !form.is_checked("none"));
        assert_eq!(form.text("csrf"), "x y");
    }
}
