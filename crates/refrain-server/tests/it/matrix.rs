//! Who may what: every route of the server's own table, for every kind of caller.

use std::time::Duration;

use refrain::{
    access::{Grants, Permission},
    keeper::keys::NewKey,
    session::Whose,
};
use refrain_server::{Listed, routes};
use refrain_sim::Profile;
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{COOKIE, HeaderName, ORIGIN},
};

use crate::world::{World, client, only};

/// Somebody who calls.
struct Caller {
    who: &'static str,
    client: Client,
    at: String,
    key: Option<String>,
    /// What he may, where he is known.
    may: Option<Vec<Permission>>,
    /// Whether he reaches `alice`.
    reaches: bool,
    /// Whether he reaches every grant.
    reaches_all: bool,
    /// Whether he is signed in to the dashboard, which is no key.
    admin: bool,
}

impl Caller {
    fn at(world: &World, who: &'static str, key: Option<String>) -> Self {
        Self {
            who,
            client: client(),
            at: world.url(""),
            key,
            may: None,
            reaches: false,
            reaches_all: false,
            admin: false,
        }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.at));
        let request = request.header("refrain-grant", "alice");
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// What he is to be told at a route: a code of refrain's about him, or none.
    fn expected(&self, route: &Listed) -> Option<&'static str> {
        let needed = match route.needs {
            "nothing" | "own credentials" => return None,
            "admin" => return (!self.admin).then_some("sign_in_needed"),
            "any key" => None,
            word => Some(word.parse::<Permission>().unwrap()),
        };
        let Some(may) = &self.may else {
            return Some("key_needed");
        };
        let may = |needed: Permission| may.iter().any(|it| includes(*it, needed));
        let about_alice = route.path.contains("{name}")
            || route.path.contains("{id}")
            || route.path.starts_with("/v1/");
        let about_all = route.path == "/refrain/v1/notices/test";
        match needed {
            Some(needed) if !may(needed) => Some("not_allowed"),
            _ if about_alice && !self.reaches => Some("not_allowed"),
            _ if about_all && !self.reaches_all => Some("not_allowed"),
            _ => None,
        }
    }
}

/// Said once more, apart from the library.
fn includes(given: Permission, needed: Permission) -> bool {
    given == needed || given == Permission::Proxy && needed == Permission::ProxyRead
}

async fn callers(world: &World) -> Vec<Caller> {
    let known = |who, key, may: &[Permission], reaches| Caller {
        may: Some(may.to_vec()),
        reaches,
        ..Caller::at(world, who, Some(key))
    };
    let mut callers = Vec::new();
    for permission in Permission::ALL {
        let key = world.key_for(only(["alice"]), &[permission]).await;
        callers.push(known(permission.as_str(), key, &[permission], true));
        let key = world.key_for(only(["bob"]), &[permission]).await;
        callers.push(known("for another grant", key, &[permission], false));
        let key = world.key_for(Grants::All, &[permission]).await;
        callers.push(Caller {
            reaches_all: true,
            ..known("for all grants", key, &[permission], true)
        });
    }
    let key = world.key_for(Grants::none(), &[Permission::Manage]).await;
    callers.push(known("for no grant", key, &[Permission::Manage], false));
    let peer = Caller {
        client: world.peer(),
        at: "http://localhost".to_owned(),
        may: Some(Permission::ALL.to_vec()),
        reaches: true,
        reaches_all: true,
        ..Caller::at(world, "peer", None)
    };
    callers.push(peer);
    callers
}

async fn strangers(world: &World) -> Vec<Caller> {
    let everything: Vec<Permission> = Permission::ALL.to_vec();
    let revoked = world.key_for(Grants::All, &everything).await;
    let id: String = revoked.chars().skip(4).take(10).collect();
    world.refrain.revoke_key(&id).await.unwrap();
    let expired = world
        .key_of(NewKey {
            name: "expired".parse().unwrap(),
            grants: Grants::All,
            permissions: everything.into_iter().collect(),
            rewrite_links: false,
            lifetime: Some(Duration::from_secs(1)),
        })
        .await;
    world.pass(Duration::from_secs(2));
    let admin = Caller {
        client: signed_in(world).await,
        admin: true,
        ..Caller::at(world, "admin", None)
    };
    let unknown = revoked.replacen(&id, &"0".repeat(10), 1);
    vec![
        Caller::at(world, "nobody", None),
        Caller::at(world, "revoked", Some(revoked)),
        Caller::at(world, "expired", Some(expired)),
        Caller::at(world, "mistyped", Some(unknown)),
        admin,
    ]
}

/// A browser of somebody who runs refrain.
async fn signed_in(world: &World) -> Client {
    let (link, _) = world.refrain.open_session(Whose::SignIn).await.unwrap();
    let link = world.url(&format!("/sign-in/{}", link.expose()));
    let signed_in = client().post(link).send().await.unwrap();
    let given = signed_in.headers()["set-cookie"].to_str().unwrap();
    let (pair, _) = given.split_once(';').unwrap();
    let headers = [
        (COOKIE, pair),
        (ORIGIN, &world.url("")),
        (HeaderName::from_static("sec-fetch-site"), "same-origin"),
    ];
    let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
    let builder = Client::builder().no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    let builder = builder.default_headers(headers.into_iter().collect());
    builder.build().unwrap()
}

