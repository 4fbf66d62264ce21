//! `refrain doctor`: healthy, and with each thing broken.

use std::{fs, net::TcpListener, time::Duration};

use refrain_sim::{Action, App, Fault, Profile, Target, User};
use serde_json::Value;

use crate::home::{Home, Output, REDIRECT, chmod, write_private};

/// The codes of what is not well.
fn complaints(output: &Output) -> Vec<String> {
    let findings = output.json();
    let findings = findings.as_array().unwrap();
    for finding in findings {
        for member in ["check", "level", "code", "detail", "fix"] {
            assert!(finding[member].is_string(), "{finding}");
        }
        // Whatever is wrong comes with what to do.
        let well = finding["level"] == "ok";
        assert_eq!(
            finding["fix"].as_str().unwrap().is_empty(),
            well,
            "{finding}"
        );
    }
    let bad = findings.iter().filter(|finding| finding["level"] != "ok");
    bad.map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn expect(home: &Home, exit: i32, code: &str) -> Output {
    let output = home.run(&["doctor", "--json"]);
    assert_eq!(output.code, exit, "{output:?}");
    let complaints = complaints(&output);
    assert!(
        complaints.iter().any(|found| found == code),
        "{code}: {complaints:?}"
    );
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_setup_is_told_so() {
    let home = Home::new().await;
    let fresh = home.run(&["doctor", "--json"]).ok();
    assert_eq!(complaints(&fresh), [""; 0]);
    assert!(!home.database().exists(), "the doctor made a store");
    home.login("alice");
    let output = home.run(&["doctor", "--json"]).ok();
    assert_eq!(complaints(&output), [""; 0], "{output:?}");
    let text = home.run(&["doctor"]).ok().stdout;
    assert!(text.lines().all(|line| line.starts_with("ok  ")), "{text}");
    let secret = home.sim.default_app().client_secret.unwrap();
    assert!(!text.contains(&secret) && !output.stdout.contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configuration_init_is_the_next_step() {
    let home = Home::bare(Profile::default()).await;
    let mut command = home.command(&["doctor", "--json"]);
    command
        .env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url())
        .env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let output = Output::of(&mut command);
    output.failed(6, "doctor_failed");
    assert!(output.stdout.contains("refrain init"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_does_not_hide_the_rest() {
    let home = Home::new().await;
    home.login("alice");
    let secret = home.config_folder().join("client-secret");
    chmod(&secret, 0o644);
    let output = expect(&home, 6, "secret_file_permissions");
    let found = output.json();
    let checks: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["check"].clone())
        .collect();
    for check in ["redirect", "key", "store", "network", "grants"] {
        assert!(checks.contains(&Value::from(check)), "{check}: {checks:?}");
    }
    write_private(&home.config_file(), "[apps.default]\nclient_idd = \"x\"\n");
    expect(&home, 6, "config_unknown_field");
    write_private(&home.config_file(), "store = ");
    let mut command = home.command(&["doctor", "--json"]);
    // The defaults lead to the real Spotify, which no test may ask.
    command.env("REFRAIN_SPOTIFY_ACCOUNTS_URL", home.sim.accounts_url());
    command.env("REFRAIN_SPOTIFY_API_URL", home.sim.api_url());
    let output = Output::of(&mut command);
    assert!(
        complaints(&output).contains(&"config_syntax".to_owned()),
        "{output:?}"
    );
}

/// What was broken, beside what lies in the home.
#[derive(Default)]
struct Broken {
    env: Vec<(&'static str, String)>,
    /// Holds a port.
    held: Option<TcpListener>,
}

/// A thing that can be wrong: how to break it, how the doctor ends, and everything that it finds then. The
/// first is the code of the thing itself; what follows from it stands behind.
type Case = (&'static [&'static str], i32, fn(&Home) -> Broken);

/// Rewrites the configuration.
fn edit(home: &Home, from: &str, to: &str) -> Broken {
    let text = fs::read_to_string(home.config_file()).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    write_private(&home.config_file(), &text.replace(from, to));
    Broken::default()
}

/// Another redirect URI, which is registered unless it could not be.
fn redirect(home: &Home, uri: &str) -> Broken {
    let app = home.sim.default_app();
    home.sim.register_app(app.with_redirect_uris([uri]));
    home.configure(uri, "");
    Broken::default()
}

fn secret(home: &Home, text: &str) -> Broken {
    write_private(&home.config_folder().join("client-secret"), text);
    Broken::default()
}

fn closed_port() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    closed.local_addr().unwrap().to_string()
}

/// A refused refresh, with whatever else it takes.
fn refuse(home: &Home) {
    home.sim.script(Fault::once(
        Target::TokenRefresh,
        Action::FalseRefusal { description: None },
    ));
    home.run(&["refresh", "--json"]).failed(5, "refused_early");
}

/// Statements, as somebody with another program would run them.
fn sql(home: &Home, statements: &'static str) -> Broken {
    let url = format!("sqlite://{}", home.database().display());
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
            sqlx::raw_sql(statements).execute(&pool).await.unwrap();
            pool.close().await;
        });
    });
    Broken::default()
}

