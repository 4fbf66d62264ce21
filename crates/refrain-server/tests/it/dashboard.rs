//! The pages for whoever runs refrain, as far as they need no browser.

mod imported;
mod markup;

use http::{HeaderMap, header::SET_COOKIE};
use refrain::{
    access::{Grants, Permission},
    session::Whose,
};
use refrain_sim::Profile;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::world::{World, client};

/// Somebody who runs refrain, signed in.
pub struct Desk {
    pub world: World,
    client: Client,
    cookie: String,
}

impl Desk {
    async fn new() -> Self {
        Self::with(Profile::default()).await
    }

    async fn with(profile: Profile) -> Self {
        let world = World::new(profile).await;
        let (link, _) = world.refrain.open_session(Whose::SignIn).await.unwrap();
        let link = world.url(&format!("/sign-in/{}", link.expose()));
        let signed_in = client().post(link).send().await.unwrap();
        let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap();
        let (cookie, _) = cookie.split_once(';').unwrap();
        Self {
            world,
            client: client(),
            cookie: cookie.to_owned(),
        }
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(self.world.url(path));
        request.header("cookie", &self.cookie).send().await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    /// What forms have in their hidden field.
    async fn csrf(&self) -> String {
        let page = self.text("/dashboard").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Sends a form as a page of ours does.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf().await;
        let fields: Vec<_> = [("csrf", csrf.as_str())]
            .iter()
            .chain(fields)
            .copied()
            .collect();
        self.send_as(
            path,
            &fields,
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", &self.world.url("")),
            ],
        )
        .await
    }

