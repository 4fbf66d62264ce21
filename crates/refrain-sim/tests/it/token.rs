use std::time::Duration;

use refrain_sim::{App, ExpiryText, Profile, RevokeMode, Rotation};

use crate::raw::{
    CHALLENGE, REDIRECT, VERIFIER, api, authorize_url, basic, call, code, exchange, log_in,
    parameter, refresh, start, token, token_with,
};

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn the_content_type_is_checked_first() {
    let sim = start(Profile::default()).await;
    let post = async |headers: &str| {
        call(
            sim.accounts_url(),
            "POST",
            "/api/token",
            headers,
            "grant_type=refresh_token",
        )
        .await
    };
    assert_eq!(post("").await.oauth_error(), "500 server_error");
    assert_eq!(
        post("content-type: application/json\r\n")
            .await
            .oauth_error(),
        "400 unsupported_grant_type: grant_type parameter is missing"
    );
}

#[tokio::test]
async fn the_grant_type_is_checked_before_the_client() {
    let sim = start(Profile::default()).await;
    let none = token_with(&sim, "", &[("refresh_token", "x")]).await;
    assert_eq!(
        none.oauth_error(),
        "400 unsupported_grant_type: grant_type parameter is missing"
    );
    let odd = token_with(&sim, "", &[("grant_type", "refresh_token ")]).await;
    assert_eq!(
        odd.oauth_error(),
        "400 unsupported_grant_type: grant_type refresh_token  is not supported"
    );
}

#[tokio::test]
async fn the_client_is_checked_before_the_parameters() {
    let sim = start(Profile::default()).await;
    let app = sim.default_app();
    let refresh = [("grant_type", "refresh_token")];
    let with = async |headers: &str| token_with(&sim, headers, &refresh).await.oauth_error();
    assert_eq!(with("").await, "400 invalid_client: Invalid client");
    assert_eq!(
        with("authorization: Basic ???\r\n").await,
        "400 invalid_client: Invalid client"
    );
    let unknown = App {
        client_id: "f".repeat(32),
        ..app.clone()
    };
    assert_eq!(
        with(&basic(&unknown)).await,
        "400 invalid_client: Failed to get client"
    );
    let wrong = App {
        client_secret: Some("0".repeat(32)),
        ..app.clone()
    };
    assert_eq!(
        with(&basic(&wrong)).await,
        "400 invalid_client: Invalid client secret"
    );
    assert_eq!(
        with(&basic(&app)).await,
        "400 invalid_request: refresh_token must be supplied"
    );
}

#[tokio::test]
async fn credentials_in_the_body_work_too() {
    let sim = start(Profile::default()).await;
    let app = sim.default_app();
    let secret = app.client_secret.clone().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &app.client_id),
        ("client_secret", &secret),
    ];
    let reply = token_with(&sim, "", &form).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.json()["expires_in"], 3600);
    assert_eq!(reply.json().get("refresh_token"), None);
    let without = token_with(&sim, "", &form[..2]).await;
    assert_eq!(without.oauth_error(), "400 invalid_client: Invalid client");
}

#[tokio::test]
async fn a_code_works_once_and_for_ten_minutes() {
    let sim = start(Profile::default()).await;
    assert_eq!(
        exchange(&sim, "").await.oauth_error(),
        "400 invalid_request: code must be supplied"
    );
    let invalid = "400 invalid_grant: Invalid authorization code";
    assert_eq!(exchange(&sim, "AQnonsense").await.oauth_error(), invalid);
    let first = code(&sim, &[]);
    assert_eq!(exchange(&sim, &first).await.status(), 200);
    assert_eq!(exchange(&sim, &first).await.oauth_error(), invalid);
    let late = code(&sim, &[]);
    sim.advance(Duration::from_mins(10));
    assert_eq!(
        exchange(&sim, &late).await.oauth_error(),
        "400 invalid_grant: Authorization code expired"
    );
    sim.advance(Duration::from_mins(10));
    assert_eq!(exchange(&sim, &late).await.oauth_error(), invalid);
}

#[tokio::test]
async fn the_redirect_uri_is_compared_before_the_verifier() {
    let sim = start(Profile::default()).await;
    let pkce = [
        ("code_challenge_method", "S256"),
        ("code_challenge", CHALLENGE),
    ];
    let code = code(&sim, &pkce);
    let wrong = "a".repeat(43);
    let form = |redirect, verifier| {
        [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ]
    };
    assert_eq!(
        token(&sim, &form("http://127.0.0.1:4280/Callback", "x"))
            .await
            .oauth_error(),
        "400 invalid_grant: Invalid redirect URI"
    );
    assert_eq!(
        token(&sim, &form(REDIRECT, "")).await.oauth_error(),
        "400 invalid_request: code_verifier required"
    );
    assert_eq!(
        token(&sim, &form(REDIRECT, &wrong)).await.oauth_error(),
        "400 invalid_grant: code_verifier was incorrect"
    );
    assert_eq!(token(&sim, &form(REDIRECT, VERIFIER)).await.status(), 200);
}

#[tokio::test]
async fn a_padded_challenge_fails_at_the_exchange() {
    let sim = start(Profile::default()).await;
    let padded = format!("{CHALLENGE}=");
    let code = code(
        &sim,
        &[
            ("code_challenge_method", "S256"),
            ("code_challenge", &padded),
        ],
    );
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        token(&sim, &form).await.oauth_error(),
        "400 invalid_grant: code_verifier was incorrect"
    );
}

