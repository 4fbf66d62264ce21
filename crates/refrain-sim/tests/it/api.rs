use std::time::Duration;

use refrain_sim::{Api401, App, AppMode, EventKind, Profile, User, fingerprint};

use crate::raw::{api, basic, call, get, log_in, send, start, token};

const ALL: &str = "user-read-private user-read-email user-read-playback-state \
    user-read-currently-playing user-read-recently-played user-modify-playback-state \
    playlist-modify-public playlist-read-private user-library-modify ugc-image-upload";

#[tokio::test]
async fn a_401_has_todays_text_for_every_cause() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let text = "401 Missing/invalid/expired access token";
    let missing = get(sim.api_url(), "/v1/me").await;
    assert_eq!(missing.api_error(), text);
    assert_eq!(
        missing.header("www-authenticate").as_deref(),
        Some("Bearer realm=\"spotify\"")
    );
    assert_eq!(
        api(&sim, "GET", "/v1/me", "BQgarbage").await.api_error(),
        text
    );
    assert_eq!(api(&sim, "GET", "/v1/me", "").await.api_error(), text);
    sim.advance(Duration::from_hours(1));
    let expired = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(expired.api_error(), text);
    assert!(
        expired
            .header("www-authenticate")
            .unwrap()
            .contains("error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_401_had_one_text_per_cause_before() {
    let sim = start(Profile {
        api401: Api401::Legacy,
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, "").await;
    let missing = get(sim.api_url(), "/v1/me").await;
    assert_eq!(missing.api_error(), "401 No token provided");
    assert_eq!(missing.header("content-length").as_deref(), Some("74"));
    assert_eq!(
        api(&sim, "GET", "/v1/me", "BQgarbage").await.api_error(),
        "401 Invalid access token"
    );
    sim.expire_access_tokens();
    assert_eq!(
        api(&sim, "GET", "/v1/me", &access).await.api_error(),
        "401 The access token expired"
    );
}

#[tokio::test]
async fn anything_but_a_bearer_is_a_400() {
    let sim = start(Profile::default()).await;
    for header in [
        "authorization: Bearer \"BQ1\"\r\n",
        "authorization: Digest x\r\n",
    ] {
        let reply = call(sim.api_url(), "GET", "/v1/me", header, "").await;
        assert_eq!(
            reply.api_error(),
            "400 Only valid bearer authentication supported"
        );
    }
    let header = basic(&App::public("a".repeat(32)));
    let reply = call(sim.api_url(), "GET", "/v1/me", &header, "").await;
    assert_eq!(reply.status(), 400);
}

#[tokio::test]
async fn one_rejected_token_leaves_the_others_alone() {
    let sim = start(Profile::default()).await;
    let (first, _) = log_in(&sim, "").await;
    let (second, _) = log_in(&sim, "").await;
    assert!(sim.reject_access_token(&first));
    assert!(!sim.reject_access_token("BQunknown"));
    assert_eq!(api(&sim, "GET", "/v1/me", &first).await.status(), 401);
    assert_eq!(api(&sim, "GET", "/v1/me", &second).await.status(), 200);
}

#[tokio::test]
async fn the_profile_of_a_development_app_is_the_reduced_one() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, ALL).await;
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    let me = reply.json();
    assert_eq!(me["id"], "alice");
    assert_eq!(me["account_id"], User::default().account_id);
    assert_eq!(me["uri"], "spotify:user:alice");
    for removed in ["email", "product", "country", "followers"] {
        assert_eq!(me.get(removed), None);
    }
    assert_eq!(
        reply.header("access-control-allow-origin").as_deref(),
        Some("*")
    );
}

#[tokio::test]
async fn the_profile_of_an_extended_app_has_email_and_product() {
    let app = App {
        mode: AppMode::Extended,
        ..App::default()
    };
    let sim = start(Profile {
        apps: vec![app],
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, ALL).await;
    let me = api(&sim, "GET", "/v1/me", &access).await.json();
    assert_eq!(
        (&me["product"], &me["email"]),
        (&"premium".into(), &"alice@example.com".into())
    );
}

#[tokio::test]
async fn a_missing_scope_is_a_403() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    for (method, path) in [
        ("GET", "/v1/me/player"),
        ("GET", "/v1/me/player/currently-playing"),
        ("GET", "/v1/me/player/recently-played"),
        ("PUT", "/v1/me/player/play"),
        ("POST", "/v1/me/playlists"),
        ("GET", "/v1/me/top/tracks"),
        ("PUT", "/v1/playlists/p/items"),
        ("PUT", "/v1/me/library?uris=x"),
        ("PUT", "/v1/playlists/p/images"),
    ] {
        let reply = api(&sim, method, path, &access).await;
        assert_eq!(reply.api_error(), "403 Insufficient client scope", "{path}");
    }
}

