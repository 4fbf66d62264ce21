//! A single-page app that is served beside the API, from the same origin.
//!
//! Its files are read when the server starts, and nothing is looked for on the disk later: whatever a path
//! says, it names one of them or nothing. Paths that belong to none are the app's own, where a browser opens
//! them as pages: they are answered with `index.html`, whose script knows what to do. A dot in one changes
//! nothing about that (`/user/john.doe`); what a page loads, and does not find, is 404.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::{
    body::Answer,
    fault::{Fault, code},
    route::table,
};

/// What an app may weigh: it is kept in memory.
const MOST: u64 = 64 * 1024 * 1024;

/// Nobody frames the app, and nothing moves its addresses. What it loads is for itself to say.
const POLICY: &str = "base-uri 'self'; object-src 'none'; frame-ancestors 'none'";

const INDEX: &str = "/index.html";

/// Why an app cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// A file or a folder of it.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no page to begin with.
    #[error("{} has no index.html: it is not a built app", folder.display())]
    NoIndex {
        /// The folder.
        folder: PathBuf,
    },
    /// It leads out of its folder.
    #[error("{} leads out of the folder of the app", path.display())]
    Outside {
        /// Which.
        path: PathBuf,
    },
    /// It is no built app.
    #[error("there are more than 64 MiB in {}", folder.display())]
    TooMuch {
        /// The folder.
        folder: PathBuf,
    },
}

/// The files of an app, by their paths.
#[derive(Debug)]
pub(crate) struct App {
    files: HashMap<String, File>,
    /// What lies in the folder and is never served, because its path is the server's own.
    hidden: Vec<String>,
}

#[derive(Debug)]
struct File {
    bytes: Bytes,
    kind: HeaderValue,
    /// What a browser shows to be told that nothing has changed (RFC 9110 §8.8.3).
    tag: HeaderValue,
}

impl App {
    /// Reads a folder. Names that begin with a dot are passed over.
    pub(crate) fn read(folder: &Path) -> Result<Self, AppError> {
        let root = folder.canonicalize().map_err(unreadable(folder))?;
        let (mut files, mut weight, mut hidden) = (HashMap::new(), 0_u64, Vec::new());
        let mut folders = vec![(root.clone(), String::new())];
        while let Some((inside, prefix)) = folders.pop() {
            for entry in fs::read_dir(&inside).map_err(unreadable(&inside))? {
                let path = entry.map_err(unreadable(&inside))?.path();
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(name) = name.filter(|name| !name.starts_with('.')) else {
                    continue;
                };
                let real = path.canonicalize().map_err(unreadable(&path))?;
                if !real.starts_with(&root) {
                    return Err(AppError::Outside { path });
                }
                let (at, about) = (format!("{prefix}/{name}"), fs::symlink_metadata(&real));
                if !Self::has(&at) {
                    hidden.push(at);
                    continue;
                }
                let about = about.map_err(unreadable(&path))?;
                if about.is_dir() {
                    folders.push((real, at));
                    continue;
                }
                weight = weight.saturating_add(about.len());
                if weight > MOST {
                    let folder = folder.to_owned();
                    return Err(AppError::TooMuch { folder });
                }
                let bytes = fs::read(&real).map_err(unreadable(&path))?;
                files.insert(at, File::new(name, bytes));
            }
        }
        if !files.contains_key(INDEX) {
            let folder = folder.to_owned();
            return Err(AppError::NoIndex { folder });
        }
        hidden.sort_unstable();
        Ok(Self { files, hidden })
    }

    /// What lies in the folder and is never served, because its path is the server's own.
    pub(crate) fn hidden(&self) -> &[String] {
        &self.hidden
    }

    /// Whether a path is the app's, and of no other part of this server.
    pub(crate) fn has(path: &str) -> bool {
        fn first(path: &str) -> &str {
            path.split('/').nth(1).unwrap_or_default()
        }
        path == "/"
            || table::TABLE
                .iter()
                .all(|it| first(it.path()) != first(path))
    }

    /// Answers a path of the app's.
    ///
    /// # Errors
    /// 404 where nothing is there, 405 for whatever is no reading.
    pub(crate) fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Answer>, Fault> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let (what, fix) = ("the app is there to be read", "use GET");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let fault = Fault::request(status, code::BAD_METHOD, what, fix);
            return Err(fault.allowing("GET, HEAD"));
        }
        let file = self.find(path, headers).ok_or_else(|| {
            let (what, fix) = ("the app has nothing at this path", "go to /");
            Fault::request(StatusCode::NOT_FOUND, code::NO_SUCH_PATH, what, fix)
        })?;
        let (status, bytes) = if file.is_held(headers) {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, file.bytes.clone())
        };
        let mut answer = Response::new(Answer::own(bytes));
        *answer.status_mut() = status;
        file.describe(answer.headers_mut());
        Ok(answer)
    }

    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&File> {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
        let path = decoded.ok()?;
        let index = format!("{}{INDEX}", path.trim_end_matches('/'));
        let found = self.files.get(&*path).or_else(|| self.files.get(&index));
        // No app has pages at names that are passed over.
        let is_page = !path.contains("/.") && opens_a_page(headers);
        found.or_else(|| is_page.then(|| self.files.get(INDEX)).flatten())
    }
}

