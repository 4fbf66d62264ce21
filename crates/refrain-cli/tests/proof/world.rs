//! A simulator on a runtime of its own, and homes in which the real binary runs against it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use refrain::{Config, Refrain, config::Sources, keeper::login::LoginRequest};
use refrain_sim::{Event, EventKind, Profile, Sim, TokenCall, User, Verdict};
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::{LONGEST, until, write_private};

pub struct World {
    pub sim: Sim,
    pub runtime: tokio::runtime::Runtime,
}

/// One user's home folder: configuration, key, store.
pub struct Home {
    folder: TempDir,
    pub config: PathBuf,
    pub key: PathBuf,
    pub secret: PathBuf,
    pub db: PathBuf,
}

/// How a run of the command ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code; `None` where a signal ended it.
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

// === impl World ===

impl World {
    pub fn new(profile: Profile) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let sim = runtime.block_on(Sim::start(profile)).unwrap();
        Self { sim, runtime }
    }

    /// A home whose configuration leads to the simulator.
    pub fn home(&self) -> Home {
        Home::new(&self.sim, self.sim.accounts_url(), self.sim.api_url())
    }

    /// Signs a user of his own in under this name; answers the number of the consent in the history.
    pub fn login(&self, home: &Home, name: &str) -> u64 {
        let config = home.load();
        let user = User {
            id: name.to_owned(),
            ..User::default()
        };
        let url = self.runtime.block_on(async {
            let refrain = Refrain::open(config).await.unwrap();
            let begun = refrain.begin_login(request(name)).await.unwrap();
            // Together, so that another thread's user does not consent to it.
            let location = {
                static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
                let _one = ONE.lock().unwrap();
                self.sim.add_user(user);
                assert!(self.sim.sign_in_as(name));
                self.sim.consent(&begun.url).unwrap()
            };
            let query = location.split_once('?').unwrap().1.to_owned();
            refrain.finish_login(&query).await.unwrap();
            assert!(refrain.close(Duration::from_secs(10)).await);
            location
        });
        assert!(url.contains("code="));
        let verdicts = self.sim.oracle();
        verdicts
            .iter()
            .rfind(|verdict| verdict.user == name)
            .unwrap()
            .grant
    }

    pub fn verdict(&self, grant: u64) -> Verdict {
        let verdicts = self.sim.oracle();
        verdicts
            .iter()
            .find(|verdict| verdict.grant == grant)
            .unwrap()
            .verdict
    }

    /// The number of the newest event.
    pub fn newest(&self) -> u64 {
        self.sim.history().last().map_or(0, |event| event.seq)
    }

    /// The token calls for one consent after an event.
    pub fn calls_since(&self, since: u64, grant: u64) -> Vec<TokenCall> {
        let events = self.sim.history_since(since).into_iter();
        events
            .filter_map(|event| match event.kind {
                EventKind::TokenCall(call) if call.grant == Some(grant) => Some(call),
                _ => None,
            })
            .collect()
    }

    /// Waits until the scripted faults have met their requests.
    pub fn wait_for_script(&self) {
        until("the faults meet their requests", || {
            self.sim.unread_scripts() == 0
        });
    }

    /// Waits for an event, not for ever.
    pub fn wait_for(&self, since: u64, matches: impl Fn(&Event) -> bool) -> Event {
        let wait = self.sim.wait_for(since, matches);
        let bounded = async { tokio::time::timeout(LONGEST, wait).await };
        self.runtime.block_on(bounded).unwrap()
    }
}

// === impl Home ===

impl Home {
    pub fn new(sim: &Sim, accounts_url: &str, api_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(folder, sim, accounts_url, api_url)
    }

    fn within(folder: TempDir, sim: &Sim, accounts_url: &str, api_url: &str) -> Self {
        let path = folder.path();
        for name in ["config", "data", "tmp"] {
            fs::create_dir(path.join(name)).unwrap();
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let home = Self {
            config: path.join("config/refrain.toml"),
            key: path.join("config/master.key"),
            secret: path.join("config/client-secret"),
            db: path.join("data/refrain.db"),
            folder,
        };
        let app = sim.default_app();
        write_private(&home.secret, &app.client_secret.unwrap());
        home.configure(&format!(
            "[apps.default]\n\
             client_id = \"{}\"\n\
             client_secret_file = \"{}\"\n\
             redirect_uri = \"http://127.0.0.1/callback\"\n\
             scopes = [\"user-read-private\", \"user-read-recently-played\"]\n\
             [spotify]\n\
             accounts_url = \"{accounts_url}\"\n\
             api_url = \"{api_url}\"\n\
             revocation_url = \"{accounts_url}/oauth2/revoke/v1\"\n",
            app.client_id,
            home.secret.display(),
        ));
        home
    }

    /// Writes the configuration: store and key as they are, and this.
    fn configure(&self, rest: &str) {
        let text = format!(
            "store = \"sqlite:{}\"\n[sealing]\nkey_file = \"{}\"\n{rest}",
            self.db.display(),
            self.key.display(),
        );
        write_private(&self.config, &text);
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the store to another place.
    pub fn move_store(&mut self, db: PathBuf) {
        let text = fs::read_to_string(&self.config).unwrap();
        let (old, new) = (self.db.display().to_string(), db.display().to_string());
        write_private(&self.config, &text.replace(&old, &new));
        self.db = db;
    }

    pub fn load(&self) -> Config {
        let sources = Sources {
            file: Some(self.config.clone()),
            ..Sources::default()
        };
        Config::load_from(&sources).unwrap()
    }

    /// The command in this home, and nothing of the environment that the tests run in.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("TMPDIR", self.path().join("tmp"))
            .env("RUST_BACKTRACE", "full")
            .arg("--config")
            .arg(&self.config)
            .args(args)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args).spawn().unwrap())
    }
}

// === impl Ran ===

impl Ran {
    /// The stable code of a failure; empty where there is none.
    pub fn code(&self) -> String {
        let text = |line: &str| {
            let json: Value = serde_json::from_str(line).ok()?;
            Some(json.get("code")?.as_str()?.to_owned())
        };
        self.stderr.lines().rev().find_map(text).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The access token that `token --json` printed.
    pub fn access_token(&self) -> String {
        self.json()["access_token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn assert_done(&self) {
        assert_eq!(self.exit, Some(0), "{self:?}");
    }

    #[track_caller]
    pub fn assert_fails_with(&self, exit: i32) {
        assert_eq!(self.exit, Some(exit), "{self:?}");
    }

    #[track_caller]
    pub fn assert_fails(&self, exit: i32, code: &str) {
        assert_eq!(
            (self.exit, self.code().as_str()),
            (Some(exit), code),
            "{self:?}"
        );
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Waits for a process to end; one that does not is killed, and the test fails.
pub fn finish(child: Child) -> Ran {
    let pid = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = waiting.recv_timeout(LONGEST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            let pid = i32::try_from(pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL).unwrap();
        }
        late
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    let late = watchdog.join().unwrap();
    let ran = Ran::from(output);
    assert!(!late, "still running after {LONGEST:?}: {ran:?}");
    ran
}

/// Sends a signal to a process of ours.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.unwrap(), signal).unwrap();
}

pub fn request(name: &str) -> LoginRequest {
    LoginRequest {
        grant: name.parse().unwrap(),
        app: "default".parse().unwrap(),
        scope: None,
        port: Some(4280),
        other_account: false,
        browser: None,
    }
}
