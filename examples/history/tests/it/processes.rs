//! The program itself: killed, started again, and told to stop.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use refrain::{Config, Refrain, config::Sources};
use refrain_sim::{Profile, Sim};
use tempfile::TempDir;

use crate::{assembled, example::Example, world::Written};

/// The listener of this Spotify is a quick one.
const TRACK: Duration = Duration::from_millis(100);

struct Home {
    sim: Sim,
    folder: TempDir,
}

struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Home {
    async fn new() -> Self {
        let profile = Profile {
            play_every: Some(TRACK),
            ..Profile::default()
        };
        let sim = Sim::start(profile).await.unwrap();
        let folder = TempDir::new().unwrap();
        let app = sim.default_app();
        let text = format!(
            "store = \"sqlite:refrain.db\"\n[sealing]\nkey_file = \"master.key\"\n\
             [apps.default]\nclient_id = \"{}\"\nclient_secret_file = \"secret\"\n\
             redirect_uri = \"http://127.0.0.1:4280/callback\"\nscopes = [\"user-read-recently-played\"]\n\
             [spotify]\naccounts_url = \"{}\"\napi_url = \"{}\"\n",
            app.client_id,
            sim.accounts_url(),
            sim.api_url(),
        );
        for (name, text) in [
            ("secret", app.client_secret.unwrap()),
            ("refrain.toml", text),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { sim, folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn login(&self) {
        let sources = Sources {
            file: Some(self.path("refrain.toml")),
            ..Sources::default()
        };
        let config = Config::load_from(&sources).unwrap();
        let refrain = Refrain::open(config).await.unwrap();
        let signed_in = assembled::login(&refrain, &self.sim, "alice");
        signed_in.await.unwrap();
        refrain.close(Duration::from_secs(10)).await;
    }

    fn start(&self) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_refrain-history"))
            .args([self.path("history.db").as_path(), Path::new("alice")])
            .env_clear()
            .env("HOME", self.folder.path())
            .env("REFRAIN_CONFIG", self.path("refrain.toml"))
            .env("HISTORY_EVERY", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Running { child, log }
    }
}

impl Running {
    /// Reads on until it says so.
    fn says(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "never: {what}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_waits_for_the_login_and_one_that_was_killed_leaves_nothing_out() {
    let home = Home::new().await;
    let mut first = home.start();
    first.says("refrain login alice");
    home.login().await;
    first.says("it goes on");
    first.says("new plays");
    first.child.kill().unwrap();
    drop(first);

    let mut second = home.start();
    second.says("new plays");
    let pid = second.child.id().to_string();
    assert!(
        Command::new("/bin/kill")
            .arg(&pid)
            .status()
            .unwrap()
            .success()
    );
    assert!(
        second.child.wait().unwrap().success(),
        "it was told to stop"
    );
    let written = Written::of(&home.path("history.db")).await;
    assert!(written.plays.len() > 50);
    assert_eq!(written.jumps(TRACK), written.gaps);
}

#[test]
fn the_one_command_of_the_readme_keeps_a_history_until_it_is_interrupted() {
    let mut example = Example::start("history", env!("CARGO_BIN_EXE_refrain-history"), &[]);
    example.says("50 new plays");
    example.says("new plays");
    example.interrupt();
    let (status, said) = example.end();
    assert_ne!(status, Some(0), "interrupted: {said}");
}
