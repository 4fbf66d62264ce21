//! Whom a request is meant for: what its Host names, and which page it comes from.
//!
//! A server on loopback is reached by every web page that the user has open, so being local proves nothing.
//! A page that binds its own name to 127.0.0.1 is told apart by the name (RFC 9110 §7.4), and one that
//! calls from its own origin by what the browser says of it. Both are looked at before anything else.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

use refrain::config::HostName;

use crate::fault::{Fault, code};

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

    /// The origin under which somebody has reached this server who calls it by this host. Under a name alone,
    /// without a port, there is a proxy in front that ends TLS: a link to plain HTTP would have his key sent
    /// in the clear.
    pub(crate) fn origin(&self, host: &str) -> String {
        let local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        let scheme = if self.names.is_some() && !has_port(host) && !local {
            "https"
        } else {
            self.scheme
        };
        format!("{scheme}://{host}")
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
    /// 421 for another name (RFC 9110 §15.5.20), 400 for none or several, 403 for a foreign page, unless its
    /// user has followed a link of it to a page that welcomes that.
    pub(crate) fn check<B>(&self, request: &Request<B>, welcomes: bool) -> Result<(), Fault> {
        if self.names.is_none() {
            return Ok(());
        }
        let host = host(request)?;
        if !self.include(host) {
            return Err(Fault::request(
                StatusCode::MISDIRECTED_REQUEST,
                code::WRONG_HOST,
                "this server does not go by the name in Host",
                "add the name to server.names in the configuration, if it is yours",
            )
            .closing());
        }
        if welcomes && is_visit(request) {
            return Ok(());
        }
        self.check_page(request.headers(), host)
    }

    /// What the browser says about the page behind the request (Fetch Metadata, RFC 6454 §7).
    fn check_page(&self, headers: &HeaderMap, host: &str) -> Result<(), Fault> {
        if self.is_own_page(headers, host) {
            return Ok(());
        }
        Err(foreign_page())
    }

    /// Whether a request comes from a page that was reached by this host, or from no page.
    pub(crate) fn is_own_page(&self, headers: &HeaderMap, host: &str) -> bool {
        let own = format!("{}://{host}", self.scheme);
        is_own_page(headers, &[&own, &self.origin(host)])
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, it)| !it.ends_with(']'))
}

/// Whether a request comes from a page of one of these origins, or from no page. Of a page that keeps its
/// address to itself the browser names no origin (Fetch §3.2, `no-referrer`), and still says that it is ours.
pub(crate) fn is_own_page(headers: &HeaderMap, origins: &[&str]) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let own_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let own = |origin: &HeaderValue| {
        let own = origins.iter().map(|it| it.as_bytes());
        let mut own = own.map(|it| origin.as_bytes().eq_ignore_ascii_case(it));
        own.any(|own| own) || (origin == "null" && site == Some(b"same-origin"))
    };
    own_site && headers.get_all(header::ORIGIN).iter().all(own)
}

pub(crate) fn foreign_page() -> Fault {
    Fault::request(
        StatusCode::FORBIDDEN,
        code::FOREIGN_PAGE,
        "the request comes from a page of another origin",
        "call refrain from a program, or from a page that it serves itself",
    )
}

/// Whether a browser opens the target as a page of its own, by a link or a redirect: in no frame, and by no
/// script that could read it.
fn is_visit<B>(request: &Request<B>) -> bool {
    let is = |name: &str, value: &str| request.headers().get(name).is_some_and(|it| it == value);
    matches!(*request.method(), Method::GET | Method::HEAD)
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

/// The host and port of an origin.
pub(crate) fn of_origin(origin: &str) -> &str {
    origin
        .split_once("://")
        .map_or("", |(_, authority)| authority)
}

/// The one name that a request is for: the Host header, which an absolute target has to repeat.
fn host<B>(request: &Request<B>) -> Result<&str, Fault> {
    host_of(request.headers(), request.uri(), request.version())
}

/// The same, of a request whose head is at hand.
pub(crate) fn host_of<'r>(
    headers: &'r HeaderMap,
    uri: &'r Uri,
    version: Version,
) -> Result<&'r str, Fault> {
    let bad = |what: &'static str| {
        let fix = "send one Host header with name and port";
        Fault::request(StatusCode::BAD_REQUEST, code::BAD_HOST, what, fix).closing()
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = hosts.next().map(|host| host.to_str().unwrap_or_default());
    if hosts.next().is_some() {
        return Err(bad("the request has several Host headers"));
    }
    let target = uri.authority().map(http::uri::Authority::as_str);
    match (named, target) {
        (Some(named), None) => Ok(named),
        (Some(named), Some(target)) if named.eq_ignore_ascii_case(target) => Ok(named),
        (Some(_), Some(_)) => Err(bad(
            "the target of the request is for another host than Host",
        )),
        // HTTP/2 has it in the target alone.
        (None, Some(target)) if version == Version::HTTP_2 => Ok(target),
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
        let checked = authorities().check(&request.body(()).unwrap(), false);
        checked.err().map(|fault| fault.code())
    }

    #[test]
    fn a_name_without_a_port_is_that_of_a_proxy_that_ends_tls() {
        let plain = authorities();
        for (host, origin) in [
            ("refrain.example", "https://refrain.example"),
            ("refrain.example:4280", "http://refrain.example:4280"),
            ("127.0.0.1:4280", "http://127.0.0.1:4280"),
            ("[::1]:4280", "http://[::1]:4280"),
            ("localhost", "http://localhost"),
        ] {
            assert_eq!(plain.origin(host), origin);
        }
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
            ("origin", "https://refrain.example", Some("foreign_page")),
        ] {
            assert_eq!(
                code("/v1/me", &[own, (name, value)]),
                expected,
                "{name}: {value}"
            );
        }
        // Behind a proxy that ends TLS.
        let named = ("host", "refrain.example");
        for (origin, expected) in [
            ("https://refrain.example", None),
            ("http://refrain.example", None),
            ("https://refrain.example:8443", Some("foreign_page")),
            ("https://evil.refrain.example", Some("foreign_page")),
        ] {
            assert_eq!(
                code("/v1/me", &[named, ("origin", origin)]),
                expected,
                "{origin}"
            );
        }
    }

    #[test]
    fn a_page_that_keeps_its_address_to_itself_is_believed_by_what_the_browser_says() {
        let own = ("host", "127.0.0.1:4280");
        for (site, expected) in [
            ("same-origin", None),
            ("none", Some("foreign_page")),
            ("same-site", Some("foreign_page")),
            ("cross-site", Some("foreign_page")),
        ] {
            let headers = [own, ("origin", "null"), ("sec-fetch-site", site)];
            assert_eq!(code("/connect/x", &headers), expected, "{site}");
        }
    }

    #[test]
    fn a_link_may_be_followed_from_anywhere_to_what_welcomes_it() {
        let checked = |method: &str, mode: &str, dest: &str, welcomes| {
            let request = Request::builder()
                .method(method)
                .uri("/callback")
                .header("host", "127.0.0.1:4280")
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest);
            authorities()
                .check(&request.body(()).unwrap(), welcomes)
                .is_ok()
        };
        assert!(checked("GET", "navigate", "document", true));
        assert!(checked("HEAD", "navigate", "document", true));
        assert!(!checked("GET", "navigate", "document", false));
        assert!(
            !checked("POST", "navigate", "document", true),
            "a form of theirs"
        );
        assert!(!checked("GET", "navigate", "iframe", true));
        assert!(!checked("GET", "no-cors", "image", true));
        assert!(!checked("GET", "cors", "empty", true));
    }
}