impl File {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let guess = mime_guess::from_path(name).first_or_octet_stream();
        let kind = match guess.type_().as_str() {
            "text" => format!("{guess}; charset=utf-8"),
            _ => guess.to_string(),
        };
        let tag = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
        let value = |text: &str| {
            let unknown = HeaderValue::from_static("application/octet-stream");
            HeaderValue::from_str(text).unwrap_or(unknown)
        };
        Self {
            kind: value(&kind),
            tag: value(&format!("\"{tag}\"")),
            bytes: bytes.into(),
        }
    }

    /// Whether the browser has it already.
    fn is_held(&self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(header::IF_NONE_MATCH).iter();
        let tags = tags.filter_map(|it| it.to_str().ok());
        let mut tags = tags.flat_map(|it| it.split(',')).map(str::trim);
        tags.any(|it| it == "*" || it.as_bytes() == self.tag.as_bytes())
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        headers.insert(header::ETAG, self.tag.clone());
        for (name, value) in [
            // Asked for each time, and sent when it has changed.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            headers.insert(name, HeaderValue::from_static("same-origin"));
        }
    }
}

/// Whether a browser asks for something to show to its user.
fn opens_a_page(headers: &HeaderMap) -> bool {
    if let Some(dest) = headers.get("sec-fetch-dest") {
        return dest == "document";
    }
    let accepted = headers.get(header::ACCEPT);
    let accepted = accepted.and_then(|it| it.to_str().ok());
    accepted.is_some_and(|it| it.contains("text/html"))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> AppError {
    let path = path.to_owned();
    |source| AppError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("assets")).unwrap();
        fs::write(at("index.html"), "<!doctype html>").unwrap();
        fs::write(at("assets/a b.js"), "1").unwrap();
        fs::write(at(".env"), "SECRET=1").unwrap();
        folder
    }

    fn asked(app: &App, path: &str, lines: &[(&'static str, &str)]) -> (StatusCode, String) {
        let headers = lines.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        let headers: HeaderMap = headers.collect();
        match app.answer(&Method::GET, path, &headers) {
            Err(fault) => (StatusCode::NOT_FOUND, fault.code().to_owned()),
            Ok(answer) => {
                let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
                (answer.status(), kind.to_owned())
            }
        }
    }

    #[test]
    fn a_path_is_a_file_or_a_page_or_nothing() {
        let folder = folder();
        let app = App::read(folder.path()).unwrap();
        let (html, js) = ("text/html; charset=utf-8", "text/javascript; charset=utf-8");
        let page = ("accept", "text/html,*/*");
        for (path, lines, expected) in [
            ("/", &[][..], Some(html)),
            ("/index.html", &[], Some(html)),
            ("/assets/a%20b.js", &[], Some(js)),
            ("/assets/../index.html", &[], None),
            ("/assets/%2e%2e/index.html", &[page], None),
            ("/.env", &[], None),
            ("/.env", &[page], None),
            ("/playlists/7", &[page], Some(html)),
            (
                "/playlists/7",
                &[("sec-fetch-dest", "document")],
                Some(html),
            ),
            ("/playlists/7", &[("sec-fetch-dest", "image"), page], None),
            ("/playlists/7", &[], None),
            ("/user/john.doe", &[page], Some(html)),
            (
                "/user/john.doe",
                &[("sec-fetch-dest", "document")],
                Some(html),
            ),
            ("/missing.js", &[], None),
            ("/missing.js", &[("sec-fetch-dest", "script"), page], None),
            ("/missing.js", &[("accept", "*/*")], None),
            ("/%ff", &[page], None),
        ] {
            let expected = match expected {
                Some(kind) => (StatusCode::OK, kind.to_owned()),
                None => (StatusCode::NOT_FOUND, "no_such_path".to_owned()),
            };
            assert_eq!(asked(&app, path, lines), expected, "{path}");
        }
    }

    #[test]
    fn what_lies_at_paths_of_the_server_is_named_and_not_served() {
        let folder = folder();
        for path in ["api", "session"] {
            fs::create_dir(folder.path().join(path)).unwrap();
            fs::write(folder.path().join(path).join("x.json"), "{}").unwrap();
        }
        fs::write(folder.path().join("callback"), "").unwrap();
        fs::write(folder.path().join("callback.html"), "").unwrap();
        let app = App::read(folder.path()).unwrap();
        assert_eq!(app.hidden(), ["/api", "/callback", "/session"]);
        assert_eq!(asked(&app, "/api/x.json", &[]).0, StatusCode::NOT_FOUND);
        assert_eq!(asked(&app, "/callback.html", &[]).0, StatusCode::OK);
    }

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let folder = folder();
        let app = App::read(folder.path()).unwrap();
        let tag = app.files[INDEX].tag.to_str().unwrap();
        let (status, _) = asked(&app, "/", &[("if-none-match", tag)]);
        assert_eq!(status, StatusCode::NOT_MODIFIED);
        let (status, _) = asked(&app, "/", &[("if-none-match", "\"x\"")]);
        assert_eq!(status, StatusCode::OK);
        let posted = app.answer(&Method::POST, "/", &HeaderMap::new());
        assert_eq!(posted.unwrap_err().code(), "bad_method");
    }

    #[test]
    fn what_is_no_app_is_not_served() {
        let empty = tempfile::tempdir().unwrap();
        let none = App::read(empty.path()).unwrap_err();
        assert!(matches!(none, AppError::NoIndex { .. }), "{none:?}");
        let missing = App::read(&empty.path().join("x")).unwrap_err();
        assert!(
            matches!(missing, AppError::Unreadable { .. }),
            "{missing:?}"
        );
        let folder = folder();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("name")).unwrap();
        let outside = App::read(folder.path()).unwrap_err();
        assert!(matches!(outside, AppError::Outside { .. }), "{outside:?}");
    }

    #[test]
    fn paths_of_the_server_are_none_of_the_apps() {
        for path in ["/", "/app", "/assets/x.js", "/v2/x", "/favicon.ico"] {
            assert!(App::has(path), "{path}");
        }
        for path in [
            "/v1/x",
            "/refrain/x",
            "/api/x",
            "/session/x",
            "/callback/x",
            "/healthz/",
        ] {
            assert!(!App::has(path), "{path}");
        }
    }
}
