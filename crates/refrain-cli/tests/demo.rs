//! The demo and the simulator, as a person and a program start them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

const PROMISES: [&str; 11] = [
    "No token is readable on disk",
    "A token in hand costs nothing",
    "One refresh, however many ask",
    "A 401 is repaired unseen",
    "An outage asks nobody to log in",
    "A lost answer is recovered, or named",
    "One refresh, however many processes",
    "A killed process is taken over",
    "A refusal is verified first",
    "The end is known, a login mends it",
    "Logging out destroys what is here",
];

fn refrain(temporary: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
    command.args(args).env("TMPDIR", temporary);
    command
}

/// Runs to the end, a minute at most.
fn run(command: &mut Command) -> Output {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    for _ in 0..600 {
        if child.try_wait().unwrap().is_some() {
            return child.wait_with_output().unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    panic!("it took a minute: {:?}", child.wait_with_output().unwrap());
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .arg(signal)
        .arg(child.id().to_string())
        .status();
    assert!(sent.unwrap().success());
}

fn get(origin: &str, path: &str) -> String {
    let address = origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_demo_keeps_every_promise_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    // What the watcher has configured must not reach the demo or its children.
    let output = run(refrain(temporary.path(), &["demo"]).env("REFRAIN_STORE", "nonsense"));
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    for promise in PROMISES {
        assert!(text.contains(&format!("✓  {promise}")), "{promise}: {text}");
    }
    assert!(!text.contains('✗') && !text.contains('\u{1b}'), "{text}");
    assert_eq!(errors, "");
    assert!(is_empty(temporary.path()));
}

#[test]
fn the_table_is_there_for_programs_too() {
    let temporary = tempfile::tempdir().unwrap();
    let output = run(&mut refrain(temporary.path(), &["demo", "--json"]));
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(table["holds"], true, "{table:#}");
    let rows = table["scenes"].as_array().unwrap();
    let promises: Vec<_> = rows
        .iter()
        .map(|row| row["promise"].as_str().unwrap())
        .collect();
    assert_eq!(promises, PROMISES);
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = refrain(temporary.path(), &["demo"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("1000 callers")));
    assert!(!is_empty(temporary.path()));
    signal(&child, "-INT");
    assert!(!lines.any(|line| line.unwrap().contains("promises held")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_kept_demo_serves_other_commands_until_it_is_told_to_end() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = refrain(temporary.path(), &["demo", "--keep", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        if line == "}" {
            break;
        }
    }
    let table: Value = serde_json::from_str(&text).unwrap();
    let config = table["kept"]["config"].as_str().unwrap();
    let output = run(&mut refrain(
        temporary.path(),
        &["--config", config, "token", "bob"],
    ));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.len() > 100);
    let link = table["kept"]["dashboard_url"].as_str().unwrap();
    let (origin, path) = link.split_at(link.find("/sign-in/").unwrap());
    let page = get(origin, path);
    assert!(page.contains("Sign in to refrain"), "{page}");
    assert!(get(origin, "/dashboard").starts_with("HTTP/1.1 401"));
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_empty(temporary.path()));
}

#[test]
fn the_simulator_tells_where_it_is_and_ends_when_told_to() {
    let temporary = tempfile::tempdir().unwrap();
    let args = [
        "sim",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--rotation",
        "grace:5",
    ];
    let mut child = refrain(temporary.path(), &args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let place: Value = serde_json::from_str(&line).unwrap();
    let accounts = place["accounts_url"].as_str().unwrap();
    let counts = get(accounts, "/_sim/counts");
    assert!(counts.starts_with("HTTP/1.1 200"), "{counts}");
    assert!(counts.contains("\"token_calls\":0"), "{counts}");
    assert!(get(accounts, "/_sim/profile").contains("\"seconds\":5"));
    let client_id = place["client_id"].as_str().unwrap();
    assert!(place["config"].as_str().unwrap().contains(client_id));

    let taken = accounts.strip_prefix("http://").unwrap();
    let output = run(&mut refrain(
        temporary.path(),
        &["--json", "sim", "--listen", taken],
    ));
    assert_eq!(output.status.code(), Some(6));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "port_taken");

    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
