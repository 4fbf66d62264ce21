//! One module per command.

mod api;
mod backup;
mod completions;
mod config_show;
mod dashboard;
mod demo;
pub(crate) mod doctor;
mod import;
mod init;
mod key;
mod limit;
mod list;
mod login;
mod logout;
mod man;
mod refresh;
mod restore;
mod sealing;
mod serve;
mod sim;
mod token;
mod why;

#[cfg(test)]
pub(crate) use serve::failed as serve_failed;

use std::{future::Future, pin::pin, sync::OnceLock, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use refrain::{
    Grant, Refrain,
    config::{Config, Sources},
    id::GrantName,
};

use crate::{
    args::{Args, Command, ConfigCommand, GlobalArgs, SealingCommand},
    report::{self, Exit, Explanation},
    systemd::sockets,
};

/// How long a refresh that began may take to end before the process does: an answer that the store does
/// not take exists in this process alone.
const CLOSING: Duration = Duration::from_secs(30);

/// After this long a person is told what is being waited for.
const QUIET: Duration = Duration::from_secs(2);

/// Does what was asked.
pub(crate) fn run(args: Args) -> Result<(), Explanation> {
    let global = args.global;
    match args.command {
        Command::Config(ConfigCommand::Show) => config_show::run(&load(&global)?, global.json),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(args.folder.as_deref()),
        Command::Token(args) => block_on(orderly(token::run(&global, &args))),
        Command::Refresh(args) => block_on(orderly(refresh::run(&global, &args))),
        Command::List => block_on(orderly(list::run(&global))),
        Command::Serve(args) => {
            let inherited = sockets::take()?;
            block_on_all(serve::run(&global, &args, inherited))
        }
        Command::Sim(args) => block_on(sim::run(&global, &args)),
        Command::OpenBrowser { url } => login::browser::run(&url),
        Command::Login(args) => block_on(login::run(&global, &args)),
        Command::Import(command) => block_on(orderly(import::run(&global, &command))),
        Command::Logout(args) => block_on(orderly(logout::run(&global, &args))),
        Command::Why(args) => block_on(orderly(why::run(&global, &args))),
        Command::Key(command) => block_on(unwaited(key::run(&global, &command))),
        Command::Sealing(SealingCommand::Rotate(args)) => {
            block_on(unwaited(sealing::run(&global, &args)))
        }
        Command::Backup(args) => block_on(unwaited(backup::run(&global, &args))),
        Command::Restore(args) => block_on(unwaited(restore::run(&global, &args))),
        Command::Dashboard(args) => block_on(unwaited(dashboard::run(&global, &args))),
        Command::Doctor => block_on(doctor::run(&global)),
        Command::Init(args) => block_on(init::run(&global, &args)),
        Command::Api(args) => block_on(orderly(api::run(&global, &args))),
        Command::Demo(args) => demo::run(&global, &args),
    }
}

/// Runs a command that waits for things; one thread is enough for one command.
fn block_on(command: impl Future<Output = Result<(), Explanation>>) -> Result<(), Explanation> {
    block_on_runtime(tokio::runtime::Builder::new_current_thread(), command)
}

/// Runs the server: on every processor.
fn block_on_all(command: impl Future<Output = Result<(), Explanation>>) -> Result<(), Explanation> {
    block_on_runtime(tokio::runtime::Builder::new_multi_thread(), command)
}

fn block_on_runtime(
    mut runtime: tokio::runtime::Builder,
    command: impl Future<Output = Result<(), Explanation>>,
) -> Result<(), Explanation> {
    let runtime = runtime.enable_all().build().map_err(|error| Explanation {
        code: "runtime_failed",
        what: format!("the system did not let refrain wait for files and sockets: {error}"),
        safe: "nothing was changed".to_owned(),
        fix: "look at the limits of this user: ulimit -a".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    })?;
    runtime.block_on(command)
}

/// The store that this process has open, so that a signal can see its refreshes through.
static OPENED: OnceLock<Refrain> = OnceLock::new();

/// Opens the store that is there: a command that asks makes none where a place was mistyped.
async fn open(global: &GlobalArgs) -> Result<Refrain, Explanation> {
    let refrain = remember(Refrain::open_existing(load(global)?).await?);
    refrain.take_up_orphans();
    Ok(refrain)
}

/// The same for a command that begins something, so that there may be none yet.
async fn open_or_make(global: &GlobalArgs) -> Result<Refrain, Explanation> {
    let refrain = remember(Refrain::open_idle(load(global)?).await?);
    refrain.take_up_orphans();
    Ok(refrain)
}

fn remember(refrain: Refrain) -> Refrain {
    OPENED.get_or_init(|| refrain).clone()
}

/// Runs a command so that Ctrl-C, SIGTERM or SIGHUP ends the waiting and nothing else: a refresh that has
/// begun is brought to its end, because its answer may be the only one. A second signal does not wait.
async fn orderly(
    command: impl Future<Output = Result<(), Explanation>>,
) -> Result<(), Explanation> {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::warn!(%error, "signals cannot be caught");
            return command.await;
        }
    };
    let done = tokio::select! {
        biased;
        result = patiently(command) => Some(result),
        () = signals.next() => None,
    };
    // The command is gone by now: one that is neither gone nor polled would keep what it holds.
    match done {
        Some(result) => result,
        None => Err(interrupted(&mut signals).await),
    }
}

/// Waits for a command, and tells a person so where it takes long.
async fn patiently(
    command: impl Future<Output = Result<(), Explanation>>,
) -> Result<(), Explanation> {
    let mut command = pin!(command);
    tokio::select! {
        biased;
        result = &mut command => return result,
        () = tokio::time::sleep(QUIET) => report::waiting(),
    }
    command.await
}

/// Runs a command that presents nothing, so that a signal ends it at once and what it made aside goes:
/// running it again completes it.
async fn unwaited(
    command: impl Future<Output = Result<(), Explanation>>,
) -> Result<(), Explanation> {
    let Ok(mut signals) = Signals::new() else {
        return command.await;
    };
    tokio::select! {
        biased;
        result = command => result,
        () = signals.next() => Err(Explanation {
            safe: "key and store are as they were, or as they were to be".to_owned(),
            fix: "run the command again".to_owned(),
            ..Explanation::interrupted("interrupted")
        }),
    }
}

async fn interrupted(signals: &mut Signals) -> Explanation {
    if let Some(refrain) = OPENED.get() {
        tokio::select! {
            () = close(refrain) => {}
            () = signals.next() => {}
        }
    }
    Explanation {
        code: "interrupted",
        what: "interrupted".to_owned(),
        safe: "a refresh that had begun was seen through, or its intent is in the store".to_owned(),
        fix: "run the command again".to_owned(),
        retry_at: None,
        exit: Exit::Interrupted,
    }
}

/// The signals that ask a command to end.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The grant that was named, or the only one.
async fn grant(refrain: &Refrain, name: Option<&GrantName>) -> Result<Grant, refrain::Error> {
    match name {
        Some(name) => refrain.grant(name.as_str()).await,
        None => refrain.only_grant().await,
    }
}

async fn close(refrain: &Refrain) {
    if !refrain.close(CLOSING).await {
        tracing::error!(
            "a refresh did not come to its end; `refrain why` tells what is known of it"
        );
    }
}

/// The configuration, from `--config` or its usual places.
fn load(global: &GlobalArgs) -> Result<Config, Explanation> {
    Ok(Config::load_from(&sources(global))?)
}

fn sources(global: &GlobalArgs) -> Sources {
    Sources {
        file: global.config.clone(),
        ..Sources::from_process()
    }
}
