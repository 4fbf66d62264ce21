//! What refrain itself has to say when it has no answer of Spotify's to pass on.
//!
//! Each fault has a status, a stable code and words. Below `/v1` it is told in the shape of Spotify's own
//! errors, so that SDKs read it; at `/api/token` in that of RFC 6749; everywhere else as RFC 9457 has it.

pub(crate) mod code;

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use refrain::{
    Error, Explanation, Kind,
    keeper::Problem,
    time::{UnixMillis, seconds_rounded_up},
};
use serde_json::{Value, json};

use self::code::Code;
use crate::{
    body::Answer,
    page::{self, Page, Way},
    proxy::{target::TargetError, upstream::UpstreamError},
};

/// How long to wait where nobody knows better.
const SOON: Duration = Duration::from_secs(5);

/// How a key is shown (RFC 6750 §3).
const BEARER: &str = "Bearer realm=\"refrain\"";
/// How it is shown as a password (RFC 7617 §2).
const PASSWORD: &str = "Basic realm=\"refrain\", charset=\"UTF-8\"";

/// Which shape a fault is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{"error":{"status","message","reason"}}`, as Spotify's Web API. The reason is one of Spotify's own,
    /// because there are clients that fail over one that they do not know; ours is `refrain_code`.
    Spotify,
    /// `{"error","error_description"}` (RFC 6749 §5.2).
    OAuth,
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// A page, for a person at the end of a login.
    Page,
    /// A page of the dashboard.
    Dashboard,
}

/// What is wrong with a request, or with what it needs.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: Code,
    what: Box<str>,
    fix: Box<str>,
    retry_after: Option<Duration>,
    /// The `error` of RFC 6749.
    oauth: &'static str,
    /// Whether the connection is not to be used again.
    closes: bool,
    /// What goes with it: the methods that there are, where another was used; or what the browser is to carry
    /// from now on.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// Whether a caller may also show who he is by a password.
    by_password: bool,
    /// Where a person can go on from here.
    ways: Box<[Way]>,
}

impl Fault {
    /// A fault in the request itself.
    pub(crate) fn request(
        status: StatusCode,
        code: Code,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            what: what.into().into(),
            fix: fix.into().into(),
            retry_after: None,
            oauth: "invalid_request",
            closes: false,
            header: None,
            by_password: false,
            ways: Box::default(),
        }
    }

    /// Nobody is known by what was shown, or nothing was shown.
    pub(crate) fn unauthenticated(what: &str) -> Self {
        let fix =
            "send a key of refrain's: Authorization: Bearer rfk_…; `refrain key create` makes one";
        Self {
            oauth: "invalid_grant",
            ..Self::request(StatusCode::UNAUTHORIZED, code::KEY_NEEDED, what, fix)
        }
    }

    /// The caller is known, and this is not for him.
    pub(crate) fn not_allowed(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            oauth: "unauthorized_client",
            ..Self::request(StatusCode::FORBIDDEN, code::NOT_ALLOWED, what, fix)
        }
    }

    /// Something that no user and no caller can do anything about right now.
    pub(crate) fn later(code: Code, what: impl Into<String>, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            oauth: "temporarily_unavailable",
            ..Self::request(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                what,
                "try again later",
            )
        }
    }

    /// One peer has opened too many links that are not known.
    pub(crate) fn too_many_links(wait: Duration) -> Self {
        let what = "too many links that are not known were tried from there";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::request(status, code::TOO_MANY_LINKS, what, "wait a minute").after(wait)
    }

    /// The connection closes behind the answer.
    #[must_use]
    pub(crate) fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    /// The same where a program asks its user for a password.
    #[must_use]
    pub(crate) fn asking_for_a_password(self) -> Self {
        Self {
            by_password: true,
            ..self
        }
    }

    /// Gives the browser something to carry.
    #[must_use]
    pub(crate) fn giving(self, cookie: HeaderValue) -> Self {
        let header = Some(Box::new((header::SET_COOKIE, cookie)));
        Self { header, ..self }
    }

    /// Tells which methods there are (RFC 9110 §15.5.6).
    #[must_use]
    pub(crate) fn allowing(self, methods: &str) -> Self {
        let methods = HeaderValue::from_str(methods).ok();
        let header = methods.map(|it| Box::new((header::ALLOW, it)));
        Self { header, ..self }
    }

    /// The same where the caller's own key is what a 401 would be about: that a grant needs a login is no
    /// fault of his credentials.
    #[must_use]
    pub(crate) fn about_a_grant(self) -> Self {
        let status = match self.status {
            StatusCode::UNAUTHORIZED => StatusCode::CONFLICT,
            status => status,
        };
        Self { status, ..self }
    }

    /// What RFC 6749 calls it.
    #[must_use]
    pub(crate) fn told(self, oauth: &'static str) -> Self {
        Self { oauth, ..self }
    }

    /// When to come back.
    #[must_use]
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// Offers a person the next step, on the page that tells of it.
    #[must_use]
    pub(crate) fn offering(self, ways: Vec<Way>) -> Self {
        Self {
            ways: ways.into(),
            ..self
        }
    }

    /// Its stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// The answer that tells it.
    pub(crate) fn answer(&self, shape: Shape) -> Response<Answer> {
        let mut answer = match shape {
            Shape::Spotify => told(&self.spotify(), "application/json"),
            Shape::OAuth => told(&self.oauth(), "application/json"),
            Shape::Problem => told(&self.problem(), "application/problem+json"),
            Shape::Page => self
                .page(shape)
                .answer_with(self.status, &self.ways)
                .map(Answer::own),
            Shape::Dashboard => self
                .page(shape)
                .answer_with(self.status, self.way_back().as_slice())
                .map(Answer::own),
        };
        *answer.status_mut() = match shape {
            // RFC 6749 §5.2 knows 400 and 401; the rest is about the server, or no token request at all.
            Shape::OAuth if self.status.is_client_error() && self.header.is_none() => {
                StatusCode::BAD_REQUEST
            }
            Shape::OAuth | Shape::Spotify | Shape::Problem | Shape::Page | Shape::Dashboard => {
                self.status
            }
        };
        let headers = answer.headers_mut();
        headers.insert("refrain-error", HeaderValue::from_static(self.code()));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge =
                HeaderValue::from_static(if self.by_password { PASSWORD } else { BEARER });
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if let Some((name, value)) = self.header.as_deref() {
            headers.append(name, value.clone());
        }
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// Where whoever is signed in can go on.
    fn way_back(&self) -> Option<Way> {
        let known = self.status != StatusCode::UNAUTHORIZED;
        known.then(|| Way {
            place: "/dashboard".into(),
            words: "Back to the dashboard",
        })
    }

    fn page(&self, shape: Shape) -> Page {
        let title = match (shape, self.status) {
            (Shape::Dashboard, StatusCode::UNAUTHORIZED) => "Please sign in",
            (Shape::Dashboard, _) | (Shape::Page, StatusCode::MISDIRECTED_REQUEST) => {
                "That did not work"
            }
            _ => page::login::NOTHING,
        };
        Page::problem(title, &self.what, &self.fix)
    }

    fn spotify(&self) -> Value {
        let reason = match self.code {
            code::QUOTA_EXCEEDED => "QUOTA_EXCEEDED",
            _ => "UNKNOWN",
        };
        json!({ "error": {
            "status": self.status.as_u16(),
            "message": format!("refrain: {}; {}", self.what, self.fix),
            "reason": reason,
            "refrain_code": self.code(),
        }})
    }

    fn oauth(&self) -> Value {
        json!({
            "error": self.oauth,
            "error_description": format!("{}; {}", self.what, self.fix),
            "refrain_code": self.code(),
        })
    }

    fn problem(&self) -> Value {
        json!({
            "type": format!("urn:refrain:error:{}", self.code()),
            "title": self.what,
            "status": self.status.as_u16(),
            "detail": self.fix,
            "code": self.code(),
        })
    }
}

