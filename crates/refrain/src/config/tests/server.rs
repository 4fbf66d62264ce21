//! The section of the server, and whose app an app is.

use super::*;

#[test]
fn the_server_listens_on_this_machine_unless_told_otherwise() {
    let server = Home::new("").load().unwrap().server;
    assert_eq!(server, Server::default());
    assert_eq!(
        server.listen.map(|it| it.to_string()).as_deref(),
        Some("127.0.0.1:4280")
    );
    let quiet = Home::new("[server]\nlisten = \"\"\nsocket = \"$HOME/s\"");
    let server = quiet.load().unwrap().server;
    assert_eq!(
        (server.listen, server.socket),
        (None, Some(quiet.path("s")))
    );
}

#[test]
fn a_whole_section_of_the_server_is_read() {
    let home = Home::new(
        r#"
[server]
listen = "0.0.0.0:443"
socket = "refrain.sock"
socket_uids = [0, 1000]
names = ["Refrain.Example", "[::1]"]
tls_certificate_file = "$XDG_CONFIG_HOME/c.pem"
tls_key_file = "/k.pem"
return_to = ["https://app.example/connected", "http://127.0.0.1:3000"]
"#,
    );
    let config = home.load().unwrap();
    let server = &config.server;
    assert_eq!(server.listen.unwrap().to_string(), "0.0.0.0:443");
    let socket = home.path(".config/refrain/refrain.sock");
    assert_eq!(server.socket.as_ref(), Some(&socket));
    assert_eq!(server.socket_uids, [0, 1000]);
    let names: Vec<_> = server.names.iter().map(HostName::as_str).collect();
    assert_eq!(names, ["refrain.example", "[::1]"]);
    let tls = server.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, home.path(".config/c.pem"));
    assert_eq!(tls.key, Path::new("/k.pem"));
    assert!(!server.plain_http);
    let places: Vec<_> = server.return_to.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        ["https://app.example/connected", "http://127.0.0.1:3000/"]
    );
    let file = home.path(".config/refrain/refrain.toml");
    let at = |line: usize| format!("{}:{line}", file.display());
    // The key is a path, and shown as one.
    assert_eq!(setting(&config, "server.tls_key_file"), ("/k.pem", at(8)));
    assert_eq!(
        setting(&config, "server.socket_uids"),
        ("0 1000", at(5)),
        "as the environment would have it"
    );
}

#[test]
fn the_environment_overrides_the_server_s_values() {
    let file = "[server]\nlisten = \"0.0.0.0:1\"\nplain_http = true\nsocket_uids = [1]\nnames = [\"a\"]\n\
                tls_certificate_file = \"/c\"\ntls_key_file = \"/k\"";
    let config = Home::new(file)
        .with("REFRAIN_SERVER_LISTEN", "[::1]:2")
        .with("REFRAIN_SERVER_SOCKET", "/run/refrain.sock")
        .with("REFRAIN_SERVER_SOCKET_UIDS", "2 3")
        .with("REFRAIN_SERVER_NAMES", "b.example c.example")
        .with("REFRAIN_SERVER_TLS_CERTIFICATE_FILE", "")
        .with("REFRAIN_SERVER_TLS_KEY_FILE", "")
        .with("REFRAIN_SERVER_PLAIN_HTTP", "false")
        .with(
            "REFRAIN_SERVER_RETURN_TO",
            "https://a.example https://b.example/x",
        )
        .load()
        .unwrap();
    let server = &config.server;
    assert_eq!(server.listen.unwrap().to_string(), "[::1]:2");
    assert_eq!(
        server.socket.as_deref(),
        Some(Path::new("/run/refrain.sock"))
    );
    assert_eq!(server.socket_uids, [2, 3]);
    assert_eq!(setting(&config, "server.names").0, "b.example c.example");
    assert!(server.tls.is_none() && !server.plain_http);
    assert_eq!(server.return_to.len(), 2);
}

