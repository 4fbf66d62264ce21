//! `refrain serve`.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::home::{Home, Running};

/// What a program gets that shows a key.
pub(crate) fn ask(at: &str, key: &str, request: &str) -> (String, Value) {
    let host = at.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

fn serve(home: &Home, more: &[&str]) -> (Running, String) {
    let args = [more, &["serve", "--listen", "127.0.0.1:0"]].concat();
    let mut server = home.start(&args);
    let line = server.error_line("refrain serves at ");
    let at = line.rsplit(' ').next().unwrap().to_owned();
    (server, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_given_to_a_key_and_noted_without_it() {
    let home = Home::new().await;
    home.login("alice");
    let made = home.run(&["key", "create", "phone", "-g", "alice", "--allow", "token"]);
    let key = made.ok().stdout.trim_end().to_owned();
    let (server, at) = serve(&home, &[]);
    let (head, token) = ask(&at, &key, "GET /refrain/v1/grants/alice/token");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("refrain-request-id: "));
    let id = id.unwrap().to_owned();
    let (head, problem) = ask(&at, &key, "GET /refrain/v1/grants");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert_eq!(problem["code"], "not_allowed");
    server.interrupt();
    let output = server.wait().ok();
    let audit: Vec<_> = output
        .stderr
        .lines()
        .filter(|line| line.contains("audit"))
        .collect();
    let [line] = audit.as_slice() else {
        panic!("{output:?}");
    };
    for part in ["token_given", "alice", "done", id.as_str()] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let token = token["access_token"].as_str().unwrap();
    for secret in [token, key.as_str()] {
        assert!(!output.stderr.contains(secret), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_found_in_the_log_by_its_number() {
    let home = Home::new().await;
    home.login("alice");
    let (server, at) = serve(&home, &["-vv"]);
    let (head, _) = ask(&at, "nothing", "GET /v1/me");
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("refrain-request-id: "));
    let id = id.unwrap();
    server.interrupt();
    let output = server.wait().ok();
    let told = |line: &str| line.contains(id) && line.contains("key_needed");
    assert!(output.stderr.lines().any(told), "{id}: {output:?}");
}
