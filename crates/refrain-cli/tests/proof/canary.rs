//! No secret leaves by any other way than it has to.
//!
//! Everything that is secret is read off the wire, or from the key file; then everything that the command
//! wrote, printed, logged at its loudest, or handed to another process is searched for it. Panics are not
//! among it: nothing was found that makes the command panic. All runs have `RUST_BACKTRACE=full` set, so
//! one that came would be searched like the rest of standard error.

mod serve;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use base64::{
    Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD,
};
use refrain_sim::{Action, App, BodyKind, EventKind, Fault, Profile, RevokeMode, Rotation, Target};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    parrot::{Parrot, WAYS},
    scan::{Found, Scanner, Secret},
    tap::Tap,
    tools::{tell, until, write_private},
    world::{Home, Ran, World, finish},
};

const ACCESS: &str = "access token";
const REFRESH: &str = "refresh token";
const CODE: &str = "code";
const VERIFIER: &str = "verifier";
const STATE: &str = "state";
const CLIENT_SECRET: &str = "client secret";
const MASTER_KEY: &str = "master key";
/// Of refrain's own: shown once, and on no disk.
const API_KEY: &str = "API key";
/// What messages are signed with: in a file of its own, and nowhere else.
const WEBHOOK_SECRET: &str = "webhook secret";
const KINDS: [&str; 9] = [
    ACCESS,
    REFRESH,
    CODE,
    VERIFIER,
    STATE,
    CLIENT_SECRET,
    MASTER_KEY,
    API_KEY,
    WEBHOOK_SECRET,
];
const SECRET_VARIABLE: &str = "REFRAIN_APPS_DEFAULT_CLIENT_SECRET";

/// Something that was written, and the kinds of secret that belong there.
struct Sink {
    label: String,
    bytes: Vec<u8>,
    allowed: &'static [&'static str],
}

struct Canary {
    world: World,
    home: Home,
    accounts: Tap,
    api: Tap,
    /// Outside the home: what the test itself writes is no finding.
    aside: TempDir,
    sinks: Vec<Sink>,
    states: Vec<String>,
    secrets: Vec<Secret>,
}

impl Canary {
    fn new() -> Self {
        let secret = random_hex();
        let app = App {
            client_secret: Some(secret.clone()),
            ..App::default()
        };
        let world = World::new(Profile {
            apps: vec![app],
            revoke: RevokeMode::Works,
            // A refresh that fails half-way can be repeated, and each gives new tokens.
            ..Profile::rotating(Rotation::Grace { seconds: 3600 })
        });
        let accounts = Tap::before(world.sim.accounts_url());
        let api = Tap::before(world.sim.api_url());
        let home = Home::new(&world.sim, &accounts.url, &api.url);
        let aside = tempfile::tempdir().unwrap();
        let signing = random_hex();
        let file = aside.path().join("webhook-secret");
        write_private(&file, &format!("whsec_{}", STANDARD.encode(&signing)));
        // Nobody listens there.
        let notices = format!(
            "{}[notices]\nwebhooks = [\"http://127.0.0.1:9/\"]\nwebhook_secret_file = \"{}\"\n",
            fs::read_to_string(&home.config).unwrap(),
            file.display(),
        );
        write_private(&home.config, &notices);
        let secrets = vec![
            text(CLIENT_SECRET, &secret),
            text(WEBHOOK_SECRET, &signing),
            text(WEBHOOK_SECRET, &STANDARD.encode(&signing)),
        ];
        Self {
            world,
            home,
            accounts,
            api,
            aside,
            sinks: Vec::new(),
            states: Vec::new(),
            secrets,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.arg("-vvv").env("REFRAIN_LOG", "trace");
        command
    }

    fn sink(
        &mut self,
        label: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
        allowed: &'static [&'static str],
    ) {
        self.sinks.push(Sink {
            label: label.into(),
            bytes: bytes.into(),
            allowed,
        });
    }

