//! One module per command.

mod api;
mod completions;
mod config_show;
mod demo;
mod doctor;
mod init;
mod list;
mod login;
mod logout;
mod man;
mod refresh;
mod sim;
mod token;
mod why;
mod words;

use std::{future::Future, time::Duration};

use refrain::{
    Grant, Refrain,
    config::{Config, Sources},
    id::GrantName,
};

use crate::{
    args::{Args, Command, ConfigCommand, GlobalArgs},
    report::{Exit, Explanation},
};

/// How long a refresh that began may take to end before the process does. None is lost by leaving: what
/// it intended is in the store.
const CLOSING: Duration = Duration::from_secs(10);

/// Does what was asked.
pub(crate) fn run(args: Args) -> Result<(), Explanation> {
    let global = args.global;
    match args.command {
        Command::Config(ConfigCommand::Show) => config_show::run(&load(&global)?, global.json),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(args.folder.as_deref()),
        Command::Token(args) => block_on(token::run(&global, &args)),
        Command::Refresh(args) => block_on(refresh::run(&global, &args)),
        Command::List => block_on(list::run(&global)),
        Command::Sim(args) => block_on(sim::run(&global, &args)),
        Command::Login(args) => block_on(login::run(&global, &args)),
        Command::Logout(args) => block_on(logout::run(&global, &args)),
        Command::Why(args) => block_on(why::run(&global, &args)),
        Command::Doctor => block_on(doctor::run(&global)),
        Command::Init(args) => block_on(init::run(&global, &args)),
        Command::Api(args) => block_on(api::run(&global, &args)),
        Command::Demo(args) => demo::run(&global, &args),
    }
}

/// Runs a command that waits for things; one thread is enough for one command.
fn block_on(command: impl Future<Output = Result<(), Explanation>>) -> Result<(), Explanation> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
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

async fn open(global: &GlobalArgs) -> Result<Refrain, Explanation> {
    Ok(Refrain::open(load(global)?).await?)
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
        tracing::warn!("a refresh is still under way; the next command takes it up");
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
