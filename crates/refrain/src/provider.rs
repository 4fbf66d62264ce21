//! The provider as data: endpoints, and in [`spotify`] the quirks that its users have to live with.

pub mod spotify;

use url::Url;

use crate::oauth::origin::Origin;

/// Where everything is. The paths are Spotify's; another RFC 6749 server with these paths serves too.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The authorization server: refresh tokens and client secrets go here and nowhere else.
    pub accounts: Origin,
    /// The resource server: access tokens go here and nowhere else.
    pub api: Origin,
    /// The revocation endpoint (RFC 7009), where one is configured.
    pub revocation: Option<RevocationEndpoint>,
}

/// A revocation endpoint; it receives a refresh token, so it obeys the rules of an origin.
#[derive(Debug, Clone)]
pub struct RevocationEndpoint {
    /// Scheme, host and port.
    pub origin: Origin,
    /// The path on it.
    pub path: String,
}

/// The authorization endpoint's path.
pub const AUTHORIZE_PATH: &str = "/authorize";
/// The token endpoint's path.
pub const TOKEN_PATH: &str = "/api/token";
/// A question to the API that needs no user.
pub const SEARCH_PATH: &str = "/v1/search?q=refrain&type=track&limit=1";
/// Where the API says whose token it is.
pub const ME_PATH: &str = "/v1/me";

impl RevocationEndpoint {
    /// Reads an absolute URL; `None` where it is not one that may receive a token.
    pub fn parse(text: &str) -> Option<Self> {
        let url: Url = text.parse().ok()?;
        let origin = url.origin().ascii_serialization().parse().ok()?;
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        bare.then(|| Self {
            origin,
            path: url.path().to_owned(),
        })
    }
}
