//! The server among the places where no secret is: its answers, its log at its loudest, its process.

use refrain_sim::{Action, BodyKind, Fault, Target};
use rustix::process::Signal;

use super::{ACCESS, Canary};
use crate::{served::Served, world::signal};

/// Serves callers with right keys and wrong ones, through faults, and keeps all that it says.
pub(super) fn serving(canary: &mut Canary) {
    let keys: Vec<String> = canary
        .secrets
        .iter()
        .map(|it| String::from_utf8_lossy(&it.bytes).into_owned())
        .filter(|it| it.starts_with("rfk_"))
        .collect();
    for format in ["json", "text"] {
        served_in(canary, &keys, format);
    }
}

/// The same in both formats of the log.
fn served_in(canary: &mut Canary, keys: &[String], format: &str) {
    let label = format!("serve, log as {format}");
    let served = Served::start(canary.command(&["--log-format", format, "serve"]));
    canary.sink_process(&label, served.child());
    for (number, key) in keys.iter().enumerate() {
        for (what, request, allowed) in requests(&served, key) {
            let answer = served.say(&request);
            assert!(answer.starts_with("HTTP/1.1 "), "{what}: {answer}");
            canary.sink(format!("serve, key {number}, {what}"), answer, allowed);
        }
    }
    faulty(canary, &served, keys, format == "text");
    canary.sink_files(&format!("{label}, serving"));
    signal(served.child(), Signal::TERM);
    let ran = served.end();
    ran.assert_done();
    assert!(
        ran.stderr.contains("a request was not carried out"),
        "it logs at its loudest"
    );
    canary.sink_run(&label, &ran, &[], &[]);
}

/// What a caller may say, right and wrong, and what may stand in the answer.
fn requests(served: &Served, key: &str) -> Vec<(&'static str, String, &'static [&'static str])> {
    let bearer = format!("Authorization: Bearer {key}\r\nRefrain-Grant: alice\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\nRefrain-Grant: alice\r\n";
    let token = format!("grant_type=refresh_token&refresh_token={key}&client_id=x");
    let half = key.get(..key.len() - 1).unwrap();
    let ask = |line: &str, headers: &str, body: &str| served.request(line, headers, body);
    vec![
        ("a read", ask("GET /v1/me", &bearer, ""), &[]),
        ("a write", ask("POST /v1/me/playlists", &bearer, "{}"), &[]),
        ("a token", ask("POST /api/token", form, &token), &[ACCESS]),
        (
            "a token, twice",
            ask("POST /api/token", form, &format!("{token}&{token}")),
            &[],
        ),
        (
            "a token, other form",
            ask("POST /api/token", "", &token),
            &[],
        ),
        (
            "a key in the path",
            ask(&format!("GET /v1/{key}"), &bearer, ""),
            &[],
        ),
        (
            "a key in the query",
            ask(&format!("GET /v1/me?k={key}"), &bearer, ""),
            &[],
        ),
        ("a key at no path", ask(&format!("GET /{key}"), "", ""), &[]),
        (
            "half a key",
            ask(
                "GET /v1/me",
                &format!("Authorization: Bearer {half}\r\n"),
                "",
            ),
            &[],
        ),
        (
            "a key as basic",
            ask("GET /v1/me", &format!("Authorization: Basic {key}\r\n"), ""),
            &[],
        ),
        (
            "a key twice",
            ask("GET /v1/me", &format!("{bearer}{bearer}"), ""),
            &[],
        ),
        (
            "a key as grant",
            ask(
                "GET /v1/me",
                &format!("{bearer}Refrain-Grant: {key}\r\n"),
                "",
            ),
            &[],
        ),
        (
            "a key as a host",
            format!("GET /v1/me HTTP/1.1\r\nHost: {key}\r\n\r\n"),
            &[],
        ),
        (
            "a key as a method",
            ask(&format!("{key} /v1/me"), &bearer, ""),
            &[],
        ),
        (
            "a broken head",
            format!("GET /v1/me HTTP/1.1\r\n{bearer}{key}\0\r\n\r\n"),
            &[],
        ),
        ("health", ask("GET /readyz", &bearer, ""), &[]),
    ]
}

/// An API that errs while it is asked; `limits` it with what keeps everybody waiting from then on.
fn faulty(canary: &mut Canary, served: &Served, keys: &[String], limits: bool) {
    let status = |status| Action::ErrorBeforeCommit {
        status,
        body_kind: BodyKind::Json,
    };
    let cut = Action::CutAfterBytes {
        n: 300,
        reset: true,
    };
    let faults = [Action::Spurious401, status(500), cut];
    let limit = limits.then(|| status(429));
    for (number, action) in faults.into_iter().chain(limit).enumerate() {
        canary.world.sim.script(Fault::once(Target::Api, action));
        for key in keys {
            let bearer = format!("Authorization: Bearer {key}\r\nRefrain-Grant: alice\r\n");
            let answer = served.say(&served.request("GET /v1/me", &bearer, ""));
            canary.sink(format!("serve, fault {number}"), answer, &[]);
        }
        canary.world.sim.clear_scripts();
    }
}