/// An answer in JSON that nobody on its way keeps.
fn told(body: &Value, kind: &'static str) -> Response<Answer> {
    let mut answer = Response::new(Answer::own(body.to_string()));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The value of a Retry-After header: never zero.
fn seconds(wait: Duration) -> u64 {
    seconds_rounded_up(wait).max(1)
}

impl Fault {
    /// What stands between a caller and a token.
    pub(crate) fn refrain(error: &Error, now: UnixMillis) -> Self {
        let Explanation {
            code,
            what,
            safe,
            fix,
            retry_at,
        } = error.explain();
        let (status, oauth) = status_of(error);
        let wait = retry_at.map(|at| at.since(now));
        let retries = status == StatusCode::SERVICE_UNAVAILABLE;
        Self {
            status,
            code: Code::told(code),
            what: format!("{what}; {safe}").into(),
            fix: fix.into(),
            retry_after: wait.or(retries.then_some(SOON)),
            oauth,
            closes: false,
            header: None,
            by_password: false,
            ways: Box::default(),
        }
    }
}

/// The HTTP status that an error of the library's is answered with below `/v1`; a 401 is a 409 where the
/// caller asks about a grant, and not as it.
pub fn status(error: &Error) -> u16 {
    status_of(error).0.as_u16()
}

/// A fault of store, key, network or provider is never a 401: nobody is sent to log in over it.
fn status_of(error: &Error) -> (StatusCode, &'static str) {
    if matches!(
        error.problem(),
        Problem::UnknownGrant { .. } | Problem::NoGrant
    ) {
        return (StatusCode::NOT_FOUND, "invalid_grant");
    }
    match error.kind() {
        Kind::Usage => (StatusCode::BAD_REQUEST, "invalid_request"),
        Kind::Reauthorize => (StatusCode::UNAUTHORIZED, "invalid_grant"),
        Kind::NotPermitted => (StatusCode::FORBIDDEN, "unauthorized_client"),
        Kind::Configuration => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        Kind::TryLater | Kind::Storage => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    }
}

impl From<TargetError> for Fault {
    fn from(error: TargetError) -> Self {
        let (status, code) = match error {
            TargetError::Elsewhere => (StatusCode::NOT_FOUND, code::NO_SUCH_PATH),
            TargetError::Key => (StatusCode::BAD_REQUEST, code::KEY_IN_URL),
            TargetError::Dots
            | TargetError::EmptySegment
            | TargetError::Ambiguous
            | TargetError::BadEncoding => (StatusCode::BAD_REQUEST, code::BAD_PATH),
        };
        Self::request(
            status,
            code,
            error.to_string(),
            "nothing was sent to Spotify",
        )
    }
}

impl From<UpstreamError> for Fault {
    fn from(error: UpstreamError) -> Self {
        let (status, code, fix) = match error {
            UpstreamError::Unreachable { .. } => (
                StatusCode::BAD_GATEWAY,
                code::API_UNREACHABLE,
                "nothing was sent; try again later, and run `refrain doctor` if it stays so",
            ),
            UpstreamError::Broken { .. } => (
                StatusCode::BAD_GATEWAY,
                code::API_BROKEN_OFF,
                "the call may or may not have been carried out",
            ),
            UpstreamError::Silent { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                code::API_SILENT,
                "the call may or may not have been carried out",
            ),
        };
        Self {
            oauth: "server_error",
            ..Self::request(status, code, error.to_string(), fix)
        }
    }
}