#[tokio::test]
async fn a_public_app_exchanges_and_refreshes_with_its_id_alone() {
    let sim = start(Profile::default()).await;
    let app = App::public("a".repeat(32));
    sim.register_app(app.clone());
    let pkce = [
        ("code_challenge_method", "S256"),
        ("code_challenge", CHALLENGE),
    ];
    let url = authorize_url(&sim, &pkce).replace(&sim.default_app().client_id, &app.client_id);
    let code = parameter(&sim.consent(&url).unwrap(), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &app.client_id),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let reply = token_with(&sim, "", &form).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let refresh_token = reply.str("refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", &app.client_id),
        ("refresh_token", &refresh_token),
    ];
    assert_eq!(token_with(&sim, "", &form).await.status(), 200);
}

#[tokio::test]
async fn a_token_answer_has_the_shapes_and_headers_of_spotify() {
    let sim = start(Profile::default()).await;
    let reply = exchange(&sim, &code(&sim, &[("scope", "user-top-read streaming")])).await;
    let body = reply.json();
    assert!(reply.str("access_token").starts_with("BQ"));
    assert!(reply.str("refresh_token").starts_with("AQ"));
    assert_eq!(reply.str("refresh_token").len(), 131);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["scope"], "streaming user-top-read");
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(reply.headers("set-cookie").len(), 2);
    assert!(reply.header("x-request-id").is_some());
    assert!(reply.header("sp-trace-id").is_some());
}

#[tokio::test]
async fn a_refresh_with_the_old_access_token_is_refused() {
    let sim = start(Profile::default()).await;
    let (access, refresh_token) = log_in(&sim, "").await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh_token),
        ("access_token", &access),
    ];
    assert_eq!(
        token(&sim, &form).await.oauth_error(),
        "400 invalid_request: Unexpected parameter: access_token"
    );
    let kinds: Vec<String> = sim
        .history()
        .iter()
        .map(|event| {
            serde_json::to_value(event).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(kinds.contains(&"unexpected_parameter".to_owned()));
    assert!(kinds.contains(&"stray_credential".to_owned()));
    assert_eq!(refresh(&sim, &refresh_token).await.status(), 200);
}

#[tokio::test]
async fn a_refresh_token_of_another_app_is_invalid() {
    let sim = start(Profile::default()).await;
    let other = App::confidential("b".repeat(32), "c".repeat(32));
    sim.register_app(other.clone());
    let (_, refresh_token) = log_in(&sim, "").await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
    ];
    let invalid = "400 invalid_grant: Invalid refresh token";
    assert_eq!(
        token_with(&sim, &basic(&other), &form).await.oauth_error(),
        invalid
    );
    assert_eq!(refresh(&sim, "AQgarbage").await.oauth_error(), invalid);
    assert_eq!(refresh(&sim, &refresh_token).await.status(), 200);
}

#[tokio::test]
async fn expiry_has_three_wordings() {
    let texts = [
        (
            ExpiryText::Revoked,
            "400 invalid_grant: Refresh token revoked",
        ),
        (
            ExpiryText::Expired,
            "400 invalid_grant: Refresh token expired",
        ),
        (ExpiryText::Absent, "400 invalid_grant"),
    ];
    for (expiry_text, text) in texts {
        let refresh_ttl = Some(Duration::from_secs(100));
        let sim = start(Profile {
            expiry_text,
            refresh_ttl,
            ..Profile::default()
        })
        .await;
        let (_, refresh_token) = log_in(&sim, "").await;
        sim.advance(Duration::from_secs(100));
        assert_eq!(refresh(&sim, &refresh_token).await.oauth_error(), text);
    }
}

#[tokio::test]
async fn the_scope_grows_with_every_consent() {
    let sim = start(Profile::rotating(Rotation::Static)).await;
    let (_, old) = log_in(&sim, "streaming").await;
    log_in(&sim, "user-top-read").await;
    assert_eq!(
        refresh(&sim, &old).await.json()["scope"],
        "streaming user-top-read"
    );
}

#[tokio::test]
async fn the_revocation_endpoint_has_three_modes() {
    let modes = [
        (RevokeMode::Absent, 404, 200),
        (RevokeMode::Noop, 200, 200),
        (RevokeMode::Works, 200, 400),
    ];
    for (revoke, status, after) in modes {
        let sim = start(Profile {
            revoke,
            ..Profile::default()
        })
        .await;
        let (access, refresh_token) = log_in(&sim, "").await;
        let headers = format!("{FORM}{}", basic(&sim.default_app()));
        let body = format!("token={refresh_token}&token_type_hint=refresh_token");
        let reply = call(
            sim.accounts_url(),
            "POST",
            "/oauth2/revoke/v1",
            &headers,
            &body,
        )
        .await;
        assert_eq!(reply.status(), status, "{revoke:?}");
        assert_eq!(
            refresh(&sim, &refresh_token).await.status(),
            after,
            "{revoke:?}"
        );
        let access_status = if after == 400 { 401 } else { 200 };
        assert_eq!(
            api(&sim, "GET", "/v1/me", &access).await.status(),
            access_status
        );
        assert_eq!(sim.counts().stray_credentials, 0);
    }
}
