//! The authorization request and its answer (RFC 6749 §4.1.1 and §4.1.2).

use std::{fmt, str::FromStr};

use url::{Url, form_urlencoded};

use crate::{
    oauth::{
        client::ClientId,
        origin::{Origin, is_loopback},
        pkce,
        scope::Scope,
    },
    secret::{AuthorizationCode, AuthorizationState, CodeVerifier},
};

/// A redirection endpoint (RFC 6749 §3.1.2), kept as the bytes that were registered.
///
/// Providers compare it byte by byte, so nothing is ever normalised: not the case of the host, not a
/// trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: Box<str>,
    url: Url,
}

/// The text is not an absolute URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an absolute URL")]
pub struct RedirectUriError {
    given: String,
}

impl RedirectUri {
    /// The bytes to send.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed form, for checks and listeners; never for sending.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// This redirect with `port` put in, where it is a loopback address without a port (RFC 8252 §7.3).
    #[must_use]
    pub fn with_port(&self, port: u16) -> Option<Self> {
        let host = self.url.host_str()?;
        let (before, after) = self.text.split_once(host)?;
        let loopback = self.url.host().is_some_and(|host| is_loopback(&host));
        if !loopback
            || self.url.port().is_some()
            || !after.starts_with(['/', '?']) && !after.is_empty()
        {
            return None;
        }
        format!("{before}{host}:{port}{after}").parse().ok()
    }
}

impl FromStr for RedirectUri {
    type Err = RedirectUriError;

    fn from_str(text: &str) -> Result<Self, RedirectUriError> {
        let error = || RedirectUriError {
            given: text.chars().take(200).collect(),
        };
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        let url = Url::parse(text).map_err(|_| error())?;
        if !printable {
            return Err(error());
        }
        Ok(Self {
            text: text.into(),
            url,
        })
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything that goes into the URL a person is sent to.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// Who asks.
    pub client_id: &'a ClientId,
    /// Where the answer is to come.
    pub redirect_uri: &'a RedirectUri,
    /// What is asked for.
    pub scope: &'a Scope,
    /// Ties the answer to this attempt.
    pub state: &'a AuthorizationState,
    /// Ties the code to this attempt; its hash alone is in the URL.
    pub verifier: &'a CodeVerifier,
    /// Whether to ask for consent even where it was given before.
    pub show_dialog: bool,
}

impl AuthorizationRequest<'_> {
    /// The URL to open. It holds no secret: the state is single use and the challenge is a hash.
    pub fn url(&self, endpoint: &Origin, path: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", self.client_id.as_str())
            .append_pair("redirect_uri", self.redirect_uri.as_str())
            .append_pair("state", self.state.expose())
            .append_pair("code_challenge_method", "S256")
            .append_pair("code_challenge", &pkce::code_challenge(self.verifier));
        if !self.scope.is_empty() {
            query.append_pair("scope", &self.scope.to_string());
        }
        if self.show_dialog {
            query.append_pair("show_dialog", "true");
        }
        format!("{}?{}", endpoint.join(path), query.finish())
    }
}

/// What came back to the redirection endpoint (RFC 6749 §4.1.2).
#[derive(Debug)]
pub struct AuthorizationResponse {
    /// The attempt it belongs to.
    pub state: AuthorizationState,
    /// The code, or why there is none.
    pub result: Result<AuthorizationCode, String>,
    /// Who says that it issued the answer (RFC 9207), where it says so.
    pub issuer: Option<String>,
}

/// Why a callback is not an authorization response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// A parameter that decides something came twice.
    #[error("the parameter {name} came more than once")]
    Repeated {
        /// The parameter.
        name: &'static str,
    },
    /// No `state`: nothing says that this browser began the login.
    #[error("the answer has no state")]
    NoState,
    /// Neither `code` nor `error`, or both.
    #[error("the answer has neither a code nor an error, or both")]
    NoCode,
    /// Another server than the one that was asked says that it answers (RFC 9207 §2.4).
    #[error("the answer is from another server than the one that was asked")]
    WrongIssuer,
    /// A value too long to be genuine.
    #[error("the answer is too long")]
    TooLong,
}

