use refrain_sim::{App, Profile, Sim, User};

use crate::raw::{
    CHALLENGE, REDIRECT, authorize_url, call, exchange, get, log_in, parameter, start,
};

/// The text of the error page for an authorization URL with one parameter changed.
fn page(sim: &Sim, name: &str, value: Option<&str>) -> String {
    let mut url = url::Url::parse(&authorize_url(sim, &[])).unwrap();
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.retain(|(key, _)| key != name);
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    match sim.consent(url.as_str()) {
        Ok(location) => format!("went to {location}"),
        Err(error) => format!("{} {}", error.status, error.text),
    }
}

#[tokio::test]
async fn each_bad_request_has_its_page() {
    let sim = start(Profile::default()).await;
    let table = [
        (
            "client_id",
            None,
            "400 Missing required parameter: client_id",
        ),
        (
            "client_id",
            Some("f00d"),
            "400 INVALID_CLIENT: Failed to get client",
        ),
        (
            "response_type",
            None,
            "400 Missing required parameter: response_type",
        ),
        (
            "response_type",
            Some("token"),
            "400 response_type must be code",
        ),
        ("redirect_uri", None, "400 Illegal redirect_uri"),
        ("redirect_uri", Some("callback"), "400 Illegal redirect_uri"),
        ("redirect_uri", Some(""), "500 Oops! Something went wrong"),
        (
            "redirect_uri",
            Some("http://localhost:4280/callback"),
            "400 INVALID_CLIENT: Insecure redirect URI",
        ),
        (
            "redirect_uri",
            Some("http://nas.local/callback"),
            "400 INVALID_CLIENT: Insecure redirect URI",
        ),
        (
            "redirect_uri",
            Some("http://127.0.0.1:4280/Callback"),
            "400 INVALID_CLIENT: Invalid redirect URI",
        ),
        (
            "redirect_uri",
            Some("http://127.0.0.1:4280/callback/"),
            "400 INVALID_CLIENT: Invalid redirect URI",
        ),
        ("scope", Some("user-read-birthdate"), "400 Illegal scope"),
        ("scope", Some("offline_access"), "400 Illegal scope"),
        (
            "code_challenge",
            Some(CHALLENGE),
            "400 code_challenge_method must be S256",
        ),
        (
            "code_challenge_method",
            Some("S256"),
            "400 Missing required parameter: code_challenge",
        ),
    ];
    for (name, value, expected) in table {
        assert_eq!(page(&sim, name, value), expected, "{name}={value:?}");
    }
}

#[tokio::test]
async fn localhost_is_refused_even_if_registered() {
    let app = App::default().with_redirect_uris(["http://localhost:4280/callback"]);
    let sim = start(Profile {
        apps: vec![app],
        ..Profile::default()
    })
    .await;
    assert_eq!(
        page(&sim, "redirect_uri", Some("http://localhost:4280/callback")),
        "400 INVALID_CLIENT: Insecure redirect URI"
    );
}

#[tokio::test]
async fn a_loopback_uri_without_port_takes_any_port() {
    let sim = start(Profile::default()).await;
    let went = page(
        &sim,
        "redirect_uri",
        Some("http://127.0.0.1:50123/callback"),
    );
    assert!(
        went.starts_with("went to http://127.0.0.1:50123/callback?code=AQ"),
        "{went}"
    );
}

#[tokio::test]
async fn the_state_comes_back_unchanged_on_success_and_on_denial() {
    let sim = start(Profile::default()).await;
    let state = "a b+c/d=&é";
    let url = authorize_url(&sim, &[("state", state)]);
    let location = sim.consent(&url).unwrap();
    assert_eq!(parameter(&location, "state"), state);
    let denied = sim.deny(&url).unwrap();
    assert_eq!(parameter(&denied, "state"), state);
    assert_eq!(parameter(&denied, "error"), "access_denied");
    assert_eq!(parameter(&denied, "code"), "");
}

#[tokio::test]
async fn a_first_consent_and_show_dialog_show_the_page() {
    let sim = start(Profile::default()).await;
    let path = |more: &[(&str, &str)]| authorize_url(&sim, more).replace(sim.accounts_url(), "");
    let scope = ("scope", "user-top-read");
    let first = get(sim.accounts_url(), &path(&[scope])).await;
    assert_eq!(first.status(), 200);
    assert!(first.body().contains("Spotify simulator"));
    assert!(first.body().contains("user-top-read"));
    log_in(&sim, "user-top-read").await;
    let again = get(sim.accounts_url(), &path(&[scope])).await;
    assert_eq!(again.status(), 302);
    let asked = get(sim.accounts_url(), &path(&[scope, ("show_dialog", "true")])).await;
    assert_eq!(asked.status(), 200);
    let more = get(sim.accounts_url(), &path(&[("scope", "streaming")])).await;
    assert_eq!(more.status(), 200);
}

#[tokio::test]
async fn auto_consent_never_shows_the_page() {
    let sim = start(Profile {
        auto_consent: true,
        ..Profile::default()
    })
    .await;
    let path = authorize_url(&sim, &[("show_dialog", "true")]).replace(sim.accounts_url(), "");
    let reply = get(sim.accounts_url(), &path).await;
    assert_eq!(reply.status(), 302);
    let code = parameter(&reply.header("location").unwrap(), "code");
    assert_eq!(exchange(&sim, &code).await.status(), 200);
}

#[tokio::test]
async fn the_buttons_of_the_page_decide_and_choose_the_user() {
    let sim = start(Profile::default()).await;
    sim.add_user(User::new("bob"));
    let url = authorize_url(&sim, &[("state", "s1")]);
    let query = url.split_once('?').unwrap().1;
    let press = async |decision: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("request", query), ("user", "bob"), ("decision", decision)])
            .finish();
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        let reply = call(
            sim.accounts_url(),
            "POST",
            "/authorize/decide",
            headers,
            &body,
        )
        .await;
        assert_eq!(reply.status(), 302);
        reply.header("location").unwrap()
    };
    let cancelled = press("cancel").await;
    assert_eq!(
        cancelled,
        format!("{REDIRECT}?error=access_denied&state=s1")
    );
    let code = parameter(&press("allow").await, "code");
    assert_eq!(exchange(&sim, &code).await.status(), 200);
    assert_eq!(sim.oracle()[0].user, "bob");
}

#[tokio::test]
async fn the_page_escapes_what_comes_from_outside() {
    let app = App {
        name: "<script>alert(1)</script>".to_owned(),
        ..App::default()
    };
    let sim = start(Profile {
        apps: vec![app],
        ..Profile::default()
    })
    .await;
    let path = authorize_url(&sim, &[("state", "\"><script>")]).replace(sim.accounts_url(), "");
    let reply = get(sim.accounts_url(), &path).await;
    assert_eq!(reply.status(), 200);
    assert!(!reply.body().contains("<script>"));
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let sim = start(Profile::default()).await;
    let error = sim
        .consent(&authorize_url(&sim, &[("redirect_uri", REDIRECT)]))
        .unwrap_err();
    assert_eq!(
        (error.status, error.text.as_str()),
        (400, "Duplicate parameter: redirect_uri")
    );
}
