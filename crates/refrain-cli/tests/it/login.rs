//! `refrain login`.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _};

use refrain_sim::{Action, App, Fault, Profile, Target, User};

use crate::home::{Home, Running, SCOPES, get, write_private};

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_address_signs_in() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "--no-browser", "--json"]);
    let url = login.line();
    assert!(url.starts_with(home.sim.accounts_url()), "{url}");
    login.type_in("\nnot this\n");
    let location = home.sim.consent(&url).unwrap();
    login.type_in(&(location + "\n"));
    let output = login.wait().ok();
    assert!(
        output.stderr.contains("That is not the whole address"),
        "{output:?}"
    );
    // The URL is a line of its own; the result follows it.
    let (_, json) = output.stdout.split_once('\n').unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["grant"], "default");
    assert_eq!(json["account"]["name"], "Alice");
    assert_eq!(json["scope"].as_array().unwrap().len(), 3);
    assert_eq!(json["missing"].as_array().unwrap().len(), 0);
    assert!(json["reauthorize_by"].as_str().unwrap().ends_with('Z'));
    // No code and no state is repeated on standard error.
    assert!(!output.stderr.contains("code=A"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_alone_may_be_pasted() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "alice", "--no-browser"]);
    let url = login.line();
    let location = home.sim.consent(&url).unwrap();
    login.type_in(location.split_once('?').unwrap().1);
    let output = login.wait().ok();
    assert!(
        output.stdout.contains("alice is signed in as Alice"),
        "{output:?}"
    );
    assert!(
        output
            .stdout
            .contains("Spotify asks for consent again by 20"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_comes_back_to_the_listener() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "alice", "--no-browser"]);
    let url = login.line();
    // The end of standard input does not end the waiting.
    login.end_input();
    let location = home.sim.consent(&url).unwrap();
    let (place, _) = location.split_once('?').unwrap();
    let stranger = get(&format!("{place}?code=guess&state=guess"));
    assert!(stranger.starts_with("HTTP/1.1 400"), "{stranger}");
    let page = get(&location);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(
        page.contains("Signed in as Alice") && page.contains("You may close this page"),
        "{page}"
    );
    login.wait().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_browser_is_opened() {
    let home = Home::new().await;
    let browser = home.path().join("browser");
    let opened = home.path().join("opened");
    let script = format!(
        "#!/bin/sh\necho \"$1\" > {0}.new && mv {0}.new {0}\n",
        opened.display()
    );
    write_private(&browser, &script);
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = home.command(&["login", "alice", "--json"]);
    let login = Running::start(command.env("BROWSER", &browser));
    let url = loop {
        match fs::read_to_string(&opened) {
            Ok(url) => break url,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let location = home.sim.consent(url.trim()).unwrap();
    assert!(get(&location).starts_with("HTTP/1.1 200"));
    let output = login.wait().ok();
    // Without --no-browser the result is all there is on standard output.
    assert_eq!(output.json()["grant"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_address_is_printed() {
    let home = Home::new().await;
    let mut command = home.command(&["login", "alice"]);
    // Nothing to open one with.
    let mut login = Running::start(command.env("PATH", "/nowhere"));
    login.error_line("No browser could be opened");
    let url = login.error_line("  http");
    let location = home.sim.consent(url.trim()).unwrap();
    assert!(get(&location).starts_with("HTTP/1.1 200"));
    login.wait().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_leaves_pasting() {
    let home = Home::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let redirect = format!("http://{}/callback", taken.local_addr().unwrap());
    let app = home
        .sim
        .default_app()
        .with_redirect_uris([redirect.as_str()]);
    home.sim.register_app(app);
    home.configure(&redirect, "");
    let mut login = home.start(&["login", "--no-browser"]);
    let url = login.line();
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    let output = login.wait().ok();
    assert!(
        output.stderr.contains("another program listens on"),
        "{output:?}"
    );

    let output = home.run(&["login", "--no-browser", "--json"]);
    output.failed(6, "login_no_way_back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_machine_leaves_pasting() {
    let home = Home::new().await;
    let redirect = "https://music.example/callback";
    let app = home.sim.default_app().with_redirect_uris([redirect]);
    home.sim.register_app(app);
    home.configure(redirect, "");
    let mut login = home.start(&["login", "--no-browser"]);
    let url = login.line();
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    let output = login.wait().ok();
    assert!(
        output
            .stderr
            .contains("does not lead to a loopback address"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_comes_back_spotifys_own_page_is_explained() {
    let home = Home::new().await;
    let output = home.run(&["login", "--no-browser", "--wait", "1"]);
    assert_eq!(output.code, 5, "{output:?}");
    for part in [
        "nothing came back",
        "INVALID_CLIENT: Invalid redirect URI",
        "Illegal scope",
        "http://127.0.0.1",
        "https://developer.spotify.com/dashboard",
    ] {
        assert!(output.stderr.contains(part), "{part}: {output:?}");
    }
    let output = home.run(&["login", "--no-browser", "--wait", "1", "--json"]);
    let error = output.failed(5, "login_nothing_came");
    assert!(error["fix"].as_str().unwrap().contains("Illegal scope"));
    assert_eq!(home.run(&["list", "--json"]).ok().stdout, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_login_leaves_nothing() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "--no-browser", "--json"]);
    let url = login.line();
    // Whoever answers the browser hears Ctrl-C too.
    let location = home.sim.consent(&url).unwrap();
    let (place, _) = location.split_once('?').unwrap();
    get(&format!("{place}?code=guess&state=guess"));
    login.interrupt();
    let output = login.wait();
    output.failed(130, "interrupted");
    let waited = output.stderr.split_once("press Enter.\n").unwrap().1;
    assert_eq!(waited.lines().count(), 1, "{output:?}");
    assert_eq!(home.run(&["list", "--json"]).ok().stdout, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_cancels_is_not_signed_in() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "--no-browser", "--json"]);
    let url = login.line();
    let page = get(&home.sim.deny(&url).unwrap());
    assert!(page.starts_with("HTTP/1.1 400"), "{page}");
    assert!(page.contains("What to do:"), "{page}");
    login.wait().failed(4, "login_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_may_be_chosen_and_renewed_grants_keep_their_name() {
    let home = Home::new().await;
    home.login("bob");
    let scopes = [
        "--scope",
        "user-read-email streaming",
        "--scope",
        "user-top-read",
    ];
    let mut args = vec!["login", "--no-browser", "--json"];
    args.extend(scopes);
    let mut login = home.start(&args);
    let url = login.line();
    assert!(
        url.contains("scope=streaming+user-read-email+user-top-read&")
            || url.ends_with("user-top-read"),
        "{url}"
    );
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    let output = login.wait().ok();
    assert!(output.stdout.contains("\"grant\": \"bob\""), "{output:?}");
    assert!(!SCOPES.contains("streaming"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_users_consent_is_refused_unless_asked_for() {
    let profile = Profile {
        users: vec![User::new("alice"), User::new("mallory")],
        ..Profile::default()
    };
    let home = Home::with(profile).await;
    home.login("alice");
    assert!(home.sim.sign_in_as("mallory"));
    let again = |more: &[&str]| {
        let mut args = vec!["login", "alice", "--no-browser", "--json"];
        args.extend(more);
        let mut login = home.start(&args);
        let url = login.line();
        login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
        login.wait()
    };
    again(&[]).failed(4, "login_other_account");
    again(&["--other-account"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_another_login_is_not_used_up() {
    let home = Home::new().await;
    let mut one = home.start(&["login", "one", "--no-browser"]);
    let mut two = home.start(&["login", "two", "--no-browser"]);
    let (url_one, url_two) = (one.line(), two.line());
    let location = home.sim.consent(&url_two).unwrap();
    one.type_in(&(location.clone() + "\n"));
    one.error_line("That is the answer to another login");
    two.type_in(&(location + "\n"));
    two.wait().ok();
    one.type_in(&(home.sim.consent(&url_one).unwrap() + "\n"));
    one.wait().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_the_exchange_saves_nothing() {
    let home = Home::new().await;
    let mut login = home.start(&["login", "--no-browser", "--json"]);
    let url = login.line();
    home.sim
        .script(Fault::once(Target::TokenExchange, Action::CutBeforeCommit));
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    login.wait().failed(5, "login_interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_the_tunnel_is_explained() {
    let profile = Profile {
        apps: vec![App::public("00112233445566778899aabbccddeeff")],
        ..Profile::default()
    };
    let home = Home::with(profile).await;
    let mut command = home.command(&["login", "--no-browser"]);
    let mut login = Running::start(command.env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.7 22"));
    let hint = login.error_line("  ssh -L ");
    assert!(
        hint.ends_with(" 192.0.2.7") && hint.contains(":127.0.0.1:"),
        "{hint}"
    );
    let url = login.line();
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    login.wait().ok();
}
