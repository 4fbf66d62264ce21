//! How browsers reach this server, and where they may be sent from here.
//!
//! A consent comes back to the redirect URI of its app, with the cookie of the browser that began it; so the
//! page where it begins has to be at the same origin. That decides what the URL of a link is, and whether
//! there can be one.

use std::{net::IpAddr, sync::Arc};

use http::StatusCode;
use refrain::{
    Error, Refrain,
    config::{ReturnRule, ReturnTo, Server},
    id::AppName,
    keeper::{Problem, login::LoginError},
    oauth::authorization::RedirectUri,
};

use crate::{authority::Authorities, fault::Fault, listen::Listener};

/// Where consents come back; the path of every redirect URI that leads here.
pub(crate) const CALLBACK: &str = "/callback";
/// Where the pages for whoever runs refrain begin.
pub(crate) const DASHBOARD: &str = "/dashboard";

/// The listener that browsers reach, and the places where users may be sent.
#[derive(Debug)]
pub(crate) struct Front {
    /// Its names. A Unix socket has none: a browser reaches it through a proxy alone, whose user would speak
    /// for everybody.
    authorities: Option<Arc<Authorities>>,
    port: Option<u16>,
    return_to: Vec<ReturnRule>,
    sessions: Option<AppName>,
}

impl Front {
    pub(crate) fn of(listeners: &[Listener], config: &Server) -> Self {
        let tcp = listeners.iter().find(|it| it.address().is_some());
        Self {
            authorities: tcp.map(Listener::authorities).cloned(),
            port: tcp.and_then(Listener::address).map(|it| it.port()),
            return_to: config.return_to.clone(),
            sessions: config.sessions.app.clone(),
        }
    }

    /// The port for redirect URIs that were registered without one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The app whose users may sign in with a browser, if any may.
    pub(crate) fn sessions(&self) -> Option<&AppName> {
        self.sessions.as_ref()
    }

    /// Whether a user may be sent there; nowhere, unless the configuration says so.
    pub(crate) fn may_send_to(&self, url: &ReturnTo) -> bool {
        self.return_to.iter().any(|rule| rule.allows(url))
    }

    /// Whether it is a page of the dashboard: whoever has begun there comes back to it.
    pub(crate) fn leads_home(&self, url: &ReturnTo) -> bool {
        let origin = url.origin();
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        let here = self.authorities.as_ref();
        let text = url.to_string();
        let path = text.strip_prefix(&origin).unwrap_or_default();
        here.is_some_and(|it| it.include(authority))
            && (path == DASHBOARD
                || path
                    .strip_prefix(DASHBOARD)
                    .is_some_and(|it| it.starts_with('/')))
    }

    /// The origin at which an app's users consent.
    ///
    /// # Errors
    /// 409 where the app is not configured, or its redirect URI does not lead to this server.
    pub(crate) fn origin(&self, refrain: &Refrain, app: &AppName) -> Result<String, Fault> {
        let redirect = refrain.redirect_uri(app, self.port);
        let redirect = redirect.map_err(|error| refused(&error))?;
        if let Some(why) = self.elsewhere(&redirect) {
            let what =
                format!("the redirect URI {redirect} of app {app} does not lead here: {why}");
            let fix = "set redirect_uri, there and in Spotify's dashboard, to an address of this server \
                       with the path /callback; names other than this machine's are in server.names";
            return Err(conflict("redirect_elsewhere", what, fix));
        }
        Ok(redirect.url().origin().ascii_serialization())
    }

    /// Why an answer to this redirect URI would not come here, as far as it can be told.
    fn elsewhere(&self, redirect: &RedirectUri) -> Option<&'static str> {
        let url = redirect.url();
        if url.path() != CALLBACK || url.query().is_some() {
            return Some("its path is not /callback");
        }
        let host = url.host_str().unwrap_or_default();
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let Some(authorities) = &self.authorities else {
            return Some("this server listens at no address for browsers");
        };
        if !authorities.include(&authority) {
            return Some("this server does not go by its host and port");
        }
        // The other way round there can be a proxy in front that ends TLS.
        if authorities.scheme() == "https" && url.scheme() != "https" {
            return Some("this server speaks https alone");
        }
        None
    }
}

