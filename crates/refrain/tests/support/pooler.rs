//! A pooler in front of a cluster: pgbouncer, handing every transaction to another of a few sessions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use super::{Cluster, as_other_user, folder, in_path};

/// A running pooler. It ends with this value.
#[derive(Debug)]
pub struct Pooler {
    folder: tempfile::TempDir,
    process: Child,
}

impl Pooler {
    /// Starts one with so few sessions that nobody keeps his own.
    pub fn in_front_of(cluster: &Cluster) -> Self {
        let folder = folder("refrain-pooler");
        let (own, server) = (folder.path(), cluster.socket());
        let (own, server) = (own.display(), server.display());
        let config = format!(
            "[databases]\n* = host={server} user=refrain\n[pgbouncer]\npool_mode = transaction\n\
             default_pool_size = 3\nmax_client_conn = 200\nauth_type = any\nlisten_addr =\n\
             unix_socket_dir = {own}\nlisten_port = 6432\nlogfile = {own}/log\n\
             server_login_retry = 1\nquery_wait_timeout = 10\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, config).unwrap();
        let mut command = as_other_user(&program());
        command.arg(&path).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { folder, process };
        for _ in 0..500 {
            if pooler.folder.path().join(".s.PGSQL.6432").exists() {
                return pooler;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(pooler.folder.path().join("log"));
        panic!("the pooler does not start: {}", log.unwrap_or_default());
    }

    /// The address of one of the cluster's databases by way of the pooler, without any parameter.
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display();
        format!("postgres://refrain@localhost/{database}?host={socket}&port=6432")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
    }
}

/// Debian keeps it where root alone looks.
fn program() -> PathBuf {
    let places = [
        Path::new("/usr/sbin/pgbouncer"),
        Path::new("/usr/bin/pgbouncer"),
    ];
    let there = places.into_iter().find(|path| path.exists());
    let there = there.map(Path::to_owned);
    there
        .or_else(|| in_path("pgbouncer").map(|folder| folder.join("pgbouncer")))
        .unwrap_or_else(|| {
            panic!("the tests need a pooler: run scripts/packages, or install `pgbouncer`")
        })
}
