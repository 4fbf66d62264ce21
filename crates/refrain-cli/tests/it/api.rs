//! `refrain api`.

use refrain_sim::{Action, App, EventKind, Fault, Profile, Rotation, Target};

use crate::home::{Home, write_private};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_printed_as_it_came() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["api", "/v1/me"]).ok();
    assert_eq!(output.json()["id"], "alice");
    assert!(output.stderr.is_empty(), "{output:?}");
    let whole = format!("{}/v1/me", home.sim.api_url());
    assert_eq!(home.run(&["api", &whole]).ok().stdout, output.stdout);
    let output = home.run(&["api", "-i", "-g", "alice", "/v1/me"]).ok();
    assert!(
        output.stdout.starts_with("HTTP/1.1 200 OK\r\n"),
        "{output:?}"
    );
    assert!(output.stdout.contains("\r\n\r\n{"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_arrives() {
    let home = Home::new().await;
    home.login("alice");
    home.run(&["api", "-X", "PUT", "/v1/me/player/pause"]);
    let (headers, length) = newest_call(&home);
    assert!(
        headers.contains(&"content-length".to_owned()),
        "{headers:?}"
    );
    assert_eq!(length, 0);
    let body = home.path().join("body.json");
    write_private(&body, "{\"uris\":[]}");
    let file = format!("@{}", body.display());
    for input in ["-", "{\"uris\":[]}", &file] {
        let args = ["api", "-X", "PUT", "-d", input, "/v1/me/player/play"];
        home.run_with(&args, "{\"uris\":[]}");
        let (headers, length) = newest_call(&home);
        assert!(headers.contains(&"content-type".to_owned()), "{headers:?}");
        assert_eq!(length, 11, "{input}");
    }
}

/// The headers and the length of the body of the newest API call.
fn newest_call(home: &Home) -> (Vec<String>, u64) {
    let calls = home.sim.history().into_iter().rev();
    let mut calls = calls.filter_map(|event| match event.kind {
        EventKind::ApiCall {
            headers,
            body_bytes,
            ..
        } => Some((headers, body_bytes)),
        _ => None,
    });
    calls.next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_is_repaired() {
    let home = Home::new().await;
    home.login("alice");
    home.sim.expire_access_tokens();
    home.run(&["api", "/v1/me"]).ok();
    assert_eq!(home.sim.counts().refreshes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_api_is_exit_code_1() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["api", "/v1/nothing"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.starts_with("error: HTTP 404 "), "{output:?}");
    assert_eq!(output.json()["error"]["status"], 404);
    home.run(&["--json", "api", "/v1/nothing"])
        .failed(1, "api_status");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_403_is_explained() {
    let home = Home::new().await;
    home.login("alice");
    let output = home.run(&["api", "/v1/me/player"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("lacks a scope"), "{output:?}");
    home.sim.register_app(App {
        owner_premium: false,
        ..home.sim.default_app()
    });
    let output = home.run(&["api", "/v1/me"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains("owner of the app has no Premium"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_told_in_words() {
    let profile = Profile {
        rate_limit: Some(2),
        ..Profile::default()
    };
    let home = Home::with(profile).await;
    // The login has asked whose account it is.
    home.login("alice");
    home.run(&["api", "/v1/me"]).ok();
    let last = home.run(&["api", "/v1/me"]);
    assert_eq!(last.code, 1, "{last:?}");
    assert!(
        last.stderr.contains("HTTP 429 Too Many Requests"),
        "{last:?}"
    );
    assert!(
        last.stderr.contains("wait ") && last.stderr.contains(" second"),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_spotify_wants_to_be_left_alone_nothing_is_sent() {
    let home = Home::new().await;
    home.login("alice");
    home.sim.script(Fault::once(
        Target::Api,
        Action::Throttle {
            retry_after: Some("3600".to_owned()),
            quota: true,
        },
    ));
    // Spotify's own answer is one, and printed.
    let first = home.run(&["api", "/v1/me"]);
    assert_eq!(
        (first.code, &first.json()["error"]["status"]),
        (1, &429.into())
    );
    let calls = home.sim.counts().api_calls;
    // Another process: it has been told by way of the store.
    let output = home.run(&["api", "/v1/me", "--json"]);
    let error = output.failed(5, "quota_exceeded");
    assert!(output.stdout.is_empty(), "{output:?}");
    let until = error["retry_at"].as_str().unwrap();
    assert!(
        error["message"].as_str().unwrap().contains(until),
        "{error}"
    );
    assert_eq!(home.sim.counts().api_calls, calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_nowhere_else() {
    let home = Home::new().await;
    home.login("alice");
    let before = home.sim.history().len();
    let elsewhere = home.sim.accounts_url().to_owned() + "/v1/me";
    for path in [
        "v1/me",
        "https://evil.example/v1/me",
        &elsewhere,
        "ftp://x/",
    ] {
        home.run(&["api", path, "--json"]).failed(2, "usage");
    }
    for header in ["Authorization: Bearer x", "Host: x", "nothing"] {
        home.run(&["api", "-H", header, "/v1/me", "--json"])
            .failed(2, "usage");
    }
    home.run(&["api", "-X", "P T", "/v1/me", "--json"])
        .failed(2, "usage");
    home.run(&["api", "-d", "@/no/such/file", "/v1/me", "--json"])
        .failed(2, "usage");
    assert_eq!(home.sim.history().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_token_is_told_as_everywhere() {
    let home = Home::new().await;
    home.login("alice");
    home.run(&["logout"]).ok();
    home.run(&["api", "/v1/me", "--json"])
        .failed(3, "signed_out");
    let config = std::fs::read_to_string(home.config_file()).unwrap();
    home.login("alice");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    write_private(
        &home.config_file(),
        &config.replace(home.sim.api_url(), &url),
    );
    let error = home
        .run(&["api", "/v1/me?canary=1", "--json"])
        .failed(5, "api_unreachable");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_that_cannot_be_repaired_says_why() {
    let home = Home::with(Profile::rotating(Rotation::Static)).await;
    home.login("alice");
    home.sim.expire_access_tokens();
    home.sim
        .revoke_user(&home.sim.default_app().client_id, "alice");
    let error = home
        .run(&["--json", "api", "/v1/me"])
        .failed(1, "refused_early");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("there is no new one"),
        "{error}"
    );
}
