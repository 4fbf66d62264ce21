//! Who answers at a redirect URI where this process cannot listen.

use std::time::Duration;

use http::{HeaderMap, Method};
use refrain::oauth::{
    authorization::RedirectUri,
    origin::Origin,
    transport::{Request, Transport},
};
use zeroize::Zeroizing;

use crate::report;

/// A refrain answers this at once; another program may say nothing at all, while a person waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who answers at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answers {
    Refrain,
    Other,
    Nobody(String),
}

/// Asks for the page itself, without what a browser would bring: refrain turns that away and says so, and no
/// login is used up.
pub(crate) async fn ask(transport: &dyn Transport, uri: &RedirectUri) -> Answers {
    let asked = tokio::time::timeout(PATIENCE, ask_patiently(transport, uri)).await;
    asked.unwrap_or_else(|_| Answers::Nobody("it says nothing".to_owned()))
}

async fn ask_patiently(transport: &dyn Transport, uri: &RedirectUri) -> Answers {
    let origin: Result<Origin, _> = uri.url().origin().ascii_serialization().parse();
    let Ok(origin) = origin else {
        return Answers::Nobody("it is no place to connect to".to_owned());
    };
    let connection = match transport.connect(&origin).await {
        Ok(connection) => connection,
        Err(error) => return Answers::Nobody(report::with_causes(&error)),
    };
    let request = Request {
        method: Method::GET,
        path: uri.url().path().to_owned(),
        headers: HeaderMap::new(),
        body: Zeroizing::default(),
    };
    match connection.send(request).await {
        Ok(answer) => whose(&answer.headers),
        Err(error) => Answers::Nobody(report::with_causes(&error)),
    }
}

fn whose(headers: &HeaderMap) -> Answers {
    if headers.contains_key("refrain-error") {
        Answers::Refrain
    } else {
        Answers::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refrain_is_known_by_its_refusal() {
        let mut headers = HeaderMap::new();
        assert_eq!(whose(&headers), Answers::Other);
        headers.insert("refrain-error", "login_over".parse().unwrap());
        assert_eq!(whose(&headers), Answers::Refrain);
    }
}
