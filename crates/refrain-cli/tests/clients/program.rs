//! A program around somebody else's client: it carries out a command a line, and tells in a line of JSON
//! what came of it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::place::Place;

/// What runs a program.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    Python,
    Node,
    Shell,
}

pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What it says beside that.
    log: PathBuf,
}

impl Program {
    /// Starts `programs/FILE`, in the home of the place and with nothing of this process's environment.
    pub fn start(place: &Place, language: Language, file: &str, args: &[&str]) -> Self {
        let installed = installed();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/programs");
        let interpreter = match language {
            Language::Python => installed.join("python/bin/python"),
            Language::Node => "node".into(),
            Language::Shell => "sh".into(),
        };
        let log = place.path().join(format!("{file}.log"));
        let mut command = Command::new(interpreter);
        command
            .arg(folder.join(file))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path())
            // Nothing is left in the folder of the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap());
        if matches!(language, Language::Node) {
            command.arg(&installed);
        }
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?} does not start: {error}; scripts/clients installs what it needs")
        });
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            log,
        }
    }

    /// Has it carry out a command; what came of it.
    pub fn ask(&mut self, command: &str) -> Value {
        let mut line = String::new();
        // A program that has ended reads nothing; its answer is missing too, which says more.
        drop(writeln!(self.stdin.as_mut().unwrap(), "{command}"));
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{command}: {line:?}: {error}\n{log}")
        })
    }

    /// The command is carried out, and this comes of it.
    #[track_caller]
    pub fn gets(&mut self, command: &str, result: impl Into<Value>) {
        let told = self.ask(command);
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert_eq!(told, json!({ "ok": result.into() }), "{command}\n{log}");
    }

    /// The command meets a 429; the seconds that it says.
    #[track_caller]
    pub fn is_told_to_wait(&mut self, command: &str) -> u64 {
        let told = self.ask(command);
        assert_eq!(told["status"], 429, "{command}: {told}");
        let seconds = told["retry_after"].as_str().and_then(|it| it.parse().ok());
        seconds.unwrap_or_else(|| panic!("{command}: {told}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stdin = None;
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where `scripts/clients` has put them.
pub fn installed() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = workspace.join("target/clients");
    assert!(
        installed.join("installed").exists(),
        "the clients are not installed: run scripts/clients"
    );
    installed.canonicalize().unwrap()
}