#[tokio::test]
async fn a_user_off_the_allowlist_gets_a_plain_403() {
    let app = App {
        allowlist: Some(vec!["bob".to_owned()]),
        ..App::default()
    };
    let sim = start(Profile {
        apps: vec![app],
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, "").await;
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(reply.status(), 403);
    assert_eq!(
        reply.body(),
        "User not registered in the Developer Dashboard"
    );
}

#[tokio::test]
async fn an_owner_without_premium_stops_the_app() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    sim.register_app(App {
        owner_premium: false,
        ..sim.default_app()
    });
    let reply = api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(reply.status(), 403);
    assert_eq!(reply.body().len(), 159);
}

#[tokio::test]
async fn the_rate_window_and_the_quota_answer_429() {
    let sim = start(Profile {
        rate_limit: Some(1),
        quota: Some(2),
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, "").await;
    let me = async || api(&sim, "GET", "/v1/me", &access).await;
    assert_eq!(me().await.status(), 200);
    let rate = me().await;
    assert_eq!(rate.api_error(), "429 API rate limit exceeded");
    let wait: u64 = rate.header("retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&wait));
    sim.advance(Duration::from_secs(wait));
    assert_eq!(me().await.status(), 200);
    sim.advance(Duration::from_secs(30));
    let quota = me().await;
    assert_eq!(quota.json()["error"]["reason"], "QUOTA_EXCEEDED");
    assert!(quota.header("retry-after").unwrap().parse::<u64>().unwrap() > 80_000);
}

#[tokio::test]
async fn the_player_plays_pauses_and_answers_204_when_silent() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, ALL).await;
    assert_eq!(
        api(&sim, "GET", "/v1/me/player", &access).await.status(),
        200
    );
    assert_eq!(
        api(&sim, "PUT", "/v1/me/player/pause", &access)
            .await
            .status(),
        204
    );
    for path in ["/v1/me/player", "/v1/me/player/currently-playing"] {
        assert_eq!(api(&sim, "GET", path, &access).await.status(), 204);
    }
    let request = format!(
        "PUT /v1/me/player/play HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\
         authorization: Bearer {access}\r\n\r\n"
    );
    assert_eq!(send(sim.api_url(), request.as_bytes()).await.status(), 411);
    assert_eq!(
        api(&sim, "PUT", "/v1/me/player/play", &access)
            .await
            .status(),
        204
    );
    assert_eq!(
        api(&sim, "GET", "/v1/me/player", &access).await.status(),
        200
    );
    assert_eq!(
        api(&sim, "GET", "/v1/me/player/recently-played", &access)
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn the_newest_plays_are_remembered_and_the_cursors_lead_through_them() {
    let sim = start(Profile {
        play_every: Some(Duration::from_secs(60)),
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, ALL).await;
    let ask = async |query: &str| {
        let path = format!("/v1/me/player/recently-played{query}");
        api(&sim, "GET", &path, &access).await.json()
    };
    let cursor = |page: &serde_json::Value, name: &str| -> i64 {
        page["cursors"][name].as_str().unwrap().parse().unwrap()
    };
    let all = ask("?limit=50").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 50);
    assert!(all["next"].is_null(), "more is not remembered");
    let (newest, oldest) = (cursor(&all, "after"), cursor(&all, "before"));
    assert_eq!(newest - oldest, 49 * 60_000);

    let newer = ask(&format!("?after={}", newest - 60_000)).await;
    assert_eq!(newer["items"][0], all["items"][0]);
    let older = ask(&format!("?limit=2&before={newest}")).await;
    assert_eq!(older["items"][0], all["items"][1]);
    assert_ne!(
        all["items"][0]["track"]["id"],
        all["items"][1]["track"]["id"]
    );
    let (_, query) = older["next"].as_str().unwrap().split_once('?').unwrap();
    let next = ask(&format!("?{query}")).await;
    assert_eq!(next["items"][0], all["items"][3]);

    assert!(ask(&format!("?after={}", newest + 600_000)).await["cursors"].is_null());
    let both = api(
        &sim,
        "GET",
        "/v1/me/player/recently-played?after=1&before=2",
        &access,
    );
    assert_eq!(both.await.status(), 400);
}

#[tokio::test]
async fn a_playlist_is_made_found_again_and_filled() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, ALL).await;
    let write = async |method: &str, path: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n\
             authorization: Bearer {access}\r\n\r\n{body}"
        );
        send(sim.api_url(), request.as_bytes()).await
    };
    let made = write("POST", "/v1/me/playlists", r#"{"name":"Mine"}"#).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let list = api(&sim, "GET", "/v1/me/playlists", &access).await.json();
    assert_eq!(list["items"][0]["id"], id.as_str());
    let items = format!("/v1/playlists/{id}/items");
    let uris = r#"{"uris":["spotify:track:11dFghVXANMlKmJXsNCbNl"]}"#;
    assert_eq!(write("POST", &items, uris).await.status(), 201);
    assert_eq!(write("PUT", &items, uris).await.status(), 200);
    assert_eq!(write("PUT", &items, "{}").await.status(), 400);
    let nowhere = "/v1/playlists/nowhere/items";
    assert_eq!(write("PUT", nowhere, uris).await.status(), 404);
}

