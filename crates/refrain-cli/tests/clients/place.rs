//! A Spotify, a home in which the real binary is signed in at it, and the server that it runs there.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use refrain_sim::{Profile, Sim, Verdict};
use tempfile::TempDir;

/// Registered at the simulator without a port, so that tests beside each other do not share one.
const REDIRECT: &str = "http://127.0.0.1/callback";
const SCOPES: &str = r#""user-read-private", "user-modify-playback-state""#;

/// How long the access token of the login lives: long enough to start everything, short enough to wait for.
const FIRST_TTL: Duration = Duration::from_secs(4);

pub struct Place {
    pub sim: Sim,
    folder: TempDir,
    server: Option<Child>,
    /// Where the server is reached.
    pub url: String,
    /// By the simulator's clock.
    first_token_ends: i64,
}

impl Place {
    /// Everything is started, and `alice` signed in. Her first access token lives for seconds, all later
    /// ones for an hour. A refresh token that was replaced ends the authorization when it is presented.
    pub async fn new() -> Self {
        let profile = Profile {
            access_ttl: FIRST_TTL,
            ..Profile::default()
        };
        let sim = Sim::start(profile).await.unwrap();
        let mut place = Self {
            sim,
            folder: TempDir::new().unwrap(),
            server: None,
            url: String::new(),
            first_token_ends: 0,
        };
        place.configure();
        place.login();
        place
            .sim
            .update_profile(|it| it.access_ttl = Duration::from_secs(3600));
        place.serve();
        place
    }

    fn configure(&self) {
        let app = self.sim.default_app();
        let (accounts, api) = (self.sim.accounts_url(), self.sim.api_url());
        let secret = app.client_secret.unwrap();
        write_private(&self.path().join("config/refrain/client-secret"), &secret);
        let text = format!(
            "[apps.default]\nclient_id = \"{}\"\nclient_secret_file = \"client-secret\"\n\
             redirect_uri = \"{REDIRECT}\"\nscopes = [{SCOPES}]\n\n\
             [spotify]\naccounts_url = \"{accounts}\"\napi_url = \"{api}\"\n",
            app.client_id,
        );
        write_private(&self.path().join("config/refrain/refrain.toml"), &text);
    }

    fn login(&mut self) {
        let mut login = self.command(&["login", "alice", "--no-browser"]);
        let login = login
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut login = login.spawn().unwrap();
        let mut url = String::new();
        let mut stdout = BufReader::new(login.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        let location = self.sim.consent(url.trim_end()).unwrap();
        writeln!(login.stdin.take().unwrap(), "{location}").unwrap();
        stdout.read_to_string(&mut String::new()).unwrap();
        assert!(login.wait().unwrap().success());
        self.first_token_ends = self.sim.now_unix_ms() + millis(FIRST_TTL);
    }

    fn serve(&mut self) {
        let mut serve = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let serve = serve
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut server = serve.spawn().unwrap();
        let mut stderr = BufReader::new(server.stderr.take().unwrap());
        let mut line = String::new();
        self.url = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(url) = line.trim_end().strip_prefix("refrain serves at ") {
                break url.to_owned();
            }
        };
        // Read to its end, so that it never waits for a reader.
        thread::spawn(move || stderr.read_to_string(&mut String::new()));
        self.server = Some(server);
    }

    /// A new key for `alice`, with these options.
    pub fn key(&self, name: &str, options: &[&str]) -> String {
        let args = [&["key", "create", name, "-g", "alice"], options].concat();
        self.run(&args)
    }

    /// Runs a command to its good end; what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .current_dir(self.path());
        command
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the login's access token has expired.
    pub async fn first_token_has_expired(&self) {
        let left = self.first_token_ends - self.sim.now_unix_ms();
        tokio::time::sleep(Duration::from_millis(
            u64::try_from(left).unwrap_or(0) + 100,
        ))
        .await;
    }

    /// How often the API answered so.
    pub fn answered(&self, status: u16) -> u64 {
        let counts = self.sim.counts();
        counts.api_by_status.get(&status).copied().unwrap_or(0)
    }

    /// No refresh token was presented that had been replaced, no secret went astray, and the
    /// authorization stands.
    pub fn all_is_well(&self) {
        let counts = self.sim.counts();
        assert_eq!(
            (counts.refused, counts.stray_credentials),
            (0, 0),
            "{counts:?}"
        );
        assert_eq!(counts.granted_replaced, counts.refreshes + 1, "{counts:?}");
        let verdicts = self.sim.oracle();
        assert!(
            verdicts.iter().all(|it| it.verdict == Verdict::Safe),
            "{verdicts:?}"
        );
        self.sim.assert_scripts_consumed();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap()
}

fn write_private(path: &Path, text: &str) {
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    options
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}
