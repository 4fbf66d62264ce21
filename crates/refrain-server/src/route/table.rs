//! The table: everything that is reached by a path, with its methods and what each of them needs.

use http::Method;
use refrain::access::Permission;

use crate::{
    dashboard::{File, Page},
    fault::Shape,
    front::CALLBACK,
};

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The Web API.
    Api,
    /// The token endpoint for programs that refresh by themselves.
    TokenEndpoint,
    /// What a link asks its user for.
    Connect,
    /// Where consents come back.
    Callback,
    /// Where whoever runs refrain signs in to the dashboard.
    SignIn,
    /// Where a user signs in with a browser.
    SessionLogin,
    /// And out again.
    SessionLogout,
    /// Who is signed in.
    Session,
    /// Whether the process lives.
    Healthz,
    /// Whether it can do its work.
    Readyz,
    /// What is counted here.
    Metrics,
    /// What this server answers, for programs.
    OpenApi,
    /// All grants that the caller reaches.
    Grants,
    /// One grant.
    Grant,
    /// What happened to it.
    Story,
    /// An access token of it.
    Token,
    /// A refresh that a person asks for.
    Refresh,
    /// The API keys.
    Keys,
    /// One of them.
    Key,
    /// Links by which users consent.
    Links,
    /// What was done through this server lately.
    Events,
    /// What was told of grants without anybody asking.
    Notices,
    /// Trying whether messages arrive.
    NoticesTest,
    /// The days on which grants need a new consent.
    Calendar,
    /// Where a browser begins that was told no path.
    Root,
    /// What the pages of the dashboard load.
    File(File),
    /// The pages for whoever runs refrain.
    Dashboard(Page),
}

/// What a caller has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it tells nothing about anybody.
    Nothing,
    /// Credentials of another kind, in the path or the body, which the handler looks at.
    OwnCredentials,
    /// Any key that is valid, or being a peer.
    Known,
    /// Being signed in as somebody who runs refrain.
    Admin,
    /// A key, or being a peer, with this permission.
    Permission(Permission),
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The path. `*` at its end is whatever follows; `{name}` and `{id}` are one segment.
    path: &'static str,
    route: Route,
    /// How refrain tells here that something is wrong.
    shape: Shape,
    methods: &'static [(Method, Needs)],
}

const LOOK: [(Method, Needs); 1] = [(Method::GET, Needs::Admin)];
const ACT: [(Method, Needs); 1] = [(Method::POST, Needs::Admin)];
const LOOK_AND_ACT: [(Method, Needs); 2] =
    [(Method::GET, Needs::Admin), (Method::POST, Needs::Admin)];
const MANAGE: Needs = Needs::Permission(Permission::Manage);
const TOKEN: Needs = Needs::Permission(Permission::Token);
const READ: Needs = Needs::Permission(Permission::ProxyRead);
const WRITE: Needs = Needs::Permission(Permission::Proxy);

impl Entry {
    const fn own(path: &'static str, route: Route, methods: &'static [(Method, Needs)]) -> Self {
        Self {
            path,
            route,
            shape: Shape::Problem,
            methods,
        }
    }