#[test]
fn a_value_of_the_server_without_meaning_is_refused_with_its_line_and_an_example() {
    refused(&[
        (
            "[server]\nlisten = \"localhost:4280\"",
            "config_invalid_value",
            ["toml:2: server.listen", "\"127.0.0.1:4280\""],
        ),
        (
            "[server]\nlisten = 4280",
            "config_wrong_type",
            ["toml:2: server.listen", "text in quotes"],
        ),
        (
            "[server]\nsocket_uids = [\n1,\n-1]",
            "config_invalid_value",
            ["toml:4: server.socket_uids", "server.socket_uids = [1000]"],
        ),
        (
            "[server]\nsocket_uids = [\n\"1\"]",
            "config_wrong_type",
            ["toml:3: server.socket_uids", "a list of numbers"],
        ),
        (
            "[server]\nsocket_uids = 1",
            "config_wrong_type",
            ["toml:2: server.socket_uids", "a list of numbers"],
        ),
        (
            "[server]\nnames = [\n\"a\",\n\"b c\"]",
            "config_invalid_value",
            [
                "toml:4: server.names",
                "server.names = [\"refrain.example\"]",
            ],
        ),
        (
            "[server]\nnames = [\"https://a\"]",
            "config_invalid_value",
            ["toml:2: server.names", "neither scheme nor port"],
        ),
        (
            "[server]\nreturn_to = [\n\"https://a.example\",\n\"http://b.example\"]",
            "config_invalid_value",
            [
                "toml:4: server.return_to",
                "server.return_to = [\"https://app.example/connected\"]",
            ],
        ),
        (
            "[server]\nplain_http = \"yes\"",
            "config_wrong_type",
            ["toml:2: server.plain_http", "true or false"],
        ),
        (
            "[server]\nport = 1",
            "config_unknown_field",
            ["toml:2: ", "known here: listen, socket"],
        ),
        (
            "[apps.a]\nclient_id = \"a\"\ndeveloper = \"b c\"",
            "config_invalid_value",
            ["toml:3: apps.a.developer", "is not a name"],
        ),
    ]);
    for (variable, value) in [
        ("REFRAIN_SERVER_PLAIN_HTTP", "yes"),
        ("REFRAIN_SERVER_SOCKET_UIDS", "1 -1"),
        ("REFRAIN_SERVER_NAMES", "a b/c"),
    ] {
        let (code, text) = Home::new("").with(variable, value).refusal();
        assert_eq!(code, "config_invalid_value", "{text}");
        assert!(text.contains(&format!("{variable}='")), "{text}");
    }
}

#[test]
fn a_certificate_without_its_key_is_refused_and_so_is_a_key_alone() {
    refused(&[
        (
            "[server]\ntls_certificate_file = \"/c\"",
            "config_incomplete",
            [
                "toml:2: server.tls_certificate_file",
                "give server.tls_key_file too",
            ],
        ),
        (
            "[server]\ntls_certificate_file = \"\"\ntls_key_file = \"/k\"",
            "config_incomplete",
            [
                "toml:3: server.tls_key_file",
                "give server.tls_certificate_file too",
            ],
        ),
    ]);
}

#[test]
fn plain_http_stays_on_this_machine_unless_a_proxy_is_said_to_be_in_front() {
    for address in [
        "0.0.0.0:80",
        "[::]:80",
        "192.168.1.5:80",
        "[::ffff:10.0.0.1]:80",
    ] {
        let toml = format!("[server]\nlisten = \"{address}\"");
        refused(&[(
            &toml,
            "config_plain_http",
            ["toml:2: at ", "server.plain_http = true"],
        )]);
        let toml = format!("{toml}\nplain_http = true");
        assert!(Home::new(&toml).load().unwrap().server.plain_http);
    }
    for address in [
        "127.0.0.1:80",
        "127.9.9.9:80",
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
    ] {
        let toml = format!("[server]\nlisten = \"{address}\"");
        assert!(Home::new(&toml).load().is_ok(), "{address}");
    }
    let (code, text) = Home::new("")
        .with("REFRAIN_SERVER_LISTEN", "0.0.0.0:80")
        .refusal();
    assert_eq!(code, "config_plain_http");
    assert!(text.contains("variable REFRAIN_SERVER_LISTEN"), "{text}");
}

#[test]
fn apps_of_one_developer_are_grouped_and_others_stand_alone() {
    let config = Home::new(
        "[apps.a]\nclient_id = \"1\"\ndeveloper = \"us\"\n[apps.b]\nclient_id = \"2\"\n[apps.c]\nclient_id = \"3\"\n",
    )
    .with("REFRAIN_APPS_B_DEVELOPER", "us")
    .load()
    .unwrap();
    let developer = |app: &str| config.apps[&app.parse().unwrap()].developer.to_string();
    assert_eq!(["a", "b", "c"].map(developer), ["us", "us", "c"]);
    assert_eq!(
        setting(&config, "apps.c.developer"),
        ("c", "default".to_owned())
    );
}
