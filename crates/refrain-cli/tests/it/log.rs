//! The log as JSON: a program reads it line by line, and finds what belongs to one request.

use std::net::TcpListener;

use refrain_sim::{Action, BodyKind, Fault, Target};
use serde_json::Value;

use crate::{
    home::{Home, Output, REDIRECT, Running},
    serve::ask,
};

/// Every line has to be an object with what a collector of logs looks for.
fn lines(stderr: &str) -> Vec<Value> {
    let lines = stderr.lines().map(|line| {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        line
    });
    lines.collect()
}

/// What is said of one request.
fn of<'a>(lines: &'a [Value], id: &str) -> Vec<&'a str> {
    let own = |line: &&Value| line["request_id"] == id || line["span"]["request_id"] == id;
    let own = lines.iter().filter(own);
    own.map(|line| line["message"].as_str().unwrap()).collect()
}

/// A server and the lines up to the one that says where it is.
fn serve(home: &Home, more: &[&str]) -> (Running, String, String) {
    let args = ["--log-format", "json", "serve", "--listen", "127.0.0.1:0"];
    let mut server = home.start(&[more, &args].concat());
    let mut seen = String::new();
    loop {
        let line = server.error_line("{");
        seen.push_str(&(line + "\n"));
        let told = lines(&seen);
        let message = told.last().unwrap()["message"].as_str().unwrap();
        if let Some(at) = message.strip_prefix("refrain serves at ") {
            return (server, seen, at.to_owned());
        }
    }
}

fn id(head: &str) -> &str {
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("refrain-request-id: "));
    id.unwrap_or_else(|| panic!("no number: {head}"))
}

/// The API rejects the token, the accounts service is down, and then the API wants to be left alone.
fn trouble(home: &Home, at: &str, key: &str) -> [String; 3] {
    let down = |status| Action::ErrorBeforeCommit {
        status,
        body_kind: BodyKind::Json,
    };
    let fault = Fault::times(Target::TokenRefresh, 9, down(503));
    home.sim
        .script_many([Fault::once(Target::Api, Action::Spurious401), fault]);
    let (rejected, _) = ask(at, key, "GET /v1/me");
    assert!(rejected.starts_with("HTTP/1.1 401"), "{rejected}");
    home.sim.clear_scripts();
    home.sim.script(Fault::once(Target::Api, down(429)));
    let (limited, _) = ask(at, key, "GET /v1/me");
    assert!(limited.starts_with("HTTP/1.1 429"), "{limited}");
    let (unknown, _) = ask(at, "nothing", "GET /v1/me");
    [rejected, limited, unknown].map(|head| id(&head).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_an_object_and_those_of_a_request_have_its_number() {
    for verbosity in [&[][..], &["-vvv"]] {
        let home = Home::new().await;
        home.login("alice");
        let made = home.run(&["key", "create", "phone", "-g", "alice"]);
        let key = made.ok().stdout.trim_end().to_owned();
        let (server, mut seen, at) = serve(&home, verbosity);
        let [rejected, limited, unknown] = trouble(&home, &at, &key);
        server.interrupt();
        seen.push_str(&server.wait().ok().stderr);
        let lines = lines(&seen);
        let rejected = of(&lines, &rejected);
        for message in [
            "the provider gave no proper answer",
            "a rejected access token could not be renewed",
        ] {
            assert!(rejected.contains(&message), "{message}: {seen}");
        }
        let limited = of(&lines, &limited);
        assert!(
            limited.contains(&"Spotify's Web API wants to be left alone"),
            "{seen}"
        );
        let told = of(&lines, &unknown).contains(&"a request was not carried out");
        assert_eq!(told, !verbosity.is_empty(), "{seen}");
        assert!(!seen.contains(&key), "a key is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_an_object_too() {
    let home = Home::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    home.configure(REDIRECT, &format!("[server]\nlisten = \"{address}\"\n"));
    let mut command = home.command(&["serve"]);
    let output = Output::of(
        command
            .env("REFRAIN_LOG_FORMAT", "json")
            .env("REFRAIN_LOG", "off"),
    );
    assert_eq!(output.code, 5, "{output:?}");
    let lines = lines(&output.stderr);
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["code"], &last["level"]),
        (&"address_in_use".into(), &"ERROR".into())
    );
    assert!(
        last["fix"].is_string() && last["retry_at"].is_null(),
        "{last}"
    );
}