    const fn told_as(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// A page of the dashboard.
    const fn page(path: &'static str, page: Page, methods: &'static [(Method, Needs)]) -> Self {
        Self::own(path, Route::Dashboard(page), methods).told_as(Shape::Dashboard)
    }

    /// What those pages load: it has nothing of anybody's in it.
    const fn file(path: &'static str, file: File) -> Self {
        Self::own(path, Route::File(file), &[(Method::GET, Needs::Nothing)])
    }
}

/// The Web API stands first: it is most of what is asked for.
pub(crate) static TABLE: [Entry; 37] = [
    Entry::own(
        "/v1/*",
        Route::Api,
        &[
            (Method::GET, READ),
            (Method::POST, WRITE),
            (Method::PUT, WRITE),
            (Method::PATCH, WRITE),
            (Method::DELETE, WRITE),
        ],
    )
    .told_as(Shape::Spotify),
    Entry::own(
        "/refrain/v1/grants/{name}/token",
        Route::Token,
        &[(Method::GET, TOKEN), (Method::POST, TOKEN)],
    ),
    Entry::own(
        "/api/token",
        Route::TokenEndpoint,
        &[(Method::POST, Needs::OwnCredentials)],
    )
    .told_as(Shape::OAuth),
    Entry::own(
        "/connect/{link}",
        Route::Connect,
        &[
            (Method::GET, Needs::OwnCredentials),
            (Method::POST, Needs::OwnCredentials),
        ],
    )
    .told_as(Shape::Page),
    Entry::own(
        CALLBACK,
        Route::Callback,
        &[(Method::GET, Needs::OwnCredentials)],
    )
    .told_as(Shape::Page),
    Entry::own(
        "/sign-in/{link}",
        Route::SignIn,
        &[
            (Method::GET, Needs::OwnCredentials),
            (Method::POST, Needs::OwnCredentials),
        ],
    )
    .told_as(Shape::Page),
    Entry::own(
        "/session/login",
        Route::SessionLogin,
        &[
            (Method::GET, Needs::OwnCredentials),
            (Method::POST, Needs::OwnCredentials),
        ],
    )
    .told_as(Shape::Page),
    Entry::own(
        "/session/logout",
        Route::SessionLogout,
        &[(Method::POST, Needs::OwnCredentials)],
    ),
    Entry::own(
        "/session",
        Route::Session,
        &[(Method::GET, Needs::OwnCredentials)],
    ),
    Entry::own("/healthz", Route::Healthz, &[(Method::GET, Needs::Nothing)]),
    Entry::own("/readyz", Route::Readyz, &[(Method::GET, Needs::Nothing)]),
    Entry::own("/metrics", Route::Metrics, &[(Method::GET, Needs::Known)]),
    Entry::own(
        "/refrain/v1/openapi.json",
        Route::OpenApi,
        &[(Method::GET, Needs::Known)],
    ),
    Entry::own(
        "/refrain/v1/grants",
        Route::Grants,
        &[(Method::GET, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/grants/{name}",
        Route::Grant,
        &[(Method::GET, MANAGE), (Method::DELETE, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/grants/{name}/story",
        Route::Story,
        &[(Method::GET, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/grants/{name}/refresh",
        Route::Refresh,
        &[(Method::POST, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/keys",
        Route::Keys,
        &[(Method::GET, MANAGE), (Method::POST, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/keys/{id}",
        Route::Key,
        &[(Method::DELETE, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/connect-links",
        Route::Links,
        &[(Method::POST, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/events",
        Route::Events,
        &[(Method::GET, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/notices",
        Route::Notices,
        &[(Method::GET, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/notices/test",
        Route::NoticesTest,
        &[(Method::POST, MANAGE)],
    ),
    Entry::own(
        "/refrain/v1/reauthorizations.ics",
        Route::Calendar,
        &[(Method::GET, Needs::Known)],
    ),
    Entry::own("/", Route::Root, &[(Method::GET, Needs::Nothing)]).told_as(Shape::Page),
    Entry::file("/dashboard/style.css", File::Style),
    Entry::file("/dashboard/live.js", File::Script),
    Entry::page("/dashboard", Page::Overview, &LOOK),
    Entry::page("/dashboard/grants/{name}", Page::Grant, &LOOK),
    Entry::page("/dashboard/grants/{name}/refresh", Page::Refresh, &ACT),
    Entry::page(
        "/dashboard/grants/{name}/sign-out",
        Page::SignOut,
        &LOOK_AND_ACT,
    ),
    Entry::page("/dashboard/connect", Page::Connect, &LOOK_AND_ACT),
    Entry::page("/dashboard/keys", Page::Keys, &LOOK_AND_ACT),
    Entry::page("/dashboard/keys/{id}/revoke", Page::Revoke, &LOOK_AND_ACT),
    Entry::page("/dashboard/sessions", Page::Sessions, &LOOK),
    Entry::page("/dashboard/sessions/{id}/end", Page::EndSession, &ACT),
    Entry::page("/dashboard/leave", Page::Leave, &ACT),
];

/// The line of a path, and its place in the table; `None` where there is nothing.
pub(crate) fn find(path: &str) -> Option<(usize, &'static Entry)> {
    let mut lines = TABLE.iter().enumerate();
    lines.find(|(_, entry)| entry.is_at(path))
}

impl Entry {
    /// The path, with its parameter in braces.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    pub(crate) fn route(&self) -> Route {
        self.route
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// What a caller has to show for a method; `None` for one that is not known here.
    pub(crate) fn needs(&self, method: &Method) -> Option<Needs> {
        // Whoever may read may ask what reading would bring (RFC 9110 §9.3.2).
        let asked = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let found = self.methods.iter().find(|(known, _)| known == asked);
        found.map(|(_, needs)| *needs).or_else(|| {
            // Others may come to the Web API. Two are about connections, and echo what they are sent.
            let passes = *method != Method::CONNECT && *method != Method::TRACE;
            (self.route == Route::Api && passes).then_some(WRITE)
        })
    }

    /// Whether anybody may know what is here.
    pub(crate) fn is_open(&self) -> bool {
        let open =
            |(_, needs): &(Method, Needs)| matches!(needs, Needs::Nothing | Needs::OwnCredentials);
        self.methods.iter().all(open)
    }

    /// Whether it is a page of whoever runs refrain, or on the way to one.
    pub(crate) fn is_for_admins(&self) -> bool {
        matches!(
            self.route,
            Route::Root | Route::SignIn | Route::Dashboard(_) | Route::File(_)
        )
    }

    /// Whether a person may come here from anywhere, by a link or a redirect.
    pub(crate) fn welcomes_visits(&self) -> bool {
        matches!(self.shape, Shape::Page | Shape::Dashboard)
    }

    /// Whether a key may be shown as a password here: calendar programs can show nothing else.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.route == Route::Calendar
    }

    /// The methods, as `Allow` lists them.
    pub(crate) fn allow(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (method, _) in self.methods {
            names.push(method.as_str());
            if method == Method::GET {
                names.push("HEAD");
            }
        }
        names.join(", ")
    }

    /// What stands in a path in the place of the parameter.
    pub(crate) fn parameter<'p>(&self, path: &'p str) -> Option<&'p str> {
        let at = self.path.split('/').position(|it| it.starts_with('{'))?;
        path.split('/').nth(at)
    }

    fn is_at(&self, path: &str) -> bool {
        let Some((before, after)) = self.path.split_once('{') else {
            return match self.path.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == self.path,
            };
        };
        let Some(rest) = path.strip_prefix(before) else {
            return false;
        };
        let after = after.split_once('}').map_or("", |(_, after)| after);
        rest.strip_suffix(after)
            .is_some_and(|segment| !segment.is_empty() && !segment.contains('/'))
    }
}

/// One method of one route, for documentation and tests: what the server goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The path; `*` at its end is whatever follows, and what stands in braces is one segment.
    pub path: &'static str,
    /// The method. `HEAD` is known wherever `GET` is.
    pub method: &'static str,
    /// What a caller needs: `nothing`, `own credentials`, `any key`, `admin`, or a permission.
    pub needs: &'static str,
}

/// Everything that there is. What is not listed here is answered 404.
pub fn routes() -> Vec<Listed> {
    let of = |entry: &'static Entry| {
        entry.methods.iter().map(|(method, needs)| Listed {
            path: entry.path,
            method: method.as_str(),
            needs: match needs {
                Needs::Nothing => "nothing",
                Needs::OwnCredentials => "own credentials",
                Needs::Known => "any key",
                Needs::Admin => "admin",
                Needs::Permission(permission) => permission.as_str(),
            },
        })
    };
    TABLE.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_not_there() {
        for (path, route) in [
            ("/v1/me", Some(Route::Api)),
            ("/v1/", Some(Route::Api)),
            ("/v1", None),
            ("/V1/me", None),
            ("/api/token", Some(Route::TokenEndpoint)),
            ("/api/token/", None),
            ("/connect/abc", Some(Route::Connect)),
            ("/connect/", None),
            ("/connect", None),
            ("/connect/a/b", None),
            ("/callback", Some(Route::Callback)),
            ("/callback/", None),
            ("/healthz", Some(Route::Healthz)),
            ("/refrain/v1/grants", Some(Route::Grants)),
            ("/refrain/v1/grants/", None),
            ("/refrain/v1/grants/alice", Some(Route::Grant)),
            ("/refrain/v1/grants/alice/", None),
            ("/refrain/v1/grants/alice/token", Some(Route::Token)),
            ("/refrain/v1/grants//token", None),
            ("/refrain/v1/grants/token", Some(Route::Grant)),
            ("/refrain/v1/grants/a/b/token", None),
            ("/refrain/v1/grants/alice/tokens", None),
            ("/refrain/v1/keys/0123456789", Some(Route::Key)),
            ("/refrain/v1/keys/0123456789/token", None),
            ("/refrain/v1/notices", Some(Route::Notices)),
            ("/refrain/v1/notices/1", None),
            ("/refrain/v1/reauthorizations.ics", Some(Route::Calendar)),
            ("/refrain/v1", None),
            ("/", Some(Route::Root)),
            ("/dashboard/keys", Some(Route::Dashboard(Page::Keys))),
            ("/dashboard/", None),
            ("//v1/me", None),
            ("/x/../v1/me", None),
        ] {
            let found = find(path).map(|(_, entry)| entry.route());
            assert_eq!(found, route, "{path}");
        }
    }

    #[test]
    fn the_proxy_is_where_it_takes_itself_to_be() {
        let proxied = TABLE.iter().find(|entry| entry.route() == Route::Api);
        let path = proxied.unwrap().path();
        assert_eq!(path.strip_suffix('*'), Some(crate::proxy::target::PREFIX));
    }

    #[test]
    fn a_parameter_is_the_segment_in_its_place() {
        let parameter = |path| find(path).unwrap().1.parameter(path);
        assert_eq!(parameter("/refrain/v1/grants/alice/token"), Some("alice"));
        assert_eq!(parameter("/refrain/v1/keys/0123456789"), Some("0123456789"));
        assert_eq!(parameter("/refrain/v1/keys"), None);
    }

    #[test]
    fn reading_and_writing_are_two_permissions() {
        for (method, permission) in [
            (Method::GET, Some(READ)),
            (Method::HEAD, Some(READ)),
            (Method::POST, Some(WRITE)),
            (Method::PUT, Some(WRITE)),
            (Method::DELETE, Some(WRITE)),
            (Method::OPTIONS, Some(WRITE)),
            (Method::from_bytes(b"BREW").unwrap(), Some(WRITE)),
            (Method::TRACE, None),
            (Method::CONNECT, None),
        ] {
            let (_, api) = find("/v1/me").unwrap();
            assert_eq!(api.needs(&method), permission, "{method}");
        }
    }

    #[test]
    fn nothing_but_health_and_what_checks_for_itself_is_open() {
        let open: Vec<_> = TABLE.iter().filter(|it| it.is_open()).collect();
        let open: Vec<_> = open.iter().map(|entry| entry.path()).collect();
        let own = [
            "/connect/{link}",
            "/callback",
            "/sign-in/{link}",
            "/session/login",
            "/session/logout",
            "/session",
        ];
        let health = ["/healthz", "/readyz"];
        let dashboard = ["/", "/dashboard/style.css", "/dashboard/live.js"];
        assert_eq!(
            open,
            [&["/api/token"], &own[..], &health, &dashboard].concat()
        );
    }
}
