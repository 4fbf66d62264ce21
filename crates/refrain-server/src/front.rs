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

use crate::{
    authority::{self, Authorities},
    fault::{
        Fault,
        code::{self, Code},
    },
    listen::Listener,
};

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
    /// The host and port at which the web app is whose users sign in with a browser.
    app_at: Option<String>,
}

impl Front {
    pub(crate) fn of(listeners: &[Listener], config: &Server, refrain: &Refrain) -> Self {
        let tcp = listeners.iter().find(|it| it.address().is_some());
        let port = tcp.and_then(Listener::address).map(|it| it.port());
        let app = config.sessions.app.as_ref();
        let redirect = app.and_then(|app| refrain.redirect_uri(app, port).ok());
        Self {
            app_at: redirect.as_ref().map(at),
            authorities: tcp.map(Listener::authorities).cloned(),
            port,
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

    /// Whether a browser that names this host is at the web app. What runs there is not refrain's: it shares no
    /// origin with the dashboard, whose pages it could otherwise read and whose buttons it could press.
    pub(crate) fn is_app(&self, host: &str) -> bool {
        let app = self.app_at.as_deref();
        app.is_some_and(|it| it.eq_ignore_ascii_case(host))
    }

    /// Whether a user may be sent there; nowhere, unless the configuration says so.
    pub(crate) fn may_send_to(&self, url: &ReturnTo) -> bool {
        self.return_to.iter().any(|rule| rule.allows(url))
    }

    /// Whether it is a page of the dashboard: whoever has begun there comes back to it.
    pub(crate) fn leads_home(&self, url: &ReturnTo) -> bool {
        let origin = url.origin();
        let authority = authority::of_origin(&origin);
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
            return Err(conflict(code::REDIRECT_ELSEWHERE, what, fix));
        }
        Ok(redirect.url().origin().ascii_serialization())
    }

    /// Why an answer to this redirect URI would not come here, as far as it can be told.
    fn elsewhere(&self, redirect: &RedirectUri) -> Option<&'static str> {
        let url = redirect.url();
        if url.path() != CALLBACK || url.query().is_some() {
            return Some("its path is not /callback");
        }
        let authority = at(redirect);
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

/// The host and port that a redirect URI leads to, as browsers name them.
fn at(redirect: &RedirectUri) -> String {
    let host = redirect.url().host_str().unwrap_or_default();
    match redirect.url().port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The origin of the dashboard of a server with these settings: its first name, behind a proxy that ends TLS
/// unless the server does so itself, or else its address; and not that of the web app, to whose users an app of
/// this redirect URI belongs. `None` where it listens for no browsers.
pub fn dashboard_origin(config: &Server, app: Option<&RedirectUri>) -> Option<String> {
    let app = app.map(at);
    let mut origins = origins(config)?.into_iter();
    origins.find(|origin| app.as_deref() != Some(authority::of_origin(origin)))
}

fn origins(config: &Server) -> Option<Vec<String>> {
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
    let named = config.names.iter().map(|name| match config.tls {
        Some(_) => at_port(name.as_str()),
        None => format!("https://{name}"),
    });
    let own = match address.ip() {
        ip if ip.is_unspecified() => at_port("127.0.0.1"),
        IpAddr::V4(ip) => at_port(&ip.to_string()),
        IpAddr::V6(ip) => at_port(&format!("[{ip}]")),
    };
    let local = address.ip().is_unspecified() || address.ip().is_loopback();
    let local = local.then(|| at_port("localhost"));
    Some(named.chain([own]).chain(local).collect())
}

/// What is wrong with the app that a caller names.
fn refused(error: &Error) -> Fault {
    let told = error.explain();
    let fix = match error.problem() {
        Problem::Login(LoginError::Redirect { .. }) => told.fix,
        _ => "name one of the apps in the configuration".to_owned(),
    };
    conflict(Code::told(told.code), told.what, fix)
}

fn conflict(code: Code, what: String, fix: impl Into<String>) -> Fault {
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
            app_at: None,
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
            dashboard_origin(&server, None)
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
        assert_eq!(dashboard_origin(&nowhere, None), None);
        let app: RedirectUri = "http://127.0.0.1:4280/callback".parse().unwrap();
        let beside = dashboard_origin(&Server::default(), Some(&app));
        assert_eq!(beside.as_deref(), Some("http://localhost:4280"));
        let mut alone = Server::default();
        alone.listen = Some("192.168.1.5:4280".parse().unwrap());
        let app: RedirectUri = "https://192.168.1.5:4280/callback".parse().unwrap();
        assert_eq!(
            dashboard_origin(&alone, Some(&app)),
            None,
            "there is no other"
        );
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
