//! Every code that the server itself can answer with, once: a fault cannot be made with another one.
//!
//! What the library reports comes with a code of the library's ([`Code::told`]).

/// The stable code of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(&'static str);

impl Code {
    /// That of what the library says.
    pub(crate) fn told(code: &'static str) -> Self {
        Self(code)
    }

    /// As it is answered.
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

/// What a program may be answered: for the list of all codes.
#[derive(Debug, Clone, Copy)]
pub struct KnownCode {
    /// Stable; decide by this one.
    pub code: &'static str,
    /// The HTTP statuses that it comes with.
    pub status: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub fix: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $means:literal, $fix:literal;)*) => {
        $(pub(crate) const $name: Code = Code($code);)*

        /// Every code of the server's own.
        pub const CODES: &[KnownCode] = &[$(KnownCode {
            code: $code,
            status: $status,
            means: $means,
            fix: $fix,
        }),*];
    };
}

codes! {
    NO_SUCH_PATH = "no_such_path", "404",
        "there is nothing at this path",
        "see the paths in [http.md](http.md)";
    BAD_METHOD = "bad_method", "405",
        "the path has no such method",
        "use one of those in `allow`";
    BAD_PATH = "bad_path", "400",
        "a path with `..`, an empty part, or an encoding that can be read in two ways",
        "write it plainly";
    KEY_IN_URL = "key_in_url", "400",
        "a key stands in the URL, where logs and browsers keep it",
        "revoke that key, and send another one in the header";
    BAD_QUERY = "bad_query", "400",
        "a parameter of the URL makes no sense",
        "see the fields in [http.md](http.md)";
    BAD_BODY = "bad_body", "400",
        "the body makes no sense",
        "see the fields in [http.md](http.md)";
    BAD_FORM = "bad_form", "400",
        "a field of a form is missing or makes no sense",
        "go back and fill it in";
    BAD_CONTENT_TYPE = "bad_content_type", "415",
        "the body is of another type than the one that is read",
        "send JSON; from a form, what forms send";
    BODY_TOO_LONG = "body_too_long", "413",
        "the body is longer than 64 KiB",
        "send less";
    BODY_BROKEN_OFF = "body_broken_off", "400",
        "the body broke off; nothing was done with it",
        "send it again";
    BAD_FRAMING = "bad_framing", "400",
        "the length of the request can be read in two ways",
        "send one `Content-Length`, or `Transfer-Encoding: chunked` alone";
    BAD_HOST = "bad_host", "400",
        "there is not one `Host`, or it is no host",
        "send one";
    WRONG_HOST = "wrong_host", "421",
        "`Host` is no name of this server, or of the place where a login is to end",
        "use a name that it has: `server.names`";
    FOREIGN_PAGE = "foreign_page", "403",
        "the request comes from a web page of another origin",
        "ask from a page of this origin, or from a program with a key";
    FORM_REFUSED = "form_refused", "403",
        "what came with a session may not have come from its page",
        "send `Refrain-Csrf: 1` from a script of the app";
    FORM_TOO_OLD = "form_too_old", "403",
        "the page with the form is older than the session",
        "load the page anew";
    KEY_NEEDED = "key_needed", "401",
        "no valid key was shown",
        "send `Authorization: Bearer rfk_…`; `refrain key create` makes one";
    NOT_ALLOWED = "not_allowed", "403",
        "the key may not do this, or does not reach that grant",
        "use another key, or make one that may";
    TOO_MANY_KEYS = "too_many_keys", "429",
        "too many keys that are not valid came from this address; those that are known are not held up, others may have to come again",
        "wait, and use a key that is valid";
    TOO_MANY_LINKS = "too_many_links", "429",
        "too many links that are not known were tried from this address",
        "wait a minute";
    WHICH_GRANT = "which_grant", "400",
        "the key reaches several grants",
        "name one: header `Refrain-Grant`";
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type", "400",
        "`/api/token` answers `grant_type=refresh_token` alone",
        "send that, with a key as refresh token";
    INVALID_REQUEST = "invalid_request", "400",
        "a parameter of `/api/token` is missing, or is there twice",
        "send `grant_type=refresh_token` and a key as `refresh_token`";
    RATE_LIMITED = "rate_limited", "429",
        "the app has asked the Web API too often; nothing was sent",
        "wait for `retry-after`";
    QUOTA_EXCEEDED = "quota_exceeded", "429",
        "the quota of the developer account is used up; nothing was sent",
        "wait for `retry-after`";
    API_UNREACHABLE = "api_unreachable", "502",
        "the Web API cannot be reached; nothing was sent",
        "try again; `refrain doctor` if it stays so";
    API_BROKEN_OFF = "api_broken_off", "502",
        "the connection broke off: the call may or may not have been carried out",
        "look whether it was, before it is sent again";
    API_SILENT = "api_silent", "504",
        "no answer within a minute: the call may or may not have been carried out",
        "look whether it was, before it is sent again";
    UNKNOWN_GRANT = "unknown_grant", "404, 409",
        "there is no such grant",
        "`GET /refrain/v1/grants` lists them";
    UNKNOWN_API_KEY = "unknown_api_key", "404",
        "there is no such key, or this caller may not see it",
        "`GET /refrain/v1/keys` lists them";
    KEY_NAME_TAKEN = "key_name_taken", "409",
        "another key that is not revoked has the name",
        "choose another name";
    NO_NOTICES = "no_notices", "409",
        "nobody is told of grants: there are neither webhooks nor a command",
        "set `[notices]`";
    RETURN_TO_NOT_ALLOWED = "return_to_not_allowed", "400",
        "users may not be sent to that place",
        "add it to `server.return_to`";
    REDIRECT_ELSEWHERE = "redirect_elsewhere", "409",
        "the app's redirect URI does not lead to this server",
        "let it be an origin of this server's, with the path `/callback`";
    DASHBOARD_ELSEWHERE = "dashboard_elsewhere", "403",
        "the dashboard is not at the address of the web app",
        "open it where `refrain dashboard` says";
    SIGN_IN_NEEDED = "sign_in_needed", "401",
        "nobody is signed in to the dashboard with this browser",
        "`refrain dashboard` prints a link";
    SIGN_IN_UNKNOWN = "sign_in_unknown", "410",
        "the sign-in link was used, or is too old",
        "`refrain dashboard` prints another one";
    SESSION_UNKNOWN = "session_unknown", "404",
        "that session is over already",
        "nothing";
    SESSION_OVER = "session_over", "401",
        "nobody is signed in with this browser",
        "have the user sign in: `/session/login`";
    SESSION_TOO_LARGE = "session_too_large", "500",
        "the grant does not fit into a cookie",
        "set `sessions.keep = \"store\"`";
    NO_SESSIONS = "no_sessions", "404",
        "nobody signs in with a browser here",
        "set `sessions.app`";
    LOGIN_INTERRUPTED = "login_interrupted", "409",
        "sessions are kept in another way since this login began",
        "sign in once more";
    TOKEN_ILLEGAL = "token_illegal", "503",
        "Spotify's token cannot stand in a header",
        "wait a minute; the next token may";
    STOPPING = "stopping", "503",
        "the server is stopping",
        "try again later";
    BROKE_OFF = "broke_off", "503",
        "something broke off, by a mistake in refrain",
        "try again; if it goes on, report it with the log";
    INTERNAL = "internal", "500",
        "an answer could not be made, by a mistake in refrain",
        "report it with the log";
}
