//! The style and the script of the dashboard. They have nothing of anybody's in them; their address has what
//! they hold in it, so that a browser keeps them until there are others.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use sha2::{Digest as _, Sha256};

/// A file that pages load.
#[derive(Debug)]
pub(in crate::dashboard) struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

pub(in crate::dashboard) static STYLE: LazyLock<Loaded> = LazyLock::new(|| {
    Loaded::of(File {
        path: "/dashboard/style.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("style.css"),
    })
});

pub(in crate::dashboard) static SCRIPT: LazyLock<Loaded> = LazyLock::new(|| {
    Loaded::of(File {
        path: "/dashboard/live.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("live.js"),
    })
});

/// A file, and where it is.
#[derive(Debug)]
pub(in crate::dashboard) struct Loaded {
    file: File,
    url: String,
}

impl Loaded {
    fn of(file: File) -> Self {
        let mark = Sha256::digest(file.text.as_bytes());
        let mark: String = URL_SAFE_NO_PAD.encode(mark).chars().take(12).collect();
        let url = format!("{}?{mark}", file.path);
        Self { file, url }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The file as an answer.
    pub(in crate::dashboard) fn answer(&self) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::from_static(self.file.text.as_bytes()));
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, self.file.kind),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("same-origin"),
        );
        answer
    }
}
