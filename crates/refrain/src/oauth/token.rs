//! Requests to the token and revocation endpoints (RFC 6749 §4.1.3, §4.4.2 and §6; RFC 7009 §2.1).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::{
    oauth::{
        authorization::RedirectUri,
        client::{Client, ClientAuth},
        transport::Request,
        withheld::Withheld,
    },
    secret::{AuthorizationCode, CodeVerifier, RefreshToken},
};

/// What is asked of the token endpoint; one `grant_type` each.
#[derive(Debug)]
pub enum TokenRequest<'a> {
    /// A code for the first pair of tokens (RFC 6749 §4.1.3 with RFC 7636 §4.5).
    AuthorizationCode {
        /// The code.
        code: &'a AuthorizationCode,
        /// Byte for byte the one of the authorization request.
        redirect_uri: &'a RedirectUri,
        /// The verifier of its challenge.
        verifier: &'a CodeVerifier,
    },
    /// A refresh (RFC 6749 §6). The expired access token is no part of it.
    RefreshToken(&'a RefreshToken),
    /// A token of the client's own (RFC 6749 §4.4); used to check credentials.
    ClientCredentials,
}

impl TokenRequest<'_> {
    /// What of it is secret, in the ways in which it is written.
    pub fn secrets(&self, client: &Client) -> Withheld {
        let mut secrets = match self {
            Self::AuthorizationCode { code, verifier, .. } => {
                vec![code.expose(), verifier.expose()]
            }
            Self::RefreshToken(token) => vec![token.expose()],
            Self::ClientCredentials => Vec::new(),
        };
        let proof = match &client.auth {
            ClientAuth::SecretBasic(secret) => {
                secrets.push(secret.expose());
                Some(basic(client, secret.expose()))
            }
            ClientAuth::None => None,
        };
        let proof = proof.as_ref().and_then(|it| it.to_str().ok());
        let proof = proof.and_then(|it| it.strip_prefix("Basic "));
        Withheld::new(secrets.into_iter().chain(proof))
    }

    /// The HTTP request, authenticated as the client.
    pub fn to_request(&self, client: &Client, path: &str) -> Request {
        match self {
            Self::AuthorizationCode {
                code,
                redirect_uri,
                verifier,
            } => {
                let pairs = [
                    ("grant_type", "authorization_code"),
                    ("code", code.expose()),
                    ("redirect_uri", redirect_uri.as_str()),
                    ("code_verifier", verifier.expose()),
                ];
                post(client, path, &pairs)
            }
            Self::RefreshToken(token) => {
                let pairs = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", token.expose()),
                ];
                post(client, path, &pairs)
            }
            Self::ClientCredentials => post(client, path, &[("grant_type", "client_credentials")]),
        }
    }
}

/// Asks that a refresh token be revoked (RFC 7009 §2.1).
pub fn revocation_request(client: &Client, token: &RefreshToken, path: &str) -> Request {
    post(
        client,
        path,
        &[
            ("token", token.expose()),
            ("token_type_hint", "refresh_token"),
        ],
    )
}

/// A form, with the client's proof in the header or its name in the body.
fn post(client: &Client, path: &str, pairs: &[(&str, &str)]) -> Request {
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let public = match &client.auth {
        ClientAuth::SecretBasic(secret) => {
            headers.insert(header::AUTHORIZATION, basic(client, secret.expose()));
            None
        }
        ClientAuth::None => Some(("client_id", client.id.as_str())),
    };
    let body = encode(pairs.iter().copied().chain(public));
    Request {
        method: Method::POST,
        path: path.to_owned(),
        headers,
        body,
    }
}

fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Zeroizing<Vec<u8>> {
    // Sized once for the worst case: growing would leave a copy of the secret behind.
    let size = pairs
        .clone()
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum();
    let mut body = Zeroizing::new(Vec::with_capacity(size));
    for (name, value) in pairs {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for part in form_urlencoded::byte_serialize(value.as_bytes()) {
            body.extend_from_slice(part.as_bytes());
        }
    }
    body
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined, which leaves the hexadecimal
/// ones of Spotify as they are.
fn basic(client: &Client, secret: &str) -> HeaderValue {
    let mut pair = Zeroizing::new(String::with_capacity(1024));
    pair.extend(form_urlencoded::byte_serialize(
        client.id.as_str().as_bytes(),
    ));
    pair.push(':');
    pair.extend(form_urlencoded::byte_serialize(secret.as_bytes()));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    // Base64 is always a legal header value.
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ClientSecret;

    fn confidential() -> Client {
        let auth = ClientAuth::SecretBasic(ClientSecret::new("s3cret"));
        Client {
            id: "id1".parse().unwrap(),
            auth,
        }
    }

    fn public() -> Client {
        Client {
            id: "id1".parse().unwrap(),
            auth: ClientAuth::None,
        }
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(&request.body).unwrap()
    }

    #[test]
    fn a_confidential_client_proves_itself_in_the_header() {
        let request = TokenRequest::RefreshToken(&RefreshToken::new("AQ+/="))
            .to_request(&confidential(), "/api/token");
        assert_eq!(
            body(&request),
            "grant_type=refresh_token&refresh_token=AQ%2B%2F%3D"
        );
        assert_eq!(
            request.headers[header::AUTHORIZATION],
            "Basic aWQxOnMzY3JldA=="
        );
        assert!(request.headers[header::AUTHORIZATION].is_sensitive());
        assert!(!format!("{request:?}").contains("AQ"));
    }

    #[test]
    fn a_public_client_names_itself_in_the_body() {
        let request = TokenRequest::AuthorizationCode {
            code: &AuthorizationCode::new("AQc"),
            redirect_uri: &"http://127.0.0.1:1/c".parse().unwrap(),
            verifier: &CodeVerifier::new("ver"),
        }
        .to_request(&public(), "/api/token");
        assert_eq!(
            body(&request),
            "grant_type=authorization_code&code=AQc&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fc\
             &code_verifier=ver&client_id=id1"
        );
        assert!(!request.headers.contains_key(header::AUTHORIZATION));
    }

    #[test]
    fn every_secret_of_a_request_is_withheld_as_it_is_written() {
        let code = AuthorizationCode::new("AQc");
        let verifier = CodeVerifier::new("ver");
        let request = TokenRequest::AuthorizationCode {
            code: &code,
            redirect_uri: &"http://127.0.0.1:1/c".parse().unwrap(),
            verifier: &verifier,
        };
        let withheld = request.secrets(&confidential());
        for secret in ["AQc", "ver", "s3cret", "aWQxOnMzY3JldA=="] {
            let shown = withheld.shown(&format!("it was {secret}."), 200);
            assert!(shown.starts_with("(withheld"), "{shown}");
        }
        assert_eq!(withheld.shown("client id1", 200), "client id1");
        assert!(!format!("{withheld:?}").contains("AQc"));
    }

    #[test]
    fn no_secret_is_in_the_path() {
        let request = revocation_request(&public(), &RefreshToken::new("AQr"), "/revoke");
        assert_eq!(request.path, "/revoke");
        assert_eq!(
            body(&request),
            "token=AQr&token_type_hint=refresh_token&client_id=id1"
        );
    }
}
