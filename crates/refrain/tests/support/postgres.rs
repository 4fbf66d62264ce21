//! A PostgreSQL server for one test run: a cluster of its own in a temporary folder, on a Unix socket.
//!
//! The server's own binaries make and run it (Debian package `postgresql`). Where they are missing the
//! test fails and says what to install; nothing is skipped. As root, whom `initdb` refuses, everything
//! runs as the user `postgres`.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    databases: AtomicU32,
    binaries: PathBuf,
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
        let cluster = Self {
            folder: tempfile::Builder::new()
                .prefix("refrain-pg")
                .tempdir()
                .unwrap(),
            databases: AtomicU32::new(0),
            binaries: binaries(),
        };
        if let Some((uid, gid)) = other_user() {
            chown(cluster.folder.path(), Some(uid), Some(gid)).unwrap();
        }
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
             shared_buffers = 64MB\nlogging_collector = off\n",
            cluster.socket().display()
        );
        for setting in settings {
            config.push_str(setting);
            config.push('\n');
        }
        let path = cluster.data().join("postgresql.conf");
        let written = fs::read_to_string(&path).unwrap() + &config;
        fs::write(&path, written).unwrap();
        cluster.resume();
        cluster
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
            "postgres://refrain@localhost/{database}?host={}",
            self.socket().display()
        )
    }

    /// The folder with the socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a statement with `psql` and answers what it prints.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let host = self.socket().to_str().unwrap();
        let arguments = [
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            host,
            "-U",
            "refrain",
        ];
        let more = ["-d", database, "-c", statement];
        let output = self.run("psql", &[&arguments[..], &more[..]].concat());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
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
        self.folder.path().join("data")
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
        let mut command = if other_user().is_some() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        let arguments = [
            "-D",
            data.to_str().unwrap(),
            "-m",
            "immediate",
            "-w",
            "stop",
        ];
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
