//! One module per command.

mod completions;
mod config_show;
mod man;

use refrain::config::{Config, Sources};

use crate::{
    args::{Args, Command, ConfigCommand, GlobalArgs},
    report::{Exit, Explanation},
};

/// Does what was asked.
pub(crate) fn run(args: Args) -> Result<(), Explanation> {
    let global = args.global;
    match args.command {
        Command::Config(ConfigCommand::Show) => config_show::run(&load(&global)?, global.json),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man(args) => man::run(args.folder.as_deref()),
        Command::Demo(_)
        | Command::Init
        | Command::Login(_)
        | Command::Token(_)
        | Command::Api(_)
        | Command::List
        | Command::Why(_)
        | Command::Refresh(_)
        | Command::Logout(_)
        | Command::Doctor
        | Command::Sim(_) => Err(not_built()),
    }
}

/// The configuration, from `--config` or its usual places.
fn load(global: &GlobalArgs) -> Result<Config, Explanation> {
    let sources = Sources {
        file: global.config.clone(),
        ..Sources::from_process()
    };
    Ok(Config::load_from(&sources)?)
}

/// The commands that wait for the library's façade say so.
fn not_built() -> Explanation {
    Explanation {
        code: "command_not_built",
        what: "this build of refrain does not have that command yet".to_owned(),
        safe: "nothing was changed".to_owned(),
        fix: "use a later build".to_owned(),
        retry_at: None,
        exit: Exit::Usage,
    }
}
