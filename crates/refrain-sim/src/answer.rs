//! Requests and answers as the endpoints see them: whole, in memory, without hyper.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

/// One request, its body read.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Counts requests over both listeners.
    pub(crate) number: u64,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// === impl Inbound ===

impl Inbound {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The parameters of the query, in order.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    /// The value of one query parameter.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs()
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The media type of the body, without parameters, in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        value
            .split(';')
            .next()
            .map(|kind| kind.trim().to_ascii_lowercase())
    }
}

/// Reads `application/x-www-form-urlencoded` text.
pub(crate) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

/// One answer, its body whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

// === impl Answer ===

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: vec![],
            body: Bytes::new(),
        }
    }

    pub(crate) fn of_type(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            body: body.into(),
            ..Self::empty(status)
        }
        .with("content-type", content_type)
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::of_type(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of_type(status, "text/plain;charset=utf-8", body)
    }

    pub(crate) fn html(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of_type(status, "text/html;charset=utf-8", body)
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::empty(StatusCode::FOUND).with("location", location)
    }

    /// The regular error object of the Web API, laid out as Spotify does.
    pub(crate) fn api_error(status: StatusCode, message: &str, reason: Option<&str>) -> Self {
        let mut error = json!({ "status": status.as_u16(), "message": message });
        if let (Some(object), Some(reason)) = (error.as_object_mut(), reason) {
            object.insert("reason".to_owned(), reason.into());
        }
        let body = serde_json::to_string_pretty(&json!({ "error": error })).unwrap_or_default();
        Self::of_type(status, "application/json; charset=utf-8", body)
    }

    /// The flat error object of the Accounts service.
    pub(crate) fn oauth_error(status: StatusCode, error: &str, description: Option<&str>) -> Self {
        let mut body = json!({ "error": error });
        if let (Some(object), Some(description)) = (body.as_object_mut(), description) {
            object.insert("error_description".to_owned(), description.into());
        }
        Self::json(status, &body)
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            self.headers.push((name, value));
        }
        self
    }
}
