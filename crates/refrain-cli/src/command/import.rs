//! `refrain import`: a refresh token that another program holds.
//!
//! Here it is found, and it is told what came of it and what remains to do where it was. Nothing there is
//! changed. What taking it over means is the library's (`keeper::import`).

mod env;
mod fault;
mod file;
mod home_assistant;
mod read;
mod tell;
mod token_file;
mod your_spotify;

use std::{io::IsTerminal as _, path::Path};

use dialoguer::Confirm;
use refrain::{
    Error, Refrain,
    id::{AppName, GrantName},
    keeper::{
        Problem,
        import::{ImportError, ImportRequest, TakenOver},
    },
    lifecycle::row::Bounds,
    oauth::{client::ClientId, scope::Scope},
    secret::RefreshToken,
    time::UnixMillis,
};

use self::tell::Owner;
use crate::{
    args::{GlobalArgs, ImportArgs, ImportCommand},
    report::Explanation,
};

/// What was found in some place.
#[derive(Debug)]
struct Found {
    refresh_token: RefreshToken,
    /// Whom it was issued to, where the place says.
    client_id: Option<ClientId>,
    scope: Option<Scope>,
    consent: Bounds,
}

pub(super) async fn run(global: &GlobalArgs, command: &ImportCommand) -> Result<(), Explanation> {
    let (found, owner) = find(command)?;
    owner.warn_of_mode();
    let refrain = super::open_or_make(global).await?;
    let done = import(&refrain, global, command, (found, &owner)).await;
    let now = refrain.parts().clock.wall();
    super::close(&refrain).await;
    tell::result(&done?, &owner, now, global.json)
}

/// Reads the place that a command names.
fn find(command: &ImportCommand) -> Result<(Found, Owner), Explanation> {
    let of_file = |owner: Owner, read: fn(&file::Content) -> Result<Found, Explanation>| {
        let content = file::read(owner.file())?;
        Ok((read(&content)?, owner.with_mode(content.mode)))
    };
    let named = |file: Option<&Path>, usual: &str| match file {
        Some(file) => file.to_owned(),
        None => usual.into(),
    };
    match command {
        ImportCommand::Spotipy { file, .. } => {
            let file = named(file.as_deref(), ".cache");
            of_file(Owner::spotipy(file), token_file::spotipy)
        }
        ImportCommand::Rspotify { file, .. } => {
            let file = named(file.as_deref(), ".spotify_token_cache.json");
            of_file(Owner::rspotify(file), token_file::rspotify)
        }
        ImportCommand::SpotifyPlayer { file, .. } => {
            let file = match file {
                Some(file) => file.clone(),
                None => file::in_caches("spotify-player/user_client_token.json")?,
            };
            of_file(Owner::spotify_player(file), token_file::spotify_player)
        }
        ImportCommand::YourSpotify { file, user, .. } => {
            let content = file::read(file)?;
            let found = your_spotify::found(&content, user.as_deref())?;
            let owner = Owner::your_spotify(file.clone());
            Ok((found, owner.with_mode(content.mode)))
        }
        ImportCommand::HomeAssistant { file, user, .. } => {
            let file = home_assistant::entries_of(file);
            let content = file::read(&file)?;
            let credentials = home_assistant::credentials_beside(&file)?;
            let found = home_assistant::found(&content, credentials.as_ref(), user.as_deref())?;
            // Home Assistant's folder is its own, and its copy goes on.
            Ok((found, Owner::home_assistant(file)))
        }
        ImportCommand::Env { variable, .. } => env::found(variable.as_deref(), &|name| {
            std::env::var_os(name).map(std::ffi::OsString::into_string)
        }),
        ImportCommand::Stdin { .. } => Ok((read::token()?, Owner::stdin())),
        ImportCommand::Ncspot { .. } => Err(fault::ncspot()),
        ImportCommand::Librespot { .. } => Err(fault::librespot()),
    }
}

async fn import(
    refrain: &Refrain,
    global: &GlobalArgs,
    command: &ImportCommand,
    (found, owner): (Found, &Owner),
) -> Result<TakenOver, Explanation> {
    let to = command.to();
    let (grant, app) = names(refrain, to).await?;
    let request = ImportRequest {
        grant: grant.clone(),
        app,
        refresh_token: found.refresh_token,
        client_id: found.client_id,
        scope: found.scope,
        consent: found.consent,
        source: owner.name().to_owned(),
        replace: to.replace,
    };
    match refrain.import(request.clone()).await {
        Err(error) if exists(&error, &grant) && may_replace(&grant, command, global.json)? => {
            let replace = true;
            Ok(refrain.import(ImportRequest { replace, ..request }).await?)
        }
        done => Ok(done?),
    }
}

fn exists(error: &Error, name: &GrantName) -> bool {
    matches!(error.problem(), Problem::Import(ImportError::Exists { grant }) if grant == name)
}

/// Asks somebody who is there.
fn may_replace(
    grant: &GrantName,
    command: &ImportCommand,
    json: bool,
) -> Result<bool, Explanation> {
    let stdin = std::io::stdin().is_terminal() && !matches!(command, ImportCommand::Stdin { .. });
    if json || !stdin || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    Confirm::new()
        .with_prompt(format!(
            "Grant {grant} has a token. Let the imported one take its place, if it is of the same account?"
        ))
        .default(false)
        .interact()
        .map_err(|_| Explanation::interrupted("interrupted: nothing was changed"))
}

/// Which grant, and of which app: what is there already keeps its app.
async fn names(refrain: &Refrain, to: &ImportArgs) -> Result<(GrantName, AppName), Explanation> {
    let grant = match &to.grant {
        Some(grant) => grant.clone(),
        None => "default"
            .parse()
            .map_err(|_| Explanation::usage("no grant is named", "name it"))?,
    };
    let app = match &to.app {
        Some(app) => app.clone(),
        None => refrain.app_for(&grant).await?,
    };
    Ok((grant, app))
}

/// The earlier of two instants of which either may be unknown.
fn earlier(one: Option<UnixMillis>, other: Option<UnixMillis>) -> Option<UnixMillis> {
    one.into_iter().chain(other).min()
}