    async fn send_as(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self.client.post(self.world.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = request
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        request.body(body).send().await.unwrap()
    }

    /// Who has done what, by the management API.
    async fn events(&self) -> Vec<(String, String)> {
        let key = self.world.key_for(Grants::All, &[Permission::Manage]).await;
        let events = client().get(self.world.url("/refrain/v1/events"));
        let page: Value = events
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        let events = page["events"].as_array().unwrap().iter();
        events
            .map(|it| (text(it, "action"), text(it, "caller")))
            .collect()
    }
}

fn code(headers: &HeaderMap) -> &str {
    headers
        .get("refrain-error")
        .map_or("", |it| it.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_closed_to_all_that_a_browser_could_do_with_it() {
    let desk = Desk::new().await;
    for path in [
        "/dashboard",
        "/dashboard/grants/alice",
        "/dashboard/grants/alice/sign-out",
        "/dashboard/connect",
        "/dashboard/keys",
        "/dashboard/sessions",
    ] {
        let answer = desk.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        let accounts = desk.world.sim.accounts_url();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                 frame-ancestors 'none'; form-action 'self' {accounts}"
            )
        );
        assert!(
            answer
                .headers()
                .get("access-control-allow-origin")
                .is_none()
        );
    }
    let root = client().get(desk.world.url("/")).send().await.unwrap();
    assert_eq!(root.status(), StatusCode::SEE_OTHER);
    assert_eq!(root.headers()["location"], "/dashboard");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_load_is_kept_by_browsers_and_belongs_to_nobody() {
    let desk = Desk::new().await;
    let page = desk.text("/dashboard").await;
    for (before, kind) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<script src=\"", "text/javascript; charset=utf-8"),
    ] {
        let (_, rest) = page.split_once(before).unwrap();
        let (path, _) = rest.split_once('"').unwrap();
        let file = client().get(desk.world.url(path)).send().await.unwrap();
        assert_eq!(file.status(), StatusCode::OK);
        assert_eq!(file.headers()["content-type"], kind);
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        assert!(
            file.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        assert!(!file.text().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_from_a_page_of_this_session_alone() {
    let desk = Desk::new().await;
    let (csrf, own) = (desk.csrf().await, desk.world.url(""));
    let path = "/dashboard/grants/alice/refresh";
    let before = desk.world.refreshes();
    let same = ("sec-fetch-site", "same-origin");
    for (token, headers, refused) in [
        (
            csrf.as_str(),
            vec![("sec-fetch-site", "cross-site")],
            "foreign_page",
        ),
        (&csrf, vec![("sec-fetch-site", "same-site")], "foreign_page"),
        (
            &csrf,
            vec![("origin", "https://evil.example")],
            "foreign_page",
        ),
        (&csrf, vec![("origin", "null")], "foreign_page"),
        (&csrf, vec![], "foreign_page"),
        ("", vec![same, ("origin", &own)], "form_too_old"),
        (
            &"0".repeat(64),
            vec![same, ("origin", &own)],
            "form_too_old",
        ),
    ] {
        let answer = desk.send_as(path, &[("csrf", token)], &headers).await;
        assert_eq!(code(answer.headers()), refused, "{headers:?}");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.text().await.unwrap().starts_with("<!doctype html>"));
    }
    assert_eq!(desk.world.refreshes(), before);
    let done = desk.send(path, &[]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        done.headers()["location"],
        "/dashboard/grants/alice?done=refreshed"
    );
    assert_eq!(desk.world.refreshes(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_there_is_noted_with_who_has_done_it() {
    let desk = Desk::new().await;
    let fields = [
        ("name", "laptop"),
        ("permission", "proxy"),
        ("grant", "alice"),
        ("days", "30"),
    ];
    let made = desk.send("/dashboard/keys", &fields).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let keys = desk.world.refrain.keys().await.unwrap();
    let key = keys
        .iter()
        .find(|key| key.name.as_str() == "laptop")
        .unwrap();
    let life = key.expires_at.unwrap().days_since(key.created_at);
    assert_eq!(
        (key.permissions.to_string(), life),
        ("proxy".to_owned(), 30)
    );
    let path = format!("/dashboard/keys/{}/revoke", key.id);
    assert_eq!(desk.send(&path, &[]).await.status(), StatusCode::SEE_OTHER);
    desk.send("/dashboard/grants/alice/refresh", &[]).await;
    let fields = [("grant", "bob"), ("way", "link")];
    assert_eq!(
        desk.send("/dashboard/connect", &fields).await.status(),
        StatusCode::CREATED
    );
    desk.send("/dashboard/grants/alice/sign-out", &[]).await;
    let events = desk.events().await;
    let by = events.first().map(|(_, caller)| caller.clone()).unwrap();
    assert!(by.starts_with("admin:"), "{by}");
    let actions: Vec<_> = events.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "signed_in",
            "key_created",
            "key_revoked",
            "refresh",
            "link_created",
            "logout"
        ]
    );
    assert!(events.iter().all(|(_, caller)| *caller == by), "{events:?}");
    desk.send("/dashboard/leave", &[]).await;
    let after = desk.get("/dashboard").await;
    assert_eq!(after.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(code(after.headers()), "sign_in_needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_told_a_page_at_a_time_and_searched() {
    let desk = Desk::new().await;
    for number in 0..104 {
        desk.world.sign_in(&format!("user-{number:03}")).await;
    }
    let first = desk.text("/dashboard").await;
    assert!(first.contains("All 105 grants are connected."));
    assert!(first.contains("grants/alice\"") && first.contains("grants/user-098\""));
    assert!(!first.contains("grants/user-099\""));
    assert!(first.contains("href=\"/dashboard?after=user-098\" rel=\"next\""));
    let second = desk.text("/dashboard?after=user-098").await;
    assert!(second.contains("grants/user-103\"") && !second.contains("grants/alice\""));
    assert!(second.contains("First page") && !second.contains("rel=\"next\""));
    let found = desk.text("/dashboard?name=USER-05").await;
    assert!(found.contains("grants/user-059\"") && !found.contains("grants/user-060\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_dashboard_sends_users_to_it() {
    let desk = Desk::new().await;
    let key = desk.world.key_for(Grants::All, &[Permission::Manage]).await;
    let link = client().post(desk.world.url("/refrain/v1/connect-links"));
    let asked = serde_json::json!({"grant": "bob", "return_to": desk.world.url("/dashboard")});
    let answer = link.bearer_auth(key).json(&asked).send().await.unwrap();
    assert_eq!(code(answer.headers()), "return_to_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_reads_so_many_and_says_where_it_goes_on() {
    let desk = Desk::new().await;
    desk.world.with_many("g-", 10_100).await;
    let page = async |path: &str| desk.get(path).await.text().await.unwrap();
    assert!(page("/dashboard").await.contains(" data-live"));
    let first = page("/dashboard?name=nobody").await;
    // Alice is one of the ten thousand.
    assert!(first.contains("Searched up to g-09998"), "{first}");
    assert!(!first.contains(" data-live") && !first.contains("is called so"));
    let next = "/dashboard?after=g-09998&amp;name=nobody";
    assert!(first.contains(next), "{first}");
    let last = page(&next.replace("&amp;", "&")).await;
    assert!(
        last.contains("No grant and no user is called so."),
        "{last}"
    );
    assert!(!last.contains("Searched up to"));
    let found = page("/dashboard?name=g-0").await;
    assert!(found.contains("after=g-00099") && !found.contains("Searched up to"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_ended_from_another_browser_and_a_user_s_is_not() {
    let desk = Desk::new().await;
    let sign_in = async || {
        let open = desk.world.refrain.open_session(Whose::SignIn).await;
        desk.world.refrain.sign_in(&open.unwrap().0).await.unwrap()
    };
    let (token, lost) = sign_in().await;
    let user = Whose::User("alice".parse().unwrap());
    let (_, user) = desk.world.refrain.open_session(user).await.unwrap();
    let page = desk.text("/dashboard/sessions").await;
    assert_eq!(page.matches("<tr><th scope=\"row\">").count(), 2, "{page}");
    assert_eq!(page.matches("this browser").count(), 1);
    let end = |id: &str| format!("/dashboard/sessions/{id}/end");
    assert!(page.contains(&end(lost.id.as_str())));
    assert!(
        desk.text("/dashboard")
            .await
            .contains("/dashboard/sessions")
    );

    let refused = desk.send(&end(user.id.as_str()), &[]).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(code(refused.headers()), "session_unknown");
    let ended = desk.send(&end(lost.id.as_str()), &[]).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    assert!(desk.world.refrain.verify_session(&token).await.is_err());
    let page = desk.text("/dashboard/sessions?done=ended").await;
    assert!(page.contains("this browser") && page.contains("is ended"));
    assert!(!page.contains(lost.id.as_str()));
}