const PLAIN_ID: &str = "5e1f0c0ffee04d15a1b2c3d4e5f60718";

/// Each on a home of its own, where alice is signed in and all is well.
const CASES: &[Case] = &[
    (&["config_no_app"], 6, |home| {
        write_private(&home.config_file(), &home.spotify());
        fs::remove_file(home.database()).unwrap();
        Broken::default()
    }),
    (&["secret_file_missing", "not_checked"], 6, |home| {
        fs::remove_file(home.config_folder().join("client-secret")).unwrap();
        Broken::default()
    }),
    (&["secret_file_permissions", "not_checked"], 6, |home| {
        chmod(&home.config_folder().join("client-secret"), 0o644);
        Broken::default()
    }),
    (&["secret_file_missing", "not_checked"], 6, |_| {
        let mut broken = Broken::default();
        let name = "REFRAIN_NOTICES_WEBHOOK_SECRET_FILE";
        broken.env.push((name, "/no/such".to_owned()));
        broken
    }),
    (&["file_mode"], 6, |home| {
        chmod(&home.database(), 0o644);
        Broken::default()
    }),
    (&["file_readable"], 0, |home| {
        chmod(&home.config_file(), 0o644);
        Broken::default()
    }),
    (&["folder_mode"], 0, |home| {
        chmod(home.database().parent().unwrap(), 0o755);
        Broken::default()
    }),
    (
        &[
            "client_id_shape",
            "client_unknown",
            "client_unknown",
            "client_changed",
        ],
        6,
        |home| edit(home, PLAIN_ID, "'5e1f0c0ffee04d15a1b2c3d4e5f60718'"),
    ),
    (
        &["client_unknown", "client_unknown", "client_changed"],
        6,
        |home| edit(home, PLAIN_ID, "00112233445566778899aabbccddeeff"),
    ),
    (&["client_secret_shape", "client_secret_wrong"], 6, |home| {
        // base64 of id:secret, as it stands in a Basic header.
        secret(
            home,
            "NWUxZjBjMGZmZWUwNGQxNWExYjJjM2Q0ZTVmNjA3MTg6YzBmZmVlMDBmZWVkZmFjZTEyMzRhYmNkNTY3OGVmOTA=",
        )
    }),
    (&["client_secret_shape", "client_secret_wrong"], 6, |home| {
        secret(home, "\"c0ffee00feedface1234abcd5678ef90\"")
    }),
    (&["client_secret_wrong"], 6, |home| {
        secret(home, "00000000000000000000000000000000")
    }),
    (
        &["client_swapped", "client_unknown", "client_changed"],
        6,
        |home| {
            let app = home.sim.default_app();
            secret(home, &app.client_id);
            edit(home, PLAIN_ID, &app.client_secret.unwrap())
        },
    ),
    (&["login_owner_not_premium"], 6, |home| {
        let app = home.sim.default_app();
        home.sim.register_app(App {
            owner_premium: false,
            ..app
        });
        Broken::default()
    }),
    (&["redirect_localhost"], 6, |home| {
        redirect(home, "http://localhost:4280/callback")
    }),
    (&["redirect_insecure"], 6, |home| {
        redirect(home, "http://nas.lan/callback")
    }),
    (&["redirect_https_loopback"], 6, |home| {
        redirect(home, "https://127.0.0.1/callback")
    }),
    (&["redirect_fragment"], 6, |home| {
        redirect(home, "https://a.example/callback#x")
    }),
    (&["redirect_scheme"], 6, |home| {
        redirect(home, "myapp://callback")
    }),
    (&["redirect_hyphen"], 0, |home| {
        redirect(home, "http://127.0.0.1/call-back")
    }),
    (&["redirect_spelling", "callback_unreachable"], 0, |home| {
        redirect(home, "https://Music.invalid/callback")
    }),
    (&["redirect_unregistered"], 6, |home| {
        home.configure("http://127.0.0.1/elsewhere", "");
        Broken::default()
    }),
    (&["redirect_refused"], 6, |home| {
        page(home, "INVALID_CLIENT: Insecure redirect URI");
        Broken::default()
    }),
    (
        &["scope_unknown", "scope_refused", "grant_scopes"],
        6,
        |home| edit(home, "user-read-private", "user-read-pirvate"),
    ),
    (&["authorize_refused"], 6, |home| {
        page(home, "Something that nobody has seen yet");
        Broken::default()
    }),
    (&["authorize_unclear"], 0, |home| {
        let action = Action::Html { status: 503 };
        home.sim.script(Fault::once(Target::Authorize, action));
        Broken::default()
    }),
    (&["port_taken"], 0, |home| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        // It says nothing, and so is no refrain.
        let answering = taken.try_clone().unwrap();
        std::thread::spawn(move || drop(answering.accept()));
        let mut broken = redirect(home, &format!("http://{address}/callback"));
        broken.held = Some(taken);
        broken
    }),
    (&["callback_unreachable"], 0, |home| {
        redirect(home, "https://music.invalid/callback")
    }),
    (&["dns_failed"], 6, |home| {
        edit(home, home.sim.accounts_url(), "https://accounts.invalid")
    }),
    (&["tls_failed"], 6, |home| {
        let plain = home.sim.accounts_url().to_owned();
        edit(home, &plain, &plain.replace("http:", "https:"))
    }),
    (&["proxy_failed", "proxy_failed"], 6, |home| {
        home.configure(
            REDIRECT,
            &format!("[network]\nproxy = \"http://{}\"\n", closed_port()),
        );
        edit(home, "accounts_url = \"http:", "accounts_url = \"https:");
        edit(home, "api_url = \"http:", "api_url = \"https:")
    }),
    (&["proxy_not_used"], 0, |_| {
        let mut broken = Broken::default();
        broken
            .env
            .push(("HTTPS_PROXY", "http://u:canary@127.0.0.1:1".to_owned()));
        broken
    }),
    (&["provider_unreachable"], 6, |home| {
        edit(
            home,
            home.sim.api_url(),
            &format!("http://{}", closed_port()),
        )
    }),
    (&["key_file_mode"], 6, |home| {
        chmod(&home.key_file(), 0o640);
        Broken::default()
    }),
    (&["key_file_missing"], 6, |home| {
        fs::remove_file(home.key_file()).unwrap();
        Broken::default()
    }),
    (&["key_file_line"], 6, |home| {
        write_private(&home.key_file(), "no key\n");
        Broken::default()
    }),
    (&["key_file_line"], 6, |home| {
        fs::write(home.key_file(), b"rfmk1_\xff\xfe").unwrap();
        Broken::default()
    }),
    (&["key_file_empty"], 6, |home| {
        write_private(&home.key_file(), "");
        Broken::default()
    }),
    (&["key_wrong"], 6, |home| {
        write_private(&home.key_file(), OTHER_KEY);
        Broken::default()
    }),
    (&["key_check"], 6, |home| {
        sql(home, "UPDATE store SET deployment = randomblob(16)")
    }),
    (&["key_old"], 0, |home| {
        let key = fs::read_to_string(home.key_file()).unwrap();
        write_private(&home.key_file(), &(key + OTHER_KEY));
        Broken::default()
    }),
    (&["key_age"], 0, |home| {
        let file = fs::File::open(home.key_file()).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        let long_ago = made - Duration::from_hours(9000);
        file.set_modified(long_ago).unwrap();
        Broken::default()
    }),
    (&["key_rows_old"], 0, |home| {
        sql(home, "UPDATE grants SET master_key = '0000000000000000'")
    }),
    (&["storage_damaged"], 6, |home| {
        for beside in ["-wal", "-shm"] {
            let mut name = home.database().into_os_string();
            name.push(beside);
            fs::remove_file(name).unwrap_or_default();
        }
        write_private(
            &home.database(),
            "this is a letter to my mother, and no database\n",
        );
        Broken::default()
    }),
    (
        &["storage_unsuitable", "file_mode", "folder_mode"],
        6,
        |home| {
            let folder = home.path().join("folder");
            fs::create_dir(&folder).unwrap();
            let mut broken = Broken::default();
            broken
                .env
                .push(("REFRAIN_STORE", format!("sqlite:{}", folder.display())));
            broken
        },
    ),
    (&["storage_newer"], 6, |home| {
        sql(home, "PRAGMA user_version = 99")
    }),
    (&["storage_outdated"], 0, |home| {
        sql(home, "PRAGMA user_version = 5")
    }),
    (&["row_unreadable"], 6, |home| {
        sql(home, "UPDATE grants SET rest = 'nothing'")
    }),
    (&["app_throttled"], 0, |home| {
        let retry_after = Some("80000".to_owned());
        let action = Action::Throttle {
            retry_after,
            quota: false,
        };
        home.sim.script(Fault::once(Target::TokenRefresh, action));
        home.run(&["--json", "refresh"]).failed(5, "throttled");
        Broken::default()
    }),
    (&["api_rate_limited"], 0, |home| {
        limit(home, false);
        Broken::default()
    }),
    (&["api_quota_exceeded"], 0, |home| {
        limit(home, true);
        Broken::default()
    }),
    (&["app_seats"], 0, |home| {
        for name in ["bob", "carol", "dan", "eve", "fred"] {
            home.sim.add_user(User::new(name));
            assert!(home.sim.sign_in_as(name));
            home.login(name);
        }
        Broken::default()
    }),
    (&["grant_reauthorize"], 6, |home| {
        sql(
            home,
            "UPDATE grants SET status = 'reauthorize', rest = json_set(rest, '$.status', \
                   json('{\"is\":\"reauthorize\",\"reason\":\"expired\",\"since\":1795000000000}'))",
        )
    }),
    (&["grant_suspect"], 0, |home| {
        refuse(home);
        Broken::default()
    }),
    (&["grant_suspect", "token_two_owners"], 0, |home| {
        home.run(&["refresh"]).ok();
        refuse(home);
        Broken::default()
    }),
    (&["grant_scopes"], 0, |home| {
        edit(home, "user-read-private", "streaming")
    }),
    (&["grant_app_unknown"], 0, |home| {
        edit(home, "[apps.default]", "[apps.other]")
    }),
    (&["client_changed"], 6, |home| {
        let other = App {
            client_id: "00112233445566778899aabbccddeeff".to_owned(),
            ..home.sim.default_app()
        };
        home.sim.register_app(other);
        edit(home, PLAIN_ID, "00112233445566778899aabbccddeeff")
    }),
    (&["key_scopes", "grant_scopes"], 0, |home| {
        home.sim.add_user(User::new("bob"));
        assert!(home.sim.sign_in_as("bob"));
        let scope = ["--scope", "user-read-private"];
        let mut login = home.start(&[&["login", "bob", "--no-browser"], &scope[..]].concat());
        let url = login.line();
        login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
        login.wait().ok();
        home.run(&["key", "create", "x", "-g", "bob", "--allow", "proxy"])
            .ok();
        Broken::default()
    }),
];

