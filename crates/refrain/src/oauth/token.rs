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
    /// The HTTP request, authenticated as the client.
    pub fn to_request(&self, client: &Client, path: &str) -> Request {
        let mut form = Form::new(client);
        match self {
            Self::AuthorizationCode {
                code,
                redirect_uri,
                verifier,
            } => {
                form.pair("grant_type", "authorization_code");
                form.pair("code", code.expose());
                form.pair("redirect_uri", redirect_uri.as_str());
                form.pair("code_verifier", verifier.expose());
            }
            Self::RefreshToken(token) => {
                form.pair("grant_type", "refresh_token");
                form.pair("refresh_token", token.expose());
            }
            Self::ClientCredentials => form.pair("grant_type", "client_credentials"),
        }
        form.post(path)
    }
}

/// Asks that a refresh token be revoked (RFC 7009 §2.1).
pub fn revocation_request(client: &Client, token: &RefreshToken, path: &str) -> Request {
    let mut form = Form::new(client);
    form.pair("token", token.expose());
    form.pair("token_type_hint", "refresh_token");
    form.post(path)
}

/// A form body under construction. Its buffer is sized once, so that no copy of a secret is left behind
/// by growing.
struct Form<'a> {
    client: &'a Client,
    body: Zeroizing<Vec<u8>>,
}

impl<'a> Form<'a> {
    fn new(client: &'a Client) -> Self {
        Self {
            client,
            body: Zeroizing::new(Vec::with_capacity(16 * 1024)),
        }
    }

    fn pair(&mut self, name: &str, value: &str) {
        if !self.body.is_empty() {
            self.body.push(b'&');
        }
        self.body.extend_from_slice(name.as_bytes());
        self.body.push(b'=');
        for part in form_urlencoded::byte_serialize(value.as_bytes()) {
            self.body.extend_from_slice(part.as_bytes());
        }
    }

    fn post(mut self, path: &str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        match &self.client.auth {
            ClientAuth::SecretBasic(secret) => {
                headers.insert(header::AUTHORIZATION, basic(self.client, secret.expose()));
            }
            ClientAuth::None => self.pair("client_id", self.client.id.as_str()),
        }
        Request {
            method: Method::POST,
            path: path.to_owned(),
            headers,
            body: self.body,
        }
    }
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
    fn no_secret_is_in_the_path() {
        let request = revocation_request(&public(), &RefreshToken::new("AQr"), "/revoke");
        assert_eq!(request.path, "/revoke");
        assert_eq!(
            body(&request),
            "token=AQr&token_type_hint=refresh_token&client_id=id1"
        );
    }
}