#[tokio::test]
async fn a_listener_has_favourites() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "user-top-read").await;
    for (kind, many) in [("tracks", 3), ("artists", 1)] {
        let path = format!("/v1/me/top/{kind}");
        let top = api(&sim, "GET", &path, &access).await.json();
        assert_eq!(top["items"].as_array().unwrap().len(), many);
    }
}

#[tokio::test]
async fn a_free_listener_cannot_control_the_player() {
    let users = vec![User {
        premium: false,
        ..User::default()
    }];
    let sim = start(Profile {
        users,
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, ALL).await;
    let reply = api(&sim, "PUT", "/v1/me/player/play", &access).await;
    assert_eq!(
        reply.api_error(),
        "403 Player command failed: Premium required"
    );
    assert_eq!(reply.json()["error"]["reason"], "PREMIUM_REQUIRED");
}

#[tokio::test]
async fn the_player_calls_a_good_token_missing_now_and_then() {
    let sim = start(Profile {
        player_flap: 2,
        ..Profile::default()
    })
    .await;
    let (access, _) = log_in(&sim, ALL).await;
    let mut statuses = vec![];
    for _ in 0..4 {
        statuses.push(api(&sim, "GET", "/v1/me/player", &access).await.api_error());
    }
    assert_eq!(
        statuses,
        [
            "200 ",
            "401 Access token missing",
            "200 ",
            "401 Access token missing"
        ]
    );
}

#[tokio::test]
async fn paging_links_are_absolute_and_lead_through_every_playlist() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let mut next = Some(format!("{}/v1/me/playlists?limit=20", sim.api_url()));
    let mut names = vec![];
    while let Some(url) = next {
        let path = url.strip_prefix(sim.api_url()).unwrap();
        let page = api(&sim, "GET", path, &access).await.json();
        let items = page["items"].as_array().unwrap();
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(names.len(), 45);
    let bad = api(&sim, "GET", "/v1/me/playlists?limit=51", &access).await;
    assert_eq!(bad.api_error(), "400 Invalid limit");
}

#[tokio::test]
async fn writes_answer_the_statuses_of_spotify() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, ALL).await;
    let bearer = format!("authorization: Bearer {access}\r\n");
    let created = call(
        sim.api_url(),
        "POST",
        "/v1/me/playlists",
        &bearer,
        r#"{"name":"Mine"}"#,
    )
    .await;
    assert_eq!(
        (created.status(), created.str("name").as_str()),
        (201, "Mine")
    );
    let page = api(&sim, "GET", "/v1/me/playlists", &access).await.json();
    assert_eq!(page["total"], 46);
    let image = async |len| {
        call(
            sim.api_url(),
            "PUT",
            "/v1/playlists/p/images",
            &bearer,
            &"A".repeat(len),
        )
        .await
    };
    assert_eq!(image(256 * 1024).await.status(), 202);
    assert_eq!(image(256 * 1024 + 1).await.status(), 413);
    let library = api(&sim, "PUT", "/v1/me/library?uris=spotify:track:x", &access).await;
    assert_eq!(library.status(), 200);
}

