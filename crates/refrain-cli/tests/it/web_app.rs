//! The example app, as its README says it is tried.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Stdio,
};

use refrain_sim::Profile;
use serde_json::{Value, json};

use crate::home::{Home, Running};

/// An answer: its head and its body.
fn ask(url: &str, head: &str, body: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let (method, lines) = head.split_once('\n').unwrap_or((head, ""));
    let lines = lines.replace('\n', "\r\n");
    let length = body.len();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {lines}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The value of the last header of a name, up to the attributes that it may have.
fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(key, _)| *key == name).map(|(_, it)| it);
    let value = found.rfind(|it| !it.contains("=;")).unwrap();
    value.split(';').next().unwrap()
}

/// What the README has in one of its shell blocks.
fn block(beginning: &str) -> String {
    let readme = include_str!("../../../../examples/web-app/README.md");
    let blocks = readme.split("```sh\n").skip(1);
    let mut blocks = blocks.map(|it| it.split_once("```").unwrap().0);
    let found = blocks.find(|it| it.starts_with(beginning)).unwrap();
    found.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_readme_says_signs_a_user_in_and_shows_what_he_has_listened_to() {
    let home = Home::bare(Profile::default()).await;
    // Ports and folders of its own, so that nothing else on this machine is in the way.
    let folder = home.path().join("web-app");
    let here =
        |commands: String| commands.replace("/tmp/refrain-web-app", folder.to_str().unwrap());
    let command = here(block("refrain sim"));
    let args: Vec<_> = command.split_whitespace().skip(1).collect();
    let mut spotify = home.start(&[&args[..], &["--json", "--listen", "127.0.0.1:0"]].concat());
    let place: Value = serde_json::from_str(&spotify.line()).unwrap();
    let at = |name: &str| place[name].as_str().unwrap();
    let commands = here(block("export"))
        .replace(
            "REFRAIN_SESSIONS_APP=default refrain serve",
            "export REFRAIN_SESSIONS_APP=default; refrain serve",
        )
        .replace("refrain serve", "exec refrain serve --listen 127.0.0.1:0");
    let binary = Path::new(env!("CARGO_BIN_EXE_refrain")).parent().unwrap();
    let mut shell = home.program("sh", &["-euc", &commands]);
    shell
        .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
        .env(
            "REFRAIN_APPS_DEFAULT_REDIRECT_URI",
            "http://127.0.0.1/callback",
        )
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut server = Running::of(shell.stdin(Stdio::null()));
    let line = server.error_line("refrain serves at ");
    let here = line.rsplit(' ').next().unwrap().to_owned();

    let (_, page) = ask(&format!("{here}/"), "GET\n", "");
    assert!(page.contains("Sign in with Spotify"), "{page}");
    let login = format!("{here}/session/login?return_to=/");
    let (head, _) = ask(&login, &format!("POST\nOrigin: {here}\n"), "");
    let (url, waits) = (header(&head, "location"), header(&head, "set-cookie"));
    // The user chooses Allow.
    let (_, agreed) = ask(
        &format!("{}consent", at("control_url")),
        "POST\nContent-Type: application/json\n",
        &json!({ "url": url }).to_string(),
    );
    let agreed: Value = serde_json::from_str(&agreed).unwrap();
    let back = agreed["location"].as_str().unwrap();
    let (head, _) = ask(back, &format!("GET\nCookie: {waits}\n"), "");
    assert_eq!(header(&head, "location"), "/", "{head}");
    let session = header(&head, "set-cookie");
    let tracks = format!("{here}/v1/me/player/recently-played?limit=10");
    let (head, tracks) = ask(&tracks, &format!("GET\nCookie: {session}\n"), "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(tracks.contains("\"played_at\""), "{tracks}");
    assert!(
        folder.join("refrain-sim.db").exists(),
        "and it is kept there"
    );
    server.interrupt();
    server.wait().ok();
    spotify.interrupt();
    spotify.wait().ok();
}