/// The origin at which browsers reach a server with these settings: its first name, behind a proxy that ends
/// TLS unless the server does so itself, or else its address. `None` where it listens for no browsers.
pub fn origin(config: &Server) -> Option<String> {
    let address = config.listen?;
    let (scheme, usual) = match config.tls {
        Some(_) => ("https", 443),
        None => ("http", 80),
    };
    let port = address.port();
    let at_port = |host: &str| match port {
        port if port == usual => format!("{scheme}://{host}"),
        port => format!("{scheme}://{host}:{port}"),
    };
    Some(match (config.names.first(), address.ip()) {
        (Some(name), _) if config.tls.is_some() => at_port(name.as_str()),
        (Some(name), _) => format!("https://{name}"),
        (None, IpAddr::V4(ip)) if !ip.is_unspecified() => at_port(&ip.to_string()),
        (None, IpAddr::V6(ip)) if !ip.is_unspecified() => at_port(&format!("[{ip}]")),
        (None, _) => at_port("127.0.0.1"),
    })
}

/// What is wrong with the app that a caller names.
fn refused(error: &Error) -> Fault {
    let told = error.explain();
    let fix = match error.problem() {
        Problem::Login(LoginError::Redirect { .. }) => told.fix,
        _ => "name one of the apps in the configuration".to_owned(),
    };
    conflict(told.code, told.what, fix)
}

fn conflict(code: &'static str, what: String, fix: impl Into<String>) -> Fault {
    Fault::request(StatusCode::CONFLICT, code, what, fix)
}

#[cfg(test)]
mod tests {
    use refrain::config::HostName;

    use super::*;

    fn front(address: &str, tls: bool) -> Front {
        let names: Vec<HostName> = vec!["music.example".parse().unwrap()];
        let address: std::net::SocketAddr = address.parse().unwrap();
        Front {
            authorities: Some(Arc::new(Authorities::of(address, tls, &names))),
            port: Some(address.port()),
            return_to: Vec::new(),
            sessions: None,
        }
    }

    #[test]
    fn browsers_reach_a_server_by_its_name_or_its_address() {
        let files = || refrain::config::TlsFiles {
            certificate: "/c".into(),
            key: "/k".into(),
        };
        let at = |listen: &str, name: Option<&str>, tls: bool| {
            let mut server = Server::default();
            server.listen = Some(listen.parse().unwrap());
            server.names = name.map(|name| name.parse().unwrap()).into_iter().collect();
            server.tls = tls.then(files);
            origin(&server)
        };
        let name = Some("music.example");
        for (listen, name, tls, expected) in [
            ("127.0.0.1:4280", None, false, "http://127.0.0.1:4280"),
            ("[::1]:4280", None, false, "http://[::1]:4280"),
            ("0.0.0.0:4280", None, true, "https://127.0.0.1:4280"),
            ("[::]:443", name, true, "https://music.example"),
            ("[::]:8443", name, true, "https://music.example:8443"),
            ("127.0.0.1:4280", name, false, "https://music.example"),
            ("192.168.1.5:80", None, false, "http://192.168.1.5"),
        ] {
            assert_eq!(at(listen, name, tls).as_deref(), Some(expected));
        }
        let mut nowhere = Server::default();
        nowhere.listen = None;
        assert_eq!(origin(&nowhere), None);
    }

    #[test]
    fn a_redirect_leads_here_or_it_does_not() {
        let (plain, tls) = (front("127.0.0.1:4280", false), front("0.0.0.0:443", true));
        for (front, redirect, here) in [
            (&plain, "http://127.0.0.1:4280/callback", true),
            (&plain, "http://[::1]:4280/callback", true),
            (&plain, "https://music.example/callback", true),
            (&plain, "http://127.0.0.1:4281/callback", false),
            (&plain, "http://127.0.0.2:4280/callback", false),
            (&plain, "http://127.0.0.1/callback", false),
            (&plain, "http://127.0.0.1:4280/", false),
            (&plain, "http://127.0.0.1:4280/callback/", false),
            (&plain, "http://127.0.0.1:4280/Callback", false),
            (&plain, "http://127.0.0.1:4280/callback?x=1", false),
            (&plain, "https://other.example/callback", false),
            (&tls, "https://music.example/callback", true),
            (&tls, "http://127.0.0.1:443/callback", false),
            (&tls, "https://music.example:8443/callback", false),
        ] {
            let redirect = redirect.parse().unwrap();
            let elsewhere = front.elsewhere(&redirect);
            assert_eq!(elsewhere.is_none(), here, "{redirect} {elsewhere:?}");
        }
    }
}
