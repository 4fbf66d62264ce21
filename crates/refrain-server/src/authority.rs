//! Whom a request is meant for: what its Host names, and which page it comes from.
//!
//! A server on loopback is reached by every web page that the user has open, so being local proves nothing.
//! A page that binds its own name to 127.0.0.1 is told apart by the name (RFC 9110 §7.4), and one that
//! calls from its own origin by what the browser says of it. Both are looked at before anything else.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use refrain::config::HostName;

use crate::fault::Fault;

/// The names that a listener answers to.
#[derive(Debug, Clone)]
pub(crate) struct Authorities {
    /// `None`: any, because no browser reaches it (a Unix socket).
    names: Option<Vec<Box<str>>>,
    scheme: &'static str,
}

impl Authorities {
    /// Those of a TCP listener: its address, `localhost` where that is loopback, and what the configuration
    /// adds, which is meant without a port or with its own.
    pub(crate) fn of(address: SocketAddr, tls: bool, configured: &[HostName]) -> Self {
        let (scheme, default) = if tls { ("https", 443) } else { ("http", 80) };
        let port = address.port();
        let mut hosts: Vec<String> = Vec::new();
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            hosts.extend(["127.0.0.1", "[::1]", "localhost"].map(str::to_owned));
        }
        if !address.ip().is_unspecified() {
            hosts.push(match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
        }
        let configured: Vec<String> = configured.iter().map(ToString::to_string).collect();
        hosts.extend(configured.iter().cloned());
        let mut names: Vec<Box<str>> = hosts
            .iter()
            .map(|host| format!("{host}:{port}").into())
            .collect();
        if port == default {
            names.extend(hosts.into_iter().map(String::into_boxed_str));
        }
        names.extend(configured.into_iter().map(String::into_boxed_str));
        let names = Some(names);
        Self { names, scheme }
    }

    /// Those of a listener that no browser reaches.
    pub(crate) fn any() -> Self {
        let scheme = "http";
        Self {
            names: None,
            scheme,
        }
    }

    /// How links to refrain begin: `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Whether it goes by a name, which may have a port.
    pub(crate) fn include(&self, name: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Lets a request through that is meant for this server and comes from no foreign page.
    ///
    /// # Errors
    /// 421 for another name (RFC 9110 §15.5.20), 400 for none or several, 403 for a foreign page.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), Fault> {
        if self.names.is_none() {
            return Ok(());
        }
        let host = host(request)?;
        if !self.include(host) {
            return Err(Fault::request(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "this server does not go by the name in Host",
                "add the name to server.names in the configuration, if it is yours",
            )
            .closing());
        }
        self.check_page(request.headers(), host)
    }

    /// What the browser says about the page behind the request (Fetch Metadata, RFC 6454 §7).
    fn check_page(&self, headers: &HeaderMap, host: &str) -> Result<(), Fault> {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let own_site = matches!(site, None | Some(b"same-origin" | b"none"));
        let own = |origin: &HeaderValue| {
            let own = format!("{}://{host}", self.scheme);
            origin.as_bytes().eq_ignore_ascii_case(own.as_bytes())
        };
        let own_origin = headers.get_all(header::ORIGIN).iter().all(own);
        if own_site && own_origin {
            return Ok(());
        }
        Err(Fault::request(
            StatusCode::FORBIDDEN,
            "foreign_page",
            "the request comes from a page of another origin",
            "call refrain from a program, or from a page that it serves itself",
        ))
    }
}

/// The one name that a request is for: the Host header, which an absolute target has to repeat.
fn host<B>(request: &Request<B>) -> Result<&str, Fault> {
    let bad = |what: &'static str| {
        let fix = "send one Host header with name and port";
        Fault::request(StatusCode::BAD_REQUEST, "bad_host", what, fix).closing()
    };
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = hosts.next().map(|host| host.to_str().unwrap_or_default());
    if hosts.next().is_some() {
        return Err(bad("the request has several Host headers"));
    }
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    match (named, target) {
        (Some(named), None) => Ok(named),
        (Some(named), Some(target)) if named.eq_ignore_ascii_case(target) => Ok(named),
        (Some(_), Some(_)) => Err(bad(
            "the target of the request is for another host than Host",
        )),
        // HTTP/2 has it in the target alone.
        (None, Some(target)) if request.version() == http::Version::HTTP_2 => Ok(target),
        (None, _) => Err(bad("the request has no Host header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorities() -> Authorities {
        Authorities::of(
            "127.0.0.1:4280".parse().unwrap(),
            false,
            &["refrain.example".parse().unwrap()],
        )
    }

    fn code(target: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let checked = authorities().check(&request.body(()).unwrap());
        checked.err().map(|fault| fault.code())
    }

    #[test]
    fn its_own_names_are_answered_and_no_others() {
        for (host, expected) in [
            ("127.0.0.1:4280", None),
            ("[::1]:4280", None),
            ("localhost:4280", None),
            ("LocalHost:4280", None),
            ("refrain.example", None),
            ("refrain.example:4280", None),
            ("127.0.0.1", Some("wrong_host")),
            ("127.0.0.1:80", Some("wrong_host")),
            ("127.0.0.1:4280.", Some("wrong_host")),
            ("localhost.:4280", Some("wrong_host")),
            ("0.0.0.0:4280", Some("wrong_host")),
            ("127.1:4280", Some("wrong_host")),
            ("localtest.me:4280", Some("wrong_host")),
            ("evil.example", Some("wrong_host")),
            ("user@127.0.0.1:4280", Some("wrong_host")),
            ("127.0.0.1:4280, evil.example", Some("wrong_host")),
            ("", Some("wrong_host")),
        ] {
            assert_eq!(code("/v1/me", &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let own = ("host", "127.0.0.1:4280");
        assert_eq!(code("/v1/me", &[]), Some("bad_host"));
        assert_eq!(code("/v1/me", &[own, own]), Some("bad_host"));
        assert_eq!(code("http://evil.example/v1/me", &[own]), Some("bad_host"));
        assert_eq!(code("http://127.0.0.1:4280/v1/me", &[own]), None);
        assert_eq!(code("http://evil.example/v1/me", &[]), Some("bad_host"));
    }

    #[test]
    fn pages_of_other_origins_are_turned_away() {
        let own = ("host", "127.0.0.1:4280");
        for (name, value, expected) in [
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
            ("sec-fetch-site", "same-site", Some("foreign_page")),
            ("sec-fetch-site", "cross-site", Some("foreign_page")),
            ("sec-fetch-site", "", Some("foreign_page")),
            ("origin", "http://127.0.0.1:4280", None),
            ("origin", "https://127.0.0.1:4280", Some("foreign_page")),
            ("origin", "http://localhost:4280", Some("foreign_page")),
            ("origin", "http://evil.example", Some("foreign_page")),
            ("origin", "null", Some("foreign_page")),
        ] {
            assert_eq!(
                code("/v1/me", &[own, (name, value)]),
                expected,
                "{name}: {value}"
            );
        }
    }
}