#[tokio::test]
async fn a_track_is_not_sent_twice_to_who_has_it() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let path = "/v1/tracks/11dFghVXANMlKmJXsNCbNl";
    let etag = api(&sim, "GET", path, &access)
        .await
        .header("etag")
        .unwrap();
    let headers = format!("authorization: Bearer {access}\r\nif-none-match: {etag}\r\n");
    let again = call(sim.api_url(), "GET", path, &headers, "").await;
    assert_eq!((again.status(), again.body().as_str()), (304, ""));
    assert_eq!(
        api(&sim, "GET", "/v1/tracks/short", &access).await.status(),
        400
    );
}

#[tokio::test]
async fn client_credentials_search_but_have_no_profile() {
    let sim = start(Profile::default()).await;
    let access = token(&sim, &[("grant_type", "client_credentials")])
        .await
        .str("access_token");
    let found = api(&sim, "GET", "/v1/search?q=x&type=track", &access).await;
    assert_eq!(found.json()["tracks"]["items"].as_array().unwrap().len(), 5);
    assert_eq!(
        api(&sim, "GET", "/v1/search?q=x&type=track&limit=11", &access)
            .await
            .status(),
        400
    );
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 401);
}

#[tokio::test]
async fn one_origin_can_serve_both() {
    let sim = start(Profile {
        separate_api: false,
        ..Profile::default()
    })
    .await;
    assert_eq!(sim.accounts_url(), sim.api_url());
    let (access, _) = log_in(&sim, "").await;
    assert_eq!(api(&sim, "GET", "/v1/me", &access).await.status(), 200);
    assert_eq!(sim.counts().stray_credentials, 0);
}

#[tokio::test]
async fn the_quota_is_shared_by_the_apps_of_one_owner() {
    let sim = start(Profile {
        quota: Some(1),
        ..Profile::default()
    })
    .await;
    let other = App::confidential("b".repeat(32), "c".repeat(32));
    let stranger = App {
        client_id: "d".repeat(32),
        owner: "stranger".to_owned(),
        ..App::default()
    };
    sim.register_app(other.clone());
    sim.register_app(stranger.clone());
    let mut statuses = vec![];
    for app in [sim.default_app(), other, stranger] {
        let grant = sim.seed_grant(&app.client_id, "alice", "");
        statuses.push(
            api(&sim, "GET", "/v1/me", &grant.access_token)
                .await
                .status(),
        );
    }
    assert_eq!(statuses, [200, 429, 200]);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let request = format!("GET /v1/me HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer {access}\r\n");
    let both = format!("{request}\r\n{request}connection: close\r\n\r\n");
    let text = send(sim.api_url(), both.as_bytes()).await.text();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(sim.counts().api_by_status[&200], 2);
}

#[tokio::test]
async fn two_authorization_headers_are_no_bearer() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, "").await;
    let headers = format!("authorization: Bearer {access}\r\n").repeat(2);
    assert_eq!(
        call(sim.api_url(), "GET", "/v1/me", &headers, "")
            .await
            .status(),
        400
    );
}

#[tokio::test]
async fn the_history_tells_what_of_a_request_arrived() {
    let sim = start(Profile::default()).await;
    let (access, _) = log_in(&sim, ALL).await;
    let headers = format!("authorization: Bearer {access}\r\nx-one: 1\r\nX-One: 2\r\n");
    let path = format!("/v1/me/library?uris=a%2Cb&t={access}");
    call(sim.api_url(), "PUT", &path, &headers, "body").await;
    let event = sim
        .history()
        .into_iter()
        .find_map(|event| match event.kind {
            EventKind::ApiCall {
                query,
                headers,
                body_bytes,
                body,
                ..
            } => Some((query, headers, body_bytes, body)),
            _ => None,
        });
    let names = [
        "authorization",
        "connection",
        "content-length",
        "host",
        "x-one",
        "x-one",
    ];
    assert_eq!(
        event,
        Some((
            format!("uris=a%2Cb&t={}", fingerprint(&access)),
            names.map(str::to_owned).to_vec(),
            4,
            Some(fingerprint("body"))
        ))
    );
}
