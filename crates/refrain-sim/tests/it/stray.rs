use refrain_sim::{EventKind, Profile, Sim, fingerprint};

use crate::raw::{api, basic, call, get, log_in, refresh, start};

fn strays(sim: &Sim) -> Vec<(String, String, String, String)> {
    sim.history()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::StrayCredential {
                listener,
                what,
                place,
                fingerprint,
                ..
            } => Some((listener, what, place, fingerprint)),
            _ => None,
        })
        .collect()
}

fn strs(a: &str, b: &str, c: &str, fingerprint: String) -> (String, String, String, String) {
    (a.to_owned(), b.to_owned(), c.to_owned(), fingerprint)
}

#[tokio::test]
async fn ordinary_traffic_has_no_strays() {
    let sim = start(Profile::default()).await;
    let (access, first) = log_in(&sim, "").await;
    refresh(&sim, &first).await;
    api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(strays(&sim), []);
}

#[tokio::test]
async fn a_refresh_token_or_secret_at_the_api_is_noticed() {
    let sim = start(Profile::default()).await;
    let (_, token) = log_in(&sim, "").await;
    api(&sim, "GET", "/v1/me", &token).await;
    call(
        sim.api_url(),
        "GET",
        "/v1/me",
        &basic(&sim.default_app()),
        "",
    )
    .await;
    call(
        sim.api_url(),
        "POST",
        "/api/token",
        "",
        &format!("refresh_token={token}"),
    )
    .await;
    let secret = fingerprint(&sim.default_app().client_secret.unwrap());
    assert_eq!(
        strays(&sim),
        [
            strs("api", "refresh_token", "header", fingerprint(&token)),
            strs("api", "client_secret", "header", secret),
            strs("api", "refresh_token", "body", fingerprint(&token)),
        ]
    );
}

#[tokio::test]
async fn an_access_token_at_the_accounts_service_is_noticed() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let bearer = format!("authorization: Bearer {access}\r\n");
    call(sim.accounts_url(), "GET", "/v1/me", &bearer, "").await;
    assert_eq!(
        strays(&sim),
        [strs(
            "accounts",
            "access_token",
            "header",
            fingerprint(&access)
        )]
    );
}

#[tokio::test]
async fn a_token_in_a_url_is_noticed_anywhere() {
    let sim = start(Profile::default()).await;
    let (access, token) = log_in(&sim, "").await;
    get(sim.api_url(), &format!("/v1/me?access_token={access}")).await;
    get(sim.accounts_url(), &format!("/authorize?x={token}")).await;
    assert_eq!(
        strays(&sim),
        [
            strs("api", "access_token", "url", fingerprint(&access)),
            strs("accounts", "refresh_token", "url", fingerprint(&token)),
        ]
    );
}
