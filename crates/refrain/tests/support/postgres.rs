//! A PostgreSQL server for one test run: a cluster of its own in a temporary folder, on a Unix socket.
//!
//! It can be made to fail in every way that a server does: stopped, crashed, hanging, behind a pooler.
//!
//! The server's own binaries make and run it (Debian package `postgresql`). Where they are missing the
//! test fails and says what to install; nothing is skipped. As root, whom `initdb` refuses, everything
//! runs as the user `postgres`.

pub mod certificates;
pub mod pooler;

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    databases: AtomicU32,
    binaries: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Cluster {
    /// A cluster that the tests of one process share; it ends with the last one that holds it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with settings of its own, each `name = value`.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::start_at(5432, settings)
    }

    /// One that listens on 127.0.0.1 too. Its user `guarded` needs a password there, the others none.
    pub fn start_on_tcp(settings: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let listen = "listen_addresses = '127.0.0.1'";
        Self::start_at(port, &[&[listen], settings].concat())
    }

    fn start_at(port: u16, settings: &[&str]) -> Self {
        let folder = folder("refrain-pg");
        let cluster = Self {
            data: folder.path().join("data"),
            folder,
            databases: AtomicU32::new(0),
            binaries: binaries(),
            port,
        };
        let data = cluster.data();
        let data = data.to_str().unwrap();
        cluster.run(
            "initdb",
            &[
                "-D",
                data,
                "-U",
                "refrain",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
            ],
        );
        let mut config = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             shared_buffers = 64MB\nlogging_collector = off\nport = {port}\n",
            cluster.socket().display()
        );
        for setting in settings {
            config.push_str(setting);
            config.push('\n');
        }
        let path = cluster.data().join("postgresql.conf");
        let written = fs::read_to_string(&path).unwrap() + &config;
        fs::write(&path, written).unwrap();
        let path = cluster.data().join("pg_hba.conf");
        let guarded = "host all guarded 127.0.0.1/32 scram-sha-256\n".to_owned();
        let written = guarded + &fs::read_to_string(&path).unwrap();
        fs::write(&path, written).unwrap();
        cluster.resume();
        cluster
    }

    /// Ends every session but its own, as a failover does.
    pub fn end_sessions(&self) {
        self.sql(
            "postgres",
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        );
    }

    /// How many sessions a database has, by what they call themselves.
    pub fn sessions(&self, database: &str) -> usize {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        );
        self.sql("postgres", &count).parse().unwrap()
    }

    /// Lets the server hang, with every session: nothing is refused, nothing is answered.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.pid();
        // The server first, so that it makes no new session behind our back.
        send(server, signal);
        for process in fs::read_dir("/proc").unwrap() {
            let name = process.unwrap().file_name();
            let Some(pid) = name.to_str().and_then(|it| it.parse::<u32>().ok()) else {
                continue;
            };
            if parent(pid) == Some(server) {
                send(pid, signal);
            }
        }
    }

    /// Makes every transaction read-only, or no longer, as on a server that only follows another.
    pub fn read_only(&self, read_only: bool) {
        let on = if read_only { "on" } else { "off" };
        let alter = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
        let mut psql = self.psql("postgres");
        psql.args(["-c", "SET default_transaction_read_only = off"]);
        assert!(psql.args(["-c", &alter]).status().unwrap().success());
        self.sql("postgres", "SELECT pg_reload_conf()");
        let shown = || self.sql("postgres", "SHOW default_transaction_read_only");
        while shown() != on {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A fresh, empty database, as the address of a store.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://refrain@localhost:{}/{database}?host={}",
            self.port,
            self.socket().display()
        )
    }

    /// The same by TCP, as a user with or without a password.
    pub fn tcp_url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with the socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a statement with `psql` and answers what it prints.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = self.psql(database);
        let output = psql.args(["-c", statement]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A `psql`, to be told what it shall do.
    pub fn psql(&self, database: &str) -> Command {
        let (host, port) = (self.socket().to_str().unwrap(), self.port.to_string());
        let quietly = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
        let (host, port) = (["-h", host, "-p", &port], ["-U", "refrain", "-d", database]);
        self.command("psql", &[&quietly[..], &host, &port].concat())
    }

    /// Stops the server in one of its three ways: `smart`, `fast` or `immediate`, which is a crash.
    pub fn stop(&self, mode: &str) {
        let data = self.data();
        self.run(
            "pg_ctl",
            &["-D", data.to_str().unwrap(), "-m", mode, "-w", "stop"],
        );
    }

    /// Starts it again.
    pub fn resume(&self) {
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let arguments = [
            "-D",
            data.to_str().unwrap(),
            "-l",
            log.to_str().unwrap(),
            "-w",
            "-t",
            "60",
        ];
        self.run("pg_ctl", &[&arguments[..], &["start"]].concat());
    }

    /// The process of the server itself; its children are the sessions.
    pub fn pid(&self) -> u32 {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(program, arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stderr),
            fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        );
        output
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let path = self.binaries.join(program);
        let mut command = as_other_user(&path);
        command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // One that hangs would not hear that it is to stop.
        if self.data.join("postmaster.pid").exists() {
            self.go_on();
        }
        let data = self.data.to_str().unwrap();
        let arguments = ["-D", data, "-m", "immediate", "-w", "stop"];
        self.command("pg_ctl", &arguments)
            .output()
            .map(drop)
            .unwrap_or_default();
    }
}

/// The newest server's binaries: Debian keeps them out of the path.
fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .or_else(|| in_path("initdb"))
        .unwrap_or_else(|| {
            panic!(
                "the tests need a PostgreSQL server: run scripts/packages, or install `postgresql`"
            )
        })
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join(program).exists())
}

/// A folder for whoever runs the server.
fn folder(prefix: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
    give_away(folder.path());
    folder
}

/// Gives a file to whoever runs the server.
pub fn give_away(path: &Path) {
    if let Some((uid, gid)) = other_user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// A program as whoever runs the server; what is started is the program itself, which can be killed.
fn as_other_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = other_user() {
        command.uid(uid).gid(gid);
    }
    command
}

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    // It may have ended meanwhile.
    kill_process(pid, signal).unwrap_or_default();
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses, and may hold any; the state and the parent come behind it.
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// Who runs the server where we are root.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let entry = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = entry
        .expect("there is no user postgres")
        .split(':')
        .collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}