const OTHER_KEY: &str = "rfmk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

/// The authorization page says something else the next time.
fn page(home: &Home, text: &str) {
    let action = Action::Body {
        status: 400,
        content_type: "text/html".to_owned(),
        body: format!("<h1>{text}</h1>"),
        headers: std::collections::BTreeMap::new(),
    };
    home.sim.script(Fault::once(Target::Authorize, action));
}

/// The Web API says that it has been asked too often.
fn limit(home: &Home, quota: bool) {
    let retry_after = Some("600".to_owned());
    let action = Action::Throttle { retry_after, quota };
    home.sim.script(Fault::once(Target::Me, action));
    assert_eq!(home.run(&["api", "/v1/me"]).code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_broken_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (number, (expected, exit, breaks)) in CASES.iter().enumerate() {
        let home = Home::new().await;
        home.login("alice");
        let broken = breaks(&home);
        let mut command = home.command(&["doctor", "--json"]);
        // What a broken configuration leaves to the defaults would lead to the real Spotify.
        command.envs(broken.env.iter().map(|(name, value)| (*name, value)));
        let output = Output::of(&mut command);
        let found = complaints(&output);
        let mut sorted = found.clone();
        sorted.sort();
        let mut wanted = expected.to_vec();
        wanted.sort_unstable();
        if sorted != wanted || output.code != *exit {
            wrong.push(format!(
                "{number} {expected:?} {exit}: {found:?} {}",
                output.code
            ));
        }
        let secret = home.sim.default_app().client_secret.unwrap();
        let shown = [&*output.stdout, &*output.stderr].concat();
        for private in [secret.as_str(), PLAIN_ID, "canary"] {
            assert!(
                !shown.contains(private),
                "{expected:?}: {private} in {shown}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is broken by tests beside the code alone, because no machine can be brought to it.
const BESIDE: &[(&str, &str)] = &[
    (
        "port_refused",
        include_str!("../../src/command/doctor/callback.rs"),
    ),
    (
        "callback_elsewhere",
        include_str!("../../src/command/doctor/callback.rs"),
    ),
    (
        "file_missing",
        include_str!("../../src/command/doctor/files.rs"),
    ),
    (
        "clock_skew",
        include_str!("../../src/command/doctor/network.rs"),
    ),
    (
        "storage_version",
        include_str!("../../src/command/doctor/store.rs"),
    ),
    (
        "storage_journal",
        include_str!("../../src/command/doctor/store.rs"),
    ),
    (
        "storage_synchronous",
        include_str!("../../src/command/doctor/store.rs"),
    ),
    (
        "storage_follows",
        include_str!("../../src/command/doctor/store.rs"),
    ),
    (
        "app_refused",
        include_str!("../../src/command/doctor/store.rs"),
    ),
    (
        "grant_reauthorize_soon",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "grant_consent_over",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "grant_imported",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "grant_consent_unknown",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "grant_restored",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "grant_trouble",
        include_str!("../../src/command/doctor/grants.rs"),
    ),
    (
        "lease_stuck",
        include_str!("../../src/command/doctor/leases.rs"),
    ),
    (
        "secret_in_log",
        include_str!("../../src/command/doctor/canary.rs"),
    ),
];

#[test]
fn every_complaint_of_the_sources_is_broken_by_some_test() {
    let sources = include_str!("../../src/command/doctor/complaint.rs");
    let codes = sources.lines().filter_map(|line| {
        let (_, rest) = line
            .split_once(": Fail \"")
            .or_else(|| line.split_once(": Warn \""))?;
        rest.split_once('"').map(|(code, _)| code)
    });
    let codes: Vec<_> = codes.collect();
    assert!(codes.len() > 50, "{codes:?}");
    for code in codes {
        let in_table = CASES
            .iter()
            .any(|(expected, ..)| expected.first() == Some(&code) || expected.contains(&code));
        let beside = BESIDE.iter().any(|(name, tests)| {
            let tests = tests
                .split_once("mod tests")
                .map_or(*tests, |(_, tests)| tests);
            *name == code && tests.contains(&format!("\"{code}\""))
        });
        assert!(in_table || beside, "{code} is broken nowhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refrains_own_server_may_have_the_port() {
    let home = Home::new().await;
    home.login("alice");
    let mut serve = home.start(&["serve", "--listen", "127.0.0.1:0"]);
    let line = serve.error_line("refrain serves at ");
    let address = line
        .rsplit(' ')
        .next()
        .unwrap()
        .trim_start_matches("http://");
    redirect(&home, &format!("http://{address}/callback"));
    let output = home.run(&["doctor", "--json"]).ok();
    assert_eq!(complaints(&output), [""; 0], "{output:?}");
    assert!(
        output.stdout.contains("refrain's own server listens"),
        "{output:?}"
    );
    // A login beside it says whose page the browser will end on, and goes by pasting.
    let mut login = home.start(&["login", "bob", "--no-browser"]);
    let url = login.line();
    login.type_in(&(home.sim.consent(&url).unwrap() + "\n"));
    let output = login.wait().ok();
    assert!(
        output.stderr.contains("refrain's own server listens"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_changes_nothing() {
    let home = Home::new().await;
    home.run(&["doctor"]).ok();
    for made in ["data", "state"] {
        assert!(!home.path().join(made).exists(), "{made}");
    }
    assert!(!home.key_file().exists());
    home.login("alice");
    sql(
        &home,
        "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 5",
    );
    let before = fs::read(home.database()).unwrap();
    let told = home.sim.history().len();
    home.run(&["doctor"]).ok();
    assert_eq!(fs::read(home.database()).unwrap(), before);
    let since = home.sim.history_since(u64::try_from(told).unwrap());
    assert!(
        !format!("{since:?}").contains("allowed"),
        "somebody was signed in"
    );
}