    /// What anybody on this machine may see of a process, or its user.
    fn sink_process(&mut self, label: &str, child: &Child) {
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        // A token in the environment is its user's doing; see `imports`.
        let environ: &[_] = if label.contains("import env") {
            &[CLIENT_SECRET, REFRESH]
        } else {
            &[CLIENT_SECRET]
        };
        for (file, allowed) in [("cmdline", &[][..]), ("environ", environ)] {
            // It may have ended by now.
            let bytes = fs::read(process.join(file)).unwrap_or_default();
            self.sink(format!("{label}: {file}"), bytes, allowed);
        }
    }

    /// All files of the home as they are now, but for those that are there to hold a secret.
    fn sink_files(&mut self, label: &str) {
        let mut files = Vec::new();
        collect(self.home.path(), &mut files);
        for file in files {
            if file == self.home.key || file == self.home.secret {
                continue;
            }
            let shown = file
                .strip_prefix(self.home.path())
                .unwrap()
                .display()
                .to_string();
            // Others of this process may come and go; they are seen the next time.
            let bytes = fs::read(&file).unwrap_or_default();
            self.sink(format!("{label}: {shown}"), bytes, &[]);
        }
    }

    fn sink_run(
        &mut self,
        label: &str,
        ran: &Ran,
        stdout: &'static [&'static str],
        stderr: &'static [&'static str],
    ) {
        self.sink(format!("{label}: stdout"), ran.stdout.as_bytes(), stdout);
        self.sink(format!("{label}: stderr"), ran.stderr.as_bytes(), stderr);
        self.sink_files(label);
    }

    fn run(&mut self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    /// Runs a command and keeps all that it leaves.
    fn run_with(&mut self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let label = format!(
            "refrain {} {:?}",
            args.join(" "),
            env.iter().map(|it| it.0).collect::<Vec<_>>()
        );
        let child = self
            .command(args)
            .envs(env.iter().copied())
            .spawn()
            .unwrap();
        self.sink_process(&label, &child);
        let ran = finish(child);
        let stdout: &[_] = if args.contains(&"token") {
            &[ACCESS]
        } else if args.contains(&"create") {
            &[API_KEY]
        } else {
            &[]
        };
        self.sink_run(&label, &ran, stdout, &[]);
        ran
    }

    /// Makes an API key, which is a secret from then on.
    fn make_key(&mut self, args: &[&str]) {
        let ran = self.run(args);
        ran.assert_done();
        let (_, behind) = ran.stdout.split_once("rfk_").unwrap();
        let digits: String = behind
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let (id, secret) = digits.split_at(10);
        assert_eq!((digits.len(), ran.stdout.matches(secret).count()), (43, 1));
        // Its id is no secret, and in every list.
        let list = self.run(&["key", "list"]);
        assert!(list.stdout.contains(id), "{list:?}");
        self.secrets.push(text(API_KEY, &format!("rfk_{digits}")));
        self.secrets.push(text(API_KEY, secret));
    }

    /// A login with the address pasted; `paste` makes of the right address what is pasted.
    fn login_pasted(&mut self, name: &str, paste: impl FnOnce(&str) -> String) -> Ran {
        let label = format!("login {name}");
        // Where the paste is not the answer, the waiting goes on to its end.
        let wait = if name == "dora" { "2" } else { "20" };
        let args = ["--json", "login", name, "--no-browser", "--wait", wait];
        let mut child = self.command(&args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        self.sink_process(&label, &child);
        self.sink_files(&format!("{label}, waiting"));
        let location = self.consent(url.trim());
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", paste(&location)).unwrap();
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let mut ran = finish(child);
        ran.stdout = rest;
        self.sink(format!("{label}: the address"), url, &[STATE]);
        self.sink_run(&label, &ran, &[], &[]);
        ran
    }

    fn consent(&mut self, url: &str) -> String {
        let query = url.split_once('?').unwrap().1;
        let state = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("state="))
            .unwrap();
        self.states.push(state.to_owned());
        self.world.sim.consent(url).unwrap()
    }

    /// A login with a browser that tells what it was given, and comes back to the callback.
    fn login_browser(&mut self, name: &str, env: &[(&str, &str)]) {
        let label = format!("login {name} by browser");
        let dump = self.aside.path().join("dump");
        let browser = self.aside.path().join("browser");
        let script = format!(
            "#!/bin/sh\n{{ env; for it; do echo \"ARG $it\"; done; }} > {0}.new\nmv {0}.new {0}\n",
            dump.display()
        );
        fs::write(&browser, script).unwrap();
        fs::set_permissions(
            &browser,
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        let mut command = self.command(&["login", name, "--wait", "20"]);
        command.env("BROWSER", &browser).envs(env.iter().copied());
        let child = command.spawn().unwrap();
        until("the browser is opened", || dump.exists());
        self.sink_process(&label, &child);
        let seen = fs::read_to_string(&dump).unwrap();
        let url = seen
            .lines()
            .find_map(|line| line.strip_prefix("ARG "))
            .unwrap()
            .to_owned();
        let location = self.consent(&url);
        self.sink(
            format!("{label}: environment and arguments of the browser"),
            seen,
            &[STATE],
        );
        let page = get(&location);
        assert!(page.contains("200 OK"), "{page}");
        self.sink(format!("{label}: the page"), page, &[]);
        let ran = finish(child);
        ran.assert_done();
        self.sink_run(&label, &ran, &[], &[STATE]);
        fs::remove_file(&dump).unwrap();
    }

    /// Takes the client secret out of the configuration; answers what it was.
    fn without_secret_file(&self) -> String {
        let was = fs::read_to_string(&self.home.config).unwrap();
        let is: Vec<_> = was
            .lines()
            .filter(|line| !line.starts_with("client_secret_file"))
            .collect();
        write_private(&self.home.config, &is.join("\n"));
        was
    }

    /// A refresh whose answer is held: the process is looked at while it waits.
    fn held(&mut self) {
        let since = self.world.newest();
        self.world
            .sim
            .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
        let child = self.command(&["refresh", "alice"]).spawn().unwrap();
        self.world
            .wait_for(since, |event| matches!(event.kind, EventKind::Held { .. }));
        self.sink_process("refresh, held", &child);
        self.sink_files("refresh, held");
        self.world.sim.release();
        let ran = finish(child);
        ran.assert_done();
        self.sink_run("refresh, held", &ran, &[], &[]);
    }

    /// A refresh that meets this fault each time; it may come to nothing.
    fn faulty(&mut self, action: Action) {
        let times = Fault::times(Target::TokenRefresh, 3, action);
        self.world.sim.script(times);
        self.run(&["--json", "refresh", "alice"]);
        self.world.sim.clear_scripts();
    }

    /// What is found where it does not belong.
    fn leaks(&self, scanner: &Scanner) -> Vec<String> {
        let mut leaks = Vec::new();
        for sink in &self.sinks {
            let unwelcome = |found: &Found| !sink.allowed.contains(&found.kind);
            for found in scanner.scan(&sink.bytes).into_iter().filter(unwelcome) {
                let Found {
                    kind,
                    written_as,
                    offset,
                } = found;
                leaks.push(format!(
                    "{}: {kind} as {written_as} at {offset}",
                    sink.label
                ));
            }
        }
        leaks
    }

    /// Everything secret that passed.
    fn learn(&mut self) {
        let marks = [
            (ACCESS, "\"access_token\":\""),
            (ACCESS, "Bearer "),
            (REFRESH, "\"refresh_token\":\""),
            (REFRESH, "refresh_token="),
            (REFRESH, "&token="),
            (CODE, "&code="),
            (VERIFIER, "code_verifier="),
            (CLIENT_SECRET, "Basic "),
        ];
        for (kind, mark) in marks {
            for value in self
                .accounts
                .values(mark)
                .into_iter()
                .chain(self.api.values(mark))
            {
                if value.len() >= 24 {
                    self.secrets.push(text(kind, &value));
                }
            }
        }
        let key = fs::read_to_string(&self.home.key).unwrap();
        let key = key
            .lines()
            .find_map(|line| line.strip_prefix("rfmk1_"))
            .unwrap();
        self.secrets.push(text(MASTER_KEY, key));
        self.secrets.push(Secret {
            kind: MASTER_KEY,
            bytes: URL_SAFE_NO_PAD.decode(key).unwrap(),
        });
        for state in &self.states {
            self.secrets.push(text(STATE, state));
        }
        self.secrets.sort();
        self.secrets.dedup();
        for kind in KINDS {
            assert!(
                self.secrets.iter().any(|it| it.kind == kind),
                "no {kind} was seen"
            );
        }
    }
}

fn text(kind: &'static str, text: &str) -> Secret {
    Secret {
        kind,
        bytes: text.as_bytes().to_vec(),
    }
}

fn random_hex() -> String {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What a browser gets for this address.
fn get(address: &str) -> String {
    let (host, path) = address
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

fn member(name: &str, value: Value) -> Action {
    Action::Alter {
        set: [(name.to_owned(), value)].into(),
        remove: Vec::new(),
    }
}

#[test]
fn no_secret_leaves_by_any_way_but_its_own() {
    let mut canary = Canary::new();
    ordinary(&mut canary);
    imports(&mut canary);
    faults(&mut canary);
    serve::serving(&mut canary);
    mistakes(&mut canary);
    ending(&mut canary);

    canary.learn();
    let scanner = Scanner::new(&canary.secrets);
    let leaks = canary.leaks(&scanner);
    // Where a secret belongs it is found: the search works on this very material.
    let served = canary
        .sinks
        .iter()
        .find(|sink| sink.label.contains("refrain token") && sink.label.ends_with("stdout"));
    assert!(
        scanner
            .scan(&served.unwrap().bytes)
            .iter()
            .any(|it| it.kind == ACCESS && it.written_as == "raw, start")
    );
    for created in ["key create phone", "--json key create hub"] {
        let shown = canary
            .sinks
            .iter()
            .find(|sink| sink.label.contains(created) && sink.label.ends_with("stdout"));
        let found = scanner.scan(&shown.unwrap().bytes);
        assert!(found.iter().any(|it| it.kind == API_KEY), "{created}");
    }
    // And a planted one in a file is.
    let planted = canary.home.path().join("tmp/planted");
    let secret = canary.secrets.iter().find(|it| it.kind == REFRESH).unwrap();
    fs::write(
        &planted,
        format!("{{\"debug\":\"{}\"}}", STANDARD.encode(&secret.bytes)),
    )
    .unwrap();
    assert!(
        scanner
            .scan(&fs::read(&planted).unwrap())
            .iter()
            .any(|it| it.kind == REFRESH)
    );

    let bytes: usize = canary.sinks.iter().map(|sink| sink.bytes.len()).sum();
    let by_kind = |kind| {
        format!(
            "{} {kind}",
            canary.secrets.iter().filter(|it| it.kind == kind).count()
        )
    };
    let kinds = KINDS.map(by_kind).join(", ");
    tell(&format!(
        "canary: {kinds}; {} places, {} KiB searched, {} found",
        canary.sinks.len(),
        bytes / 1024,
        leaks.len()
    ));
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
    assert_eq!(canary.world.sim.counts().stray_credentials, 0);
}

#[test]
fn a_client_secret_in_the_environment_is_not_handed_on_to_the_browser() {
    let mut canary = Canary::new();
    let secret = fs::read_to_string(&canary.home.secret).unwrap();
    canary.without_secret_file();
    canary.login_browser("alice", &[(SECRET_VARIABLE, &secret)]);
    canary
        .run_with(&["token", "alice"], &[(SECRET_VARIABLE, &secret)])
        .assert_done();
    canary.make_key(&["key", "create", "phone", "--all-grants"]);
    canary.learn();
    let leaks = canary.leaks(&Scanner::new(&canary.secrets));
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

/// Everything as it should go.
fn ordinary(canary: &mut Canary) {
    canary.login_pasted("alice", str::to_owned).assert_done();
    canary.login_browser("bob", &[]);
    canary.make_key(&["key", "create", "phone", "-g", "alice", "--expires", "90d"]);
    let hub = [
        "--json",
        "key",
        "create",
        "hub",
        "--all-grants",
        "--allow=token,proxy",
    ];
    canary.make_key(&hub);
    let commands: [&[&str]; 17] = [
        &["key", "list"],
        &["--json", "key", "list"],
        &["token", "alice"],
        &["--json", "token", "bob"],
        &["refresh", "alice"],
        &["--json", "refresh", "bob"],
        &["api", "-g", "alice", "/v1/me"],
        &["api", "-i", "-g", "bob", "/v1/me"],
        &["list"],
        &["--json", "list"],
        &["why", "alice"],
        &["--json", "why", "alice"],
        &["doctor"],
        &["--json", "doctor"],
        &["config", "show"],
        &["--json", "config", "show"],
        &["token", "alice", "--min-ttl", "3600"],
    ];
    for args in commands {
        canary.run(args).assert_done();
    }
    canary
        .world
        .sim
        .script(Fault::once(Target::Api, Action::Spurious401));
    canary.run(&["api", "-g", "alice", "/v1/me"]).assert_done();
    canary.held();
}

/// Tokens of other programs: good, dead, of somebody else, and in files that are none.
fn imports(canary: &mut Canary) {
    let sim = &canary.world.sim;
    let (client, user) = (
        sim.default_app().client_id,
        sim.profile().users[0].id.clone(),
    );
    let seed = || {
        sim.seed_grant(&client, &user, "user-read-private")
            .refresh_token
    };
    let [good, other, typed, lost] = [seed(), seed(), seed(), seed()];
    let file = canary.aside.path().join("cache");
    let name = file.to_str().unwrap().to_owned();
    let cache = |token: &str| json!({ "access_token": token, "refresh_token": token }).to_string();
    for token in [&good, &other, &typed, &lost] {
        canary.secrets.push(text(REFRESH, token));
    }
    write_private(&file, &cache(&good));
    canary
        .run(&["import", "spotipy", &name, "iris"])
        .assert_done();
    canary
        .run(&["--json", "import", "spotipy", &name, "iris"])
        .assert_done();
    canary.run(&["why", "iris"]).assert_done();
    write_private(&file, &cache(&other));
    canary
        .run(&["import", "rspotify", &name, "iris"])
        .assert_fails_with(2);
    canary
        .run(&["import", "rspotify", &name, "iris", "--replace"])
        .assert_done();
    canary
        .run_with(
            &["import", "env", "ivan"],
            &[("SPOTIFY_REFRESH_TOKEN", &typed)],
        )
        .assert_done();
    write_private(&file, &cache(&lost));
    let cut = Fault::times(Target::TokenRefresh, 8, Action::CutAfterCommit);
    canary.world.sim.script(cut);
    canary
        .run(&["import", "spotipy", &name, "ines"])
        .assert_fails_with(5);
    canary.world.sim.clear_scripts();
    canary.run(&["--json", "why", "ines"]).assert_done();
    // What is refused, and what is no token.
    let dead = format!("AQD{}{}", random_hex(), random_hex());
    canary.secrets.push(text(REFRESH, &dead));
    write_private(&file, &cache(&dead));
    canary
        .run(&["import", "spotipy", &name, "igor"])
        .assert_fails_with(3);
    for odd in [
        dead.clone(),
        format!("{{\"refresh_token\": \"{dead}"),
        format!("{{\"refresh_token\": [\"{dead}\"]}}"),
        format!("{{\"refresh_token\": \"{dead} {dead}\"}}"),
        format!("{{\"username\": \"u\", \"refreshToken\": [\"{dead}\"]}}"),
        format!(
            "{{\"data\": {{\"entries\": [{{\"domain\": \"spotify\", \"data\": \"{dead}\"}}]}}}}"
        ),
    ] {
        write_private(&file, &odd);
        for source in [
            "spotipy",
            "spotify-player",
            "your-spotify",
            "home-assistant",
        ] {
            canary
                .run(&["import", source, &name, "igor"])
                .assert_fails_with(2);
        }
    }
    for grant in ["iris", "ivan", "ines"] {
        canary.run(&["logout", grant]).assert_done();
    }
}

/// Everything that can come from outside; above all answers with real tokens in them that are not whole.
fn faults(canary: &mut Canary) {
    let html = Action::Html { status: 502 };
    let error = Action::ErrorAfterCommit { status: 500 };
    let refused = Action::FalseRefusal {
        description: Some("Refresh token revoked".to_owned()),
    };
    let before = Action::ErrorBeforeCommit {
        status: 503,
        body_kind: BodyKind::Text,
    };
    let actions = [
        Action::CutAfterCommit,
        Action::CutAfterBytes {
            n: 300,
            reset: false,
        },
        Action::CutAfterBytes {
            n: 500,
            reset: true,
        },
        member("expires_in", json!("soon")),
        member("access_token", json!(12)),
        member("token_type", json!("mac")),
        member("scope", json!(["a"])),
        member("refresh_token", json!({ "is": "odd" })),
        Action::Alter {
            set: [].into(),
            remove: vec!["access_token".to_owned()],
        },
        Action::GzipBody,
        html,
        error,
        before,
        refused,
    ];
    for action in actions {
        canary.faulty(action);
        canary.run(&["--json", "token", "alice", "--min-ttl", "3600"]);
    }
    canary.run(&["why", "alice"]);
    canary.run(&["--json", "why", "alice"]);
    for status in [401, 403, 404, 429, 500] {
        let kind = BodyKind::Json;
        let action = Action::ErrorBeforeCommit {
            status,
            body_kind: kind,
        };
        canary
            .world
            .sim
            .script(Fault::times(Target::Api, 2, action));
        canary.run(&["api", "-g", "bob", "/v1/me"]);
        canary.world.sim.clear_scripts();
    }
    let dead = "http://127.0.0.1:9";
    let nowhere = [
        ("REFRAIN_SPOTIFY_ACCOUNTS_URL", dead),
        ("REFRAIN_SPOTIFY_API_URL", dead),
    ];
    let parrot = Parrot::new();
    let quoted = [("REFRAIN_SPOTIFY_ACCOUNTS_URL", parrot.url.as_str())];
    for _ in 0..WAYS {
        canary.run_with(&["--json", "refresh", "bob"], &quoted);
        canary.run_with(&["refresh", "bob"], &quoted);
    }
    canary.run_with(&["doctor"], &quoted);
    canary.run(&["why", "bob"]);
    canary.run(&["--json", "why", "bob"]);
    canary.run_with(&["refresh", "bob"], &nowhere);
    canary.run_with(&["api", "-g", "bob", "/v1/me"], &nowhere);
    canary.run_with(&["doctor"], &nowhere);
    for action in [
        Action::CutAfterCommit,
        member("access_token", json!(12)),
        Action::Html { status: 200 },
    ] {
        canary
            .world
            .sim
            .script(Fault::once(Target::TokenExchange, action));
        canary.login_pasted("carol", str::to_owned);
        canary.world.sim.clear_scripts();
    }
    canary.world.sim.script(Fault::once(
        Target::Me,
        Action::ErrorBeforeCommit {
            status: 403,
            body_kind: BodyKind::Text,
        },
    ));
    canary.login_pasted("carol", str::to_owned);
    canary.world.sim.clear_scripts();
    let throttle = Action::Throttle {
        retry_after: Some("1".to_owned()),
        quota: false,
    };
    canary.faulty(throttle);
    thread::sleep(Duration::from_millis(1500));
}

/// Everything that a person can get wrong.
fn mistakes(canary: &mut Canary) {
    let another_state = |location: &str| location.replace("state=", "state=x");
    canary.login_pasted("dora", another_state);
    let another_code = |location: &str| location.replace("code=", "code=x");
    canary.login_pasted("dora", another_code);
    let no_code = |location: &str| format!("oops {}", location.replace('?', " "));
    canary.login_pasted("dora", no_code);

    // Another secret than the app's, from a file, is one of the secrets too.
    let wrong = random_hex();
    let file = canary.aside.path().join("wrong-secret");
    write_private(&file, &wrong);
    canary.secrets.push(text(CLIENT_SECRET, &wrong));
    let variable = [(
        "REFRAIN_APPS_DEFAULT_CLIENT_SECRET_FILE",
        file.to_str().unwrap(),
    )];
    canary
        .run_with(&["refresh", "alice"], &variable)
        .assert_fails_with(6);
    canary.run_with(&["doctor"], &variable);
    canary
        .run_with(&["config", "show"], &variable)
        .assert_done();
    let config = canary.without_secret_file();
    canary
        .run_with(&["config", "show"], &[(SECRET_VARIABLE, &wrong)])
        .assert_done();
    canary.run_with(&["doctor"], &[(SECRET_VARIABLE, &wrong)]);
    canary.run_with(
        &["refresh", "alice"],
        &[(SECRET_VARIABLE, &format!("{wrong}\n"))],
    );
    canary.run_with(
        &["refresh", "alice"],
        &[("REFRAIN_APPS_DEFAULT_CLIENT_SECRTE", &wrong)],
    );
    // The secret in the file itself, and on a line that does not parse: kept aside, for it is in there.
    let inline = canary.aside.path().join("inline.toml");
    for line in [
        format!("client_secret = \"{wrong}\""),
        format!("client_secret = \"{wrong}"),
        wrong.clone(),
    ] {
        write_private(
            &inline,
            &config.replace("scopes =", &format!("{line}\nscopes =")),
        );
        let ran = finish(
            canary
                .command(&["--config", inline.to_str().unwrap(), "config", "show"])
                .spawn()
                .unwrap(),
        );
        canary.sink_run(
            &format!("a configuration with {} in it", line.len()),
            &ran,
            &[],
            &[],
        );
    }
    write_private(&canary.home.config, &config);

    // A name that is taken, and a key that there is not.
    canary
        .run(&["key", "create", "phone", "-g", "alice"])
        .assert_fails_with(2);
    canary
        .run(&["key", "revoke", "nobody"])
        .assert_fails_with(2);

    // A key file that cannot be read says nothing of what is in it.
    let key = fs::read_to_string(&canary.home.key).unwrap();
    write_private(&canary.home.key, &key.replace("rfmk1_", "rfmk2_"));
    canary.run(&["refresh", "alice"]).assert_fails_with(6);
    canary.run(&["doctor"]);
    write_private(&canary.home.key, &key);
}

/// Logging out, and what is left after it.
fn ending(canary: &mut Canary) {
    let sealed = sealed(canary);
    assert!(sealed.len() >= 6, "three of each grant: {}", sealed.len());
    canary.run(&["key", "revoke", "phone"]).assert_done();
    canary
        .run(&["--json", "key", "revoke", "hub"])
        .assert_done();
    canary.run(&["key", "list"]).assert_done();
    canary.run(&["logout", "alice"]).assert_done();
    canary.run(&["--json", "logout", "bob"]).assert_done();
    let mut left = Vec::new();
    let mut files = Vec::new();
    collect(canary.home.path(), &mut files);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for (column, blob) in &sealed {
            if bytes
                .windows(32)
                .any(|window| window == &blob[blob.len() - 32..] || window == &blob[10..42])
            {
                left.push(format!("{column} in {}", file.display()));
            }
        }
    }
    assert!(left.is_empty(), "sealed tokens after logging out: {left:?}");
    canary.run(&["token", "alice"]).assert_fails_with(3);
    canary.run(&["list"]).assert_done();
    canary.run(&["why", "bob"]).assert_done();
}

/// Everything sealed that the grants have.
fn sealed(canary: &Canary) -> Vec<(String, Vec<u8>)> {
    canary.world.runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(&canary.home.db);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let rows = sqlx::query("SELECT name, data_key, refresh_token, access_token FROM grants")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let columns = ["data_key", "refresh_token", "access_token"];
        let of_row = |row: &sqlx::sqlite::SqliteRow| {
            let name: String = row.get("name");
            columns.map(|column| {
                (
                    format!("{column} of {name}"),
                    row.get::<Option<Vec<u8>>, _>(column),
                )
            })
        };
        let all = rows.iter().flat_map(of_row);
        all.filter_map(|(label, blob)| Some((label, blob?)))
            .collect()
    })
}