impl AuthorizationResponse {
    /// Reads the query of a callback; the part after `?`.
    pub fn from_query(query: &str) -> Result<Self, CallbackError> {
        const LONGEST: usize = 8 * 1024;
        if query.len() > LONGEST {
            return Err(CallbackError::TooLong);
        }
        let (mut state, mut code, mut error, mut issuer) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (slot, name) = match &*name {
                "state" => (&mut state, "state"),
                "code" => (&mut code, "code"),
                "error" => (&mut error, "error"),
                "iss" => (&mut issuer, "iss"),
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Repeated { name });
            }
        }
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let state = filled(state).ok_or(CallbackError::NoState)?;
        let result = match (filled(code), filled(error)) {
            (Some(code), None) => Ok(AuthorizationCode::new(code)),
            (None, Some(error)) => Err(error),
            (Some(_), Some(_)) | (None, None) => return Err(CallbackError::NoCode),
        };
        Ok(Self {
            state: AuthorizationState::new(state),
            result,
            issuer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_holds_the_challenge_and_never_the_verifier() {
        let verifier = CodeVerifier::new("v".repeat(43));
        let request = AuthorizationRequest {
            client_id: &"abc".parse().unwrap(),
            redirect_uri: &"http://127.0.0.1:4280/callback".parse().unwrap(),
            scope: &"user-read-email streaming".parse().unwrap(),
            state: &AuthorizationState::new("s1"),
            verifier: &verifier,
            show_dialog: true,
        };
        let url = request.url(
            &"https://accounts.spotify.com".parse().unwrap(),
            "/authorize",
        );
        assert!(url.starts_with("https://accounts.spotify.com/authorize?response_type=code&"));
        assert!(
            url.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A4280%2Fcallback"),
            "{url}"
        );
        assert!(url.contains("scope=streaming+user-read-email"), "{url}");
        assert!(url.contains("show_dialog=true") && url.contains("state=s1"));
        assert!(!url.contains(&"v".repeat(43)) && !url.contains("%3D"));
    }

    #[test]
    fn a_callback_is_read_strictly() {
        let ok = AuthorizationResponse::from_query("code=AQx&state=s&extra=1").unwrap();
        assert_eq!(ok.result.unwrap().expose(), "AQx");
        let denied = AuthorizationResponse::from_query("error=access_denied&state=s").unwrap();
        assert_eq!(denied.result.unwrap_err(), "access_denied");
        for (query, error) in [
            (
                "code=a&code=b&state=s",
                CallbackError::Repeated { name: "code" },
            ),
            (
                "code=a&state=s&state=s",
                CallbackError::Repeated { name: "state" },
            ),
            ("code=a", CallbackError::NoState),
            ("code=a&state=", CallbackError::NoState),
            ("state=s", CallbackError::NoCode),
            ("state=s&code=a&error=b", CallbackError::NoCode),
            ("", CallbackError::NoState),
        ] {
            assert_eq!(
                AuthorizationResponse::from_query(query).unwrap_err(),
                error,
                "{query}"
            );
        }
        let long = format!("state=s&code={}", "a".repeat(9000));
        assert_eq!(
            AuthorizationResponse::from_query(&long).unwrap_err(),
            CallbackError::TooLong
        );
    }

    #[test]
    fn a_redirect_keeps_its_bytes_and_takes_a_port() {
        let uri: RedirectUri = "http://127.0.0.1/CallBack".parse().unwrap();
        assert_eq!(uri.as_str(), "http://127.0.0.1/CallBack");
        assert_eq!(
            uri.with_port(9).unwrap().as_str(),
            "http://127.0.0.1:9/CallBack"
        );
        let uri: RedirectUri = "http://[::1]/c".parse().unwrap();
        assert_eq!(uri.with_port(9).unwrap().as_str(), "http://[::1]:9/c");
        let uri: RedirectUri = "http://127.0.0.1:4280/c".parse().unwrap();
        assert!(uri.with_port(9).is_none());
        let uri: RedirectUri = "https://music.example/c".parse().unwrap();
        assert!(uri.with_port(9).is_none(), "it means port 443");
        assert!("/callback".parse::<RedirectUri>().is_err());
        assert!("http://127.0.0.1/ a".parse::<RedirectUri>().is_err());
    }
}
