//! `refrain init` without a terminal.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use refrain_sim::Profile;

use crate::home::{Home, Output, REDIRECT, Running, write_private};

/// Runs `init`, pointed at the simulator, with this on standard input.
fn init(home: &Home, args: &[&str], input: &str) -> Output {
    let mut all = vec!["init"];
    all.extend(args);
    let mut command = home.command(&all);
    command
        .env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url())
        .env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let mut running = Running::start(&mut command);
    running.type_in(input);
    running.wait()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_made_and_examined() {
    let home = Home::bare(Profile::default()).await;
    let app = home.sim.default_app();
    let secret = app.client_secret.unwrap();
    let args = [
        "--client-id",
        &app.client_id,
        "--client-secret-stdin",
        "--redirect-uri",
        REDIRECT,
        "--scope",
        "user-read-private streaming",
    ];
    let output = init(&home, &args, &format!("{secret}\n")).ok();
    assert!(
        output.stderr.contains(&format!("\n  {REDIRECT}\n")),
        "{output:?}"
    );
    assert!(
        output
            .stderr
            .contains("https://developer.spotify.com/dashboard"),
        "{output:?}"
    );
    assert!(
        output.stdout.contains("Spotify accepts those of default"),
        "{output:?}"
    );
    let secret_file = home.config_folder().join("client-secret");
    assert_eq!(fs::read_to_string(&secret_file).unwrap().trim(), secret);
    for file in [
        &home.config_file(),
        &secret_file,
        &home.key_file(),
        &home.database(),
    ] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&home.config_folder()), 0o700);
    let config = fs::read_to_string(home.config_file()).unwrap();
    assert!(!config.contains(&secret));
    assert!(!output.stdout.contains(&secret) && !output.stderr.contains(&secret));

    // What is there is not overwritten unless asked for.
    let again = ["--client-id", "00112233445566778899aabbccddeeff", "--json"];
    init(&home, &again, "").failed(6, "init_exists");
    assert_eq!(fs::read_to_string(home.config_file()).unwrap(), config);
    init(&home, &["--client-id", &app.client_id, "--force"], "").ok();
    assert!(
        fs::read_to_string(home.config_file())
            .unwrap()
            .contains("PKCE")
    );

    // And it serves for a login.
    home.configure(REDIRECT, "");
    home.login("alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_may_be_in_a_file() {
    let home = Home::bare(Profile::default()).await;
    let app = home.sim.default_app();
    let file = home.path().join("secret");
    write_private(&file, &format!("{}\n", app.client_secret.unwrap()));
    let file = file.display().to_string();
    let args = ["--client-id", &app.client_id, "--client-secret-file", &file];
    let output = init(&home, &args, "");
    assert_eq!(output.code, 0, "{output:?}");
    // Without a word about scopes they are those that a terminal would propose.
    let config = fs::read_to_string(home.config_file()).unwrap();
    let scopes = "scopes = [\"user-read-private\", \"user-read-recently-played\"]";
    assert!(config.contains(scopes), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_stays_where_spotify_is_not_reached() {
    let home = Home::bare(Profile::default()).await;
    let id = home.sim.default_app().client_id;
    let mut command = home.command(&["init", "--json", "--client-id", &id]);
    command
        .env("REFRAIN_SPOTIFY_ACCOUNTS_URL", "https://accounts.invalid")
        .env("REFRAIN_SPOTIFY_API_URL", "https://api.invalid");
    let told = Output::of(&mut command).failed(6, "doctor_failed");
    assert!(
        told["safe"].as_str().unwrap().contains("are written"),
        "{told}"
    );
    assert!(home.config_file().exists() && home.database().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_write_nothing() {
    let home = Home::bare(Profile::default()).await;
    let id = home.sim.default_app().client_id;
    let cases: [(&[&str], &str); 8] = [
        (&[], ""),
        (&["--client-id", ""], ""),
        (&["--client-id", "a b"], ""),
        (&["--client-id", &id, "--client-secret-stdin"], ""),
        (&["--client-id", &id, "--client-secret-stdin"], &id),
        (
            &[
                "--client-id",
                &id,
                "--redirect-uri",
                "http://localhost/callback",
            ],
            "",
        ),
        (&["--client-id", &id, "--scope", "a\"b"], ""),
        (
            &["--client-id", &id, "--client-secret-file", "/no/such"],
            "",
        ),
    ];
    for (args, input) in cases {
        let mut args = args.to_vec();
        args.push("--json");
        init(&home, &args, input).failed(2, "usage");
        assert!(!home.config_file().exists(), "{args:?}");
        assert!(!home.database().exists(), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_unusual_is_taken_with_a_warning() {
    let home = Home::bare(Profile::default()).await;
    let output = init(&home, &["--client-id", "my-own-provider"], "");
    assert!(
        output.stderr.contains("warning: the client id"),
        "{output:?}"
    );
    assert!(home.config_file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_environment_stays_there() {
    let home = Home::bare(Profile::default()).await;
    let app = home.sim.default_app();
    let mut command = home.command(&["init"]);
    command
        .env("REFRAIN_APPS_DEFAULT_CLIENT_ID", &app.client_id)
        .env("REFRAIN_APPS_DEFAULT_REDIRECT_URI", REDIRECT)
        .env("REFRAIN_APPS_DEFAULT_SCOPES", "streaming user-read-email")
        .env(
            "REFRAIN_APPS_DEFAULT_CLIENT_SECRET",
            app.client_secret.unwrap(),
        )
        .env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url())
        .env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let output = Output::of(&mut command).ok();
    assert!(
        output.stdout.contains("Spotify accepts those of default"),
        "{output:?}"
    );
    let config = fs::read_to_string(home.config_file()).unwrap();
    assert!(
        config.contains("the client secret is in the environment"),
        "{config}"
    );
    assert!(
        config.contains("\"streaming\", \"user-read-email\""),
        "{config}"
    );
    assert!(!home.config_folder().join("client-secret").exists());
}
