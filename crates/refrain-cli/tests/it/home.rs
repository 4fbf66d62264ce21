//! A user with a home folder, a configured refrain, and a Spotify of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use refrain_sim::{Profile, Sim};
use serde_json::Value;
use tempfile::TempDir;

/// Registered at the simulator without a port, so that tests beside each other do not share one.
pub(crate) const REDIRECT: &str = "http://127.0.0.1/callback";
pub(crate) const SCOPES: &str =
    "user-read-private user-read-recently-played user-modify-playback-state";

/// A home folder and a simulator. Tests need a runtime of several threads: the simulator answers while
/// the test waits for the binary.
pub(crate) struct Home {
    pub(crate) sim: Sim,
    folder: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// A run that has not ended.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    seen: String,
}

// === impl Home ===

impl Home {
    /// A home that is set up for the simulator's default app.
    pub(crate) async fn new() -> Self {
        Self::with(Profile::default()).await
    }

    /// The same, with a Spotify that behaves otherwise.
    pub(crate) async fn with(profile: Profile) -> Self {
        let home = Self::bare(profile).await;
        home.configure(REDIRECT, "");
        home
    }

    /// A home without a configuration.
    pub(crate) async fn bare(profile: Profile) -> Self {
        let sim = Sim::start(profile).await.unwrap();
        let folder = TempDir::new().unwrap();
        Self { sim, folder }
    }

    /// Writes the configuration: the default app with this redirect URI, and further lines at the end.
    pub(crate) fn configure(&self, redirect: &str, more: &str) {
        let app = self.sim.default_app();
        let secret = match &app.client_secret {
            Some(secret) => {
                write_private(&self.config_folder().join("client-secret"), secret);
                "client_secret_file = \"client-secret\"\n"
            }
            None => "",
        };
        let scopes = SCOPES.replace(' ', "\", \"");
        let text = format!(
            "[apps.default]\nclient_id = \"{}\"\n{secret}redirect_uri = \"{redirect}\"\n\
             scopes = [\"{scopes}\"]\n{}\n{more}",
            app.client_id,
            self.spotify(),
        );
        write_private(&self.config_file(), &text);
    }

    /// The section that leads to the simulator.
    pub(crate) fn spotify(&self) -> String {
        let (accounts, api) = (self.sim.accounts_url(), self.sim.api_url());
        format!("[spotify]\naccounts_url = \"{accounts}\"\napi_url = \"{api}\"\n")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config_folder(&self) -> PathBuf {
        self.path().join("config/refrain")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.config_folder().join("refrain.toml")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.config_folder().join("master.key")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("data/refrain/refrain.db")
    }

    /// The binary with these arguments and nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_refrain"), args)
    }

    /// Another program, in the same surroundings.
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .current_dir(self.path());
        command
    }

    /// Runs it to its end, with nothing on standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args).stdin(Stdio::null()))
    }

    /// Runs it to its end, with this on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Output {
        let mut running = Running::start(&mut self.command(args));
        running.type_in(input);
        running.wait()
    }

    /// Starts it.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args))
    }

    /// Makes the store, with nobody signed in: as a login does that is given up.
    pub(crate) fn found(&self) {
        let mut login = self.start(&["login", "nobody", "--no-browser"]);
        login.line();
        login.interrupt();
        login.wait();
    }

    /// Signs the simulator's user in, as a person without a browser does.
    pub(crate) fn login(&self, grant: &str) {
        let mut login = self.start(&["login", grant, "--no-browser"]);
        let url = login.line();
        login.type_in(&(self.sim.consent(&url).unwrap() + "\n"));
        let output = login.wait();
        assert_eq!(output.code, 0, "{output:?}");
    }
}

// === impl Output ===

impl Output {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The run must have ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The run must have ended so, with one JSON object as its last line on standard error.
    #[track_caller]
    pub(crate) fn failed(&self, exit: i32, code: &str) -> Value {
        assert_eq!(self.code, exit, "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(error["code"], code, "{self:?}");
        error
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::of(command.stdin(Stdio::piped()))
    }

    /// With whatever standard input the command has.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            seen: String::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on standard output; empty where there is none.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        self.seen.push_str(&line);
        line.trim_end().to_owned()
    }

    /// The next line on standard error that begins so.
    pub(crate) fn error_line(&mut self, beginning: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        loop {
            // Byte by byte: what a buffer would hold back belongs to the end.
            let mut line = Vec::new();
            let mut byte = [0];
            while stderr.read(&mut byte).unwrap() == 1 && byte != [b'\n'] {
                line.extend(byte);
            }
            let line = String::from_utf8(line).unwrap();
            if line.starts_with(beginning) {
                return line;
            }
            assert!(!line.is_empty(), "no line begins with {beginning:?}");
        }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        // A command that does not read, or has ended, is no failure of the test.
        drop(
            stdin
                .write_all(text.as_bytes())
                .and_then(|()| stdin.flush()),
        );
    }

    /// Ends standard input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.id().to_string();
        let status = Command::new("/bin/kill").args(["-INT", &id]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> Output {
        self.end_input();
        let mut stderr = String::new();
        self.stdout.read_to_string(&mut self.seen).unwrap();
        let mut from = self.child.stderr.take().unwrap();
        from.read_to_string(&mut stderr).unwrap();
        Output {
            stdout: std::mem::take(&mut self.seen),
            stderr,
            code: self.child.wait().unwrap().code().unwrap_or(-1),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed half-way leaves no process behind; one that has ended cannot be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes a file as refrain would: for its owner alone.
pub(crate) fn write_private(path: &Path, text: &str) {
    let folder = path.parent().unwrap();
    if !folder.exists() {
        fs::create_dir_all(folder).unwrap();
        chmod(folder, 0o700);
    }
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What a browser gets at a plain http address.
pub(crate) fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
