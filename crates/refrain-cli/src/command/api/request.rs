//! From the command line to a request. Whatever does not lead to the API is refused before anything is
//! opened or sent.

use std::{
    fs,
    io::{self, Read as _},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use refrain::oauth::origin::Origin;
use url::Url;

use crate::{args::ApiArgs, report::Explanation};

/// A call that has been understood.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    target: String,
}

// === impl Call ===

impl Call {
    pub(super) fn read(args: &ApiArgs) -> Result<Self, Explanation> {
        let method = method(args)?;
        let mut headers = headers(&args.headers)?;
        let body = args.body.as_deref().map(body).transpose()?;
        if body.is_some() && !headers.contains_key(header::CONTENT_TYPE) {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let writes = matches!(
            method,
            Method::PUT | Method::POST | Method::DELETE | Method::PATCH
        );
        let body = match body {
            // Spotify's gateway answers 411 to a write without a length.
            None if writes => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
                Some(Vec::new())
            }
            body => body,
        };
        let target = args.path.clone();
        if !target.starts_with('/') && !target.contains("://") {
            let fix = format!("write it with a slash: /{target}");
            return Err(Explanation::usage(
                "the path does not begin with a slash",
                fix,
            ));
        }
        Ok(Self {
            method,
            headers,
            body,
            target,
        })
    }

    /// Where to: on the API's origin and nowhere else.
    pub(super) fn url(&self, api: &Origin) -> Result<Url, Explanation> {
        let refused = |why: &str| {
            let fix = format!("name a path such as /v1/me, or a URL that begins with {api}/");
            Explanation::usage(why, fix)
        };
        let text = if self.target.starts_with('/') {
            api.join(&self.target)
        } else {
            self.target.clone()
        };
        let url: Url = text
            .parse()
            .map_err(|error| refused(&format!("the URL cannot be understood: {error}")))?;
        let bare = url.username().is_empty() && url.password().is_none();
        if !api.covers(&url) || !bare {
            return Err(refused(
                "the URL leads elsewhere, and the token is for the API alone",
            ));
        }
        Ok(url)
    }
}

fn method(args: &ApiArgs) -> Result<Method, Explanation> {
    let Some(name) = &args.method else {
        return Ok(if args.body.is_some() {
            Method::POST
        } else {
            Method::GET
        });
    };
    let name = name.to_ascii_uppercase();
    Method::from_bytes(name.as_bytes())
        .map_err(|_| Explanation::usage(format!("{name:?} is no HTTP method"), "such as: -X PUT"))
}

fn headers(given: &[String]) -> Result<HeaderMap, Explanation> {
    let mut headers = HeaderMap::new();
    for text in given {
        // The text is not repeated: people put secrets into headers.
        let wrong = |why: &str| Explanation::usage(why, "write it so: -H 'Name: value'");
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| wrong("a header has no colon"))?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| wrong("a header has an illegal name"))?;
        let value: HeaderValue = value
            .trim()
            .parse()
            .map_err(|_| wrong("a header has an illegal value"))?;
        if [header::AUTHORIZATION, header::HOST, header::CONTENT_LENGTH].contains(&name) {
            return Err(Explanation::usage(
                format!("the header {name} is refrain's to set"),
                "leave it out",
            ));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

fn body(text: &str) -> Result<Vec<u8>, Explanation> {
    let read = match text.strip_prefix('@') {
        None if text == "-" => stdin(),
        None => return Ok(text.as_bytes().to_vec()),
        Some("-") => stdin(),
        Some(path) => fs::read(path),
    };
    read.map_err(|error| {
        Explanation::usage(
            format!("the body cannot be read: {error}"),
            "-d TEXT, -d @FILE, or -d - for standard input",
        )
    })
}

fn stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(path: &str) -> ApiArgs {
        ApiArgs {
            method: None,
            body: None,
            headers: Vec::new(),
            grant: None,
            include: false,
            path: path.to_owned(),
        }
    }

    fn refused(args: &ApiArgs) -> bool {
        let api = "https://api.spotify.com".parse().unwrap();
        Call::read(args).and_then(|call| call.url(&api)).is_err()
    }

    #[test]
    fn only_the_api_is_called() {
        for good in [
            "/v1/me",
            "/v1/search?q=a b",
            "https://api.spotify.com/v1/me",
            "https://api.spotify.com:443/v1/me",
        ] {
            assert!(!refused(&args(good)), "{good}");
        }
        for bad in [
            "v1/me",
            "",
            "http://api.spotify.com/v1/me",
            "https://evil.example/v1/me",
            "https://api.spotify.com.evil.example/",
            "https://u:p@api.spotify.com/v1/me",
            "file:///etc/passwd",
        ] {
            assert!(refused(&args(bad)), "{bad}");
        }
        // What looks like a host after the slash stays a path of the API.
        let api = "https://api.spotify.com".parse().unwrap();
        for path in ["//evil.example/v1/me", "/@evil.example/", "/\\evil.example"] {
            let url = Call::read(&args(path)).unwrap().url(&api).unwrap();
            assert_eq!(url.host_str(), Some("api.spotify.com"), "{path}");
        }
    }

    #[test]
    fn a_body_makes_a_post_of_json() {
        let mut with_body = args("/v1/me");
        with_body.body = Some("{}".to_owned());
        let call = Call::read(&with_body).unwrap();
        assert_eq!(call.method, Method::POST);
        assert_eq!(call.headers["content-type"], "application/json");
        with_body.headers = vec!["Content-Type: image/jpeg".to_owned()];
        with_body.method = Some("put".to_owned());
        let call = Call::read(&with_body).unwrap();
        assert_eq!(call.method, Method::PUT);
        assert_eq!(call.headers["content-type"], "image/jpeg");
    }

    #[test]
    fn a_write_without_a_body_says_so() {
        for (method, length) in [
            ("PUT", true),
            ("POST", true),
            ("DELETE", true),
            ("GET", false),
        ] {
            let mut args = args("/v1/me");
            args.method = Some(method.to_owned());
            let call = Call::read(&args).unwrap();
            assert_eq!(
                call.headers.contains_key("content-length"),
                length,
                "{method}"
            );
            assert_eq!(call.body.is_some(), length, "{method}");
        }
    }

    #[test]
    fn headers_that_are_refrains_are_refused() {
        for header in [
            "Authorization: Bearer x",
            "host: x",
            "no colon",
            "a b: c",
            "a: \n",
        ] {
            let mut args = args("/v1/me");
            args.headers = vec![header.to_owned()];
            assert_eq!(refused(&args), header != "a: \n", "{header:?}");
        }
    }
}
