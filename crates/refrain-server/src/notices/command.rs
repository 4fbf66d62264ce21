//! A message to a program of this machine, as JSON on its standard input.
//!
//! No shell is involved, and the program gets no more of refrain's environment than where programs and the home
//! are. What it writes is thrown away.

use std::{path::PathBuf, process::Stdio, time::Duration};

use refrain::{notice::Delivery, time::Clock};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use super::Tried;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What it gets of the environment.
const ENVIRONMENT: [&str; 2] = ["PATH", "HOME"];

/// A program, and what is said to it.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
}

impl Program {
    pub(super) fn new(words: &[String]) -> Option<Self> {
        let (path, arguments) = words.split_first()?;
        Some(Self {
            path: path.into(),
            arguments: arguments.to_vec(),
        })
    }

    /// Runs it once, to its end.
    pub(super) async fn run(&self, delivery: &Delivery, clock: &dyn Clock) -> Tried {
        let failed = |outcome: &str| Tried::Failed(outcome.to_owned(), None);
        let Ok(mut child) = self.spawn() else {
            return failed("cannot be started");
        };
        let mut family = Family::of(&child);
        let running = async {
            if let Some(mut input) = child.stdin.take() {
                // It may end without reading, and that is its affair.
                drop(input.write_all(text(delivery).as_bytes()).await);
            }
            child.wait().await
        };
        let ended = tokio::select! {
            biased;
            ended = running => ended,
            () = clock.sleep(PATIENCE) => return failed("timed out"),
        };
        family.0 = None;
        match ended {
            Ok(status) if status.success() => Tried::Arrived("exit 0".to_owned()),
            Ok(status) => match status.code() {
                Some(code) => failed(&format!("exit {code}")),
                None => failed("killed"),
            },
            Err(_) => failed("lost"),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let environment = ENVIRONMENT.into_iter();
        let environment = environment.filter_map(|name| Some((name, std::env::var_os(name)?)));
        Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// The message, with its name, by which a program knows one that it gets twice.
fn text(delivery: &Delivery) -> String {
    let members = delivery.body.strip_prefix('{').unwrap_or_default();
    format!("{{\"id\":\"{}\",{members}\n", delivery.message)
}

/// A program that runs, with those that it has started: whoever gives it up ends them all.
struct Family(Option<Pid>);

impl Family {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(leader) = self.0.take()
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            tracing::debug!(%error, "a program that was given up had ended");
        }
    }
}