/// A path of the table with something in the place of its parameter.
fn concrete(path: &str, key_id: &str) -> String {
    let path = path.replace("{name}", "alice").replace("{id}", key_id);
    // A link that is not known, which is not the same as nothing.
    let path = path.replace("{link}", &"0".repeat(37));
    path.replace('*', "me")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_may_at_each_route_what_the_table_says_and_nothing_else() {
    let world = World::new(Profile::default()).await.with_bob().await;
    let mut callers = callers(&world).await;
    callers.extend(strangers(&world).await);
    let mut asked = 0;
    for route in routes() {
        // Who is signed in stays so, however long the others take.
        for admin in callers.iter().filter(|it| it.admin) {
            admin.request("GET", "/dashboard").send().await.unwrap();
        }
        for caller in &callers {
            // A key of alice's, and alice herself, are there each time.
            let key = world.key_for(only(["alice"]), &[Permission::Token]).await;
            let id: String = key.chars().skip(4).take(10).collect();
            let answer = caller.request(route.method, &concrete(route.path, &id));
            let answer = answer.send().await.unwrap();
            let (status, expected) = (answer.status(), caller.expected(&route));
            let code = answer.headers().get("refrain-error");
            let code = code.map(|code| code.to_str().unwrap().to_owned());
            let refused = ["key_needed", "not_allowed", "sign_in_needed"];
            let refused = code.filter(|it| refused.contains(&it.as_str()));
            let (who, permissions) = (caller.who, &caller.may);
            assert_eq!(
                refused.as_deref(),
                expected,
                "{route:?} {who} {permissions:?}: {status}"
            );
            let told = match expected {
                Some("key_needed" | "sign_in_needed") => status == StatusCode::UNAUTHORIZED,
                Some(_) => status == StatusCode::FORBIDDEN,
                // What Spotify says to it is Spotify's affair.
                None if route.path == "/v1/*" => true,
                // Nobody signs in with a browser here.
                None if route.path.starts_with("/session") => status == StatusCode::NOT_FOUND,
                None => status != StatusCode::NOT_FOUND && !status.is_server_error(),
            };
            assert!(told, "{route:?} {who} {permissions:?}: {status}");
            asked += 1;
            // Nobody is held up because of those who were refused before him.
            world.pass(Duration::from_secs(5));
        }
    }
    assert_eq!(asked, routes().len() * callers.len());
    assert!(asked >= 18 * 18, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_the_table_there_is_nothing() {
    let world = World::new(Profile::default()).await;
    let peer = world.peer();
    for route in routes().iter().filter(|it| !it.path.ends_with('*')) {
        let path = concrete(route.path, "0123456789");
        for beside in [
            format!("{path}/"),
            format!("{path}/x"),
            path.to_uppercase(),
            format!("/x{path}"),
            format!("/{path}"),
        ] {
            let ask = |client: &Client, at: &str| {
                let method: Method = route.method.parse().unwrap();
                client.request(method, format!("{at}{beside}")).send()
            };
            let answer = ask(&peer, "http://localhost").await.unwrap();
            // What the longer path names may be in the table itself, with other methods.
            let listed = routes()
                .iter()
                .any(|it| concrete(it.path, "0123456789") == beside);
            if !listed && !is_parameter(&beside) {
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{beside}");
                let stranger = ask(&client(), &world.url("")).await.unwrap();
                assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{beside}");
                world.pass(Duration::from_secs(5));
            }
        }
    }
}

/// Whether a path is that of a grant, a key or a link, whatever its name.
fn is_parameter(path: &str) -> bool {
    let rest = ["/refrain/v1/grants/", "/refrain/v1/keys/", "/connect/"];
    let rest = rest.iter().find_map(|it| path.strip_prefix(it));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_told_which_there_are() {
    let world = World::new(Profile::default()).await;
    let peer = world.peer();
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let mut tried = 0;
    for route in routes().iter().filter(|it| it.path != "/v1/*") {
        let here: Vec<_> = routes()
            .iter()
            .filter(|it| it.path == route.path)
            .flat_map(|it| match it.method {
                "GET" => vec!["GET", "HEAD"],
                other => vec![other],
            })
            .collect();
        for method in all.into_iter().filter(|it| !here.contains(it)) {
            let path = concrete(route.path, "0123456789");
            let method: Method = method.parse().unwrap();
            let request = peer.request(method.clone(), format!("http://localhost{path}"));
            let answer = request.send().await.unwrap();
            let status = answer.status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.headers()["allow"], here.join(", "), "{path}");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_out_of_reach_is_told_like_one_that_is_not_there() {
    let world = World::new(Profile::default()).await.with_bob().await;
    let key = world
        .key_for(only(["alice"]), &[Permission::Manage, Permission::Token])
        .await;
    let of_bob = world.key_for(only(["bob"]), &[Permission::Token]).await;
    let of_bob: String = of_bob.chars().skip(4).take(10).collect();
    let about = |route: &Listed| {
        route.path.contains('{') && !["own credentials", "admin"].contains(&route.needs)
    };
    for route in routes().into_iter().filter(about) {
        let mut told = Vec::new();
        for (name, id) in [
            ("bob", of_bob.as_str()),
            ("carol", "0000000000"),
            ("%00", "-"),
        ] {
            let path = route.path.replace("{name}", name).replace("{id}", id);
            let method: Method = route.method.parse().unwrap();
            let request = client().request(method, world.url(&path));
            let answer = request.bearer_auth(&key).send().await.unwrap();
            let status = answer.status();
            told.push((status, answer.text().await.unwrap()));
        }
        assert_eq!(told[0].0, StatusCode::FORBIDDEN, "{route:?}");
        assert!(told.iter().all(|it| *it == told[0]), "{route:?} {told:?}");
    }
}
