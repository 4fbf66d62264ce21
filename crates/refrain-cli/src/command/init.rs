//! `refrain init`: from the two values in Spotify's dashboard to a configuration that works.
//!
//! On a terminal it asks for what was not given; elsewhere everything comes from flags, variables and
//! files. The secret is never an argument, where every process of the machine could read it.

mod ask;
pub(super) mod files;
pub(super) mod shape;

use std::{
    fs,
    io::{IsTerminal as _, Read as _},
    path::Path,
};

use refrain::{
    Refrain,
    config::Config,
    oauth::{authorization::RedirectUri, scope::Scope},
    provider::spotify::{self, DASHBOARD_URL},
};
use zeroize::Zeroizing;

use super::doctor;
use crate::{
    args::{GlobalArgs, InitArgs},
    report::{Exit, Explanation, notice},
};

const REDIRECT: &str = "http://127.0.0.1:4280/callback";
/// Where the environment has the secret, or says where it is.
const SECRET_VARIABLES: [&str; 2] = [
    "REFRAIN_APPS_DEFAULT_CLIENT_SECRET",
    "REFRAIN_APPS_DEFAULT_CLIENT_SECRET_CREDENTIAL",
];
/// The longest secret that is read; Spotify's have 32 characters.
const LONGEST_SECRET: u64 = 4096;

/// What is going to be written.
struct Answers {
    client_id: String,
    /// None for an app that uses PKCE alone.
    secret: Option<Zeroizing<String>>,
    /// Whether the environment has one, which is then left where it is.
    secret_in_environment: bool,
    redirect_uri: RedirectUri,
    scopes: Scope,
}

pub(super) async fn run(global: &GlobalArgs, args: &InitArgs) -> Result<(), Explanation> {
    let sources = super::sources(global);
    let config = sources.config_file().map(|(file, _)| file).ok_or_else(|| {
        Explanation::usage("there is no home folder", "name the file: --config FILE")
    })?;
    let secret_file = config.with_file_name("client-secret");
    refuse_overwriting(&config, args)?;
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut secrets = SECRET_VARIABLES
        .iter()
        .filter_map(|name| sources.env.get(*name));
    let in_environment = secrets.any(|text| !text.is_empty());
    let answers = if interactive {
        ask::answers(args, in_environment)?
    } else {
        given(args, in_environment)?
    };
    if answers.secret.is_some() && !is_same(args.client_secret_file.as_deref(), &secret_file) {
        refuse_overwriting(&secret_file, args)?;
    }
    write(&answers, &config, &secret_file)?;
    // From here on as every other command finds it: the file may be overridden by the environment.
    let global = GlobalArgs {
        config: Some(config.clone()),
        ..*global
    };
    let loaded: Config = super::load(&global)?;
    let key = loaded.sealing.key.path().display().to_string();
    let store = loaded.store.to_string();
    super::close(&Refrain::open(loaded).await?).await;
    notice(&format!(
        "Written:\n  configuration  {}\n  master key     {key}\n  store          {store}",
        config.display()
    ));
    if answers.secret.is_some() {
        notice(&format!("  client secret  {}", secret_file.display()));
    }
    notice(&format!(
        "Register this redirect URI, exactly so, at {DASHBOARD_URL} (your app, Edit settings, Redirect \
         URIs, Add, Save):\n  {}\nThen run: refrain login\n",
        answers.redirect_uri
    ));
    // What it finds does not undo what was written.
    let examined = doctor::run(&global).await;
    examined.map_err(|error| Explanation {
        safe: "configuration, key and store are written, and stay".to_owned(),
        ..error
    })
}

fn refuse_overwriting(path: &Path, args: &InitArgs) -> Result<(), Explanation> {
    if args.force || !path.exists() {
        return Ok(());
    }
    Err(Explanation {
        code: "init_exists",
        what: format!("{} is there already", path.display()),
        safe: "nothing was changed".to_owned(),
        fix: "change it with an editor, or overwrite it: refrain init --force".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    })
}

fn is_same(given: Option<&Path>, target: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    given.is_some_and(|given| real(given).is_some() && real(given) == real(target))
}

/// The answers of flags and variables alone.
fn given(args: &InitArgs, in_environment: bool) -> Result<Answers, Explanation> {
    let Some(client_id) = &args.client_id else {
        return Err(Explanation::usage(
            "there is no client id, and no terminal to ask for it",
            format!("say --client-id; {DASHBOARD_URL} shows it"),
        ));
    };
    let secret = given_secret(args)?;
    let client_id = checked_id(client_id)?;
    Ok(Answers {
        secret: secret
            .map(|secret| checked_secret(&secret, &client_id))
            .transpose()?,
        secret_in_environment: in_environment,
        client_id,
        redirect_uri: checked_redirect(args.redirect_uri.as_deref().unwrap_or(REDIRECT))?,
        scopes: checked_scopes(&given_scopes(args))?,
    })
}

/// The scopes that were asked for; where none were, those that a terminal would propose.
fn given_scopes(args: &InitArgs) -> String {
    if args.scopes.is_empty() {
        ask::SCOPES.to_owned()
    } else {
        args.scopes.join(" ")
    }
}

/// The secret of a file or of standard input, where one was named.
fn given_secret(args: &InitArgs) -> Result<Option<Zeroizing<String>>, Explanation> {
    let mut text = Zeroizing::new(String::new());
    let (read, place) = if args.client_secret_stdin {
        let stdin = std::io::stdin().lock().take(LONGEST_SECRET);
        (read(stdin, &mut text), "standard input".to_owned())
    } else if let Some(path) = &args.client_secret_file {
        let file = fs::File::open(path);
        let read = file.and_then(|file| read(file.take(LONGEST_SECRET), &mut text));
        (read, path.display().to_string())
    } else {
        return Ok(None);
    };
    match read {
        Err(error) => Err(Explanation::usage(
            format!("the client secret cannot be read from {place}: {error}"),
            "name a file that holds the secret alone",
        )),
        Ok(()) if text.trim().is_empty() => Err(Explanation::usage(
            format!("there is no client secret in {place}"),
            "leave the option out for an app without a secret (PKCE)",
        )),
        Ok(()) => Ok(Some(text)),
    }
}

fn read(mut from: impl std::io::Read, text: &mut String) -> std::io::Result<()> {
    from.read_to_string(text).map(drop)
}

fn checked_id(text: &str) -> Result<String, Explanation> {
    match shape::client_id(text) {
        Ok(id) => Ok(id.to_owned()),
        Err(problem) => warn_or_refuse("client id", text, problem),
    }
}

fn checked_secret(text: &str, id: &str) -> Result<Zeroizing<String>, Explanation> {
    match shape::client_secret(text) {
        Ok(secret) if secret == id => Err(refused("client secret", shape::Problem::SameAsId)),
        Ok(secret) => Ok(Zeroizing::new(secret.to_owned())),
        Err(problem) => warn_or_refuse("client secret", text, problem).map(Zeroizing::new),
    }
}

/// What is merely unusual is taken, because another provider's could be so; what was surely pasted
/// wrongly is not.
fn warn_or_refuse(what: &str, text: &str, problem: shape::Problem) -> Result<String, Explanation> {
    if problem != shape::Problem::NotHex32 {
        return Err(refused(what, problem));
    }
    notice(&format!(
        "warning: the {what}: {problem}. Going on all the same."
    ));
    Ok(shape::trimmed(text).to_owned())
}

fn refused(what: &str, problem: shape::Problem) -> Explanation {
    Explanation::usage(
        format!("the {what}: {problem}"),
        format!("copy it alone from {DASHBOARD_URL}"),
    )
}

fn checked_redirect(text: &str) -> Result<RedirectUri, Explanation> {
    let fix = format!("use {REDIRECT}");
    let uri: RedirectUri = shape::trimmed(text)
        .parse()
        .map_err(|error| Explanation::usage(format!("the redirect URI: {error}"), fix.as_str()))?;
    spotify::check_redirect(&uri)
        .map_err(|problem| Explanation::usage(format!("the redirect URI {uri}: {problem}"), fix))?;
    if spotify::has_hyphen_bug(&uri) {
        notice(&format!(
            "warning: Spotify is known to refuse loopback paths with a hyphen, such as {uri}."
        ));
    }
    Ok(uri)
}

fn checked_scopes(text: &str) -> Result<Scope, Explanation> {
    let scopes: Scope = text.replace(',', " ").parse().map_err(|error| {
        Explanation::usage(
            format!("{error}"),
            "scopes are words such as user-read-recently-played",
        )
    })?;
    let unknown: Vec<_> = scopes
        .iter()
        .filter(|scope| !spotify::SCOPES.contains(scope))
        .collect();
    if !unknown.is_empty() {
        notice(&format!(
            "warning: Spotify documents no scope {}.",
            unknown.join(", ")
        ));
    }
    Ok(scopes)
}

fn write(answers: &Answers, config: &Path, secret_file: &Path) -> Result<(), Explanation> {
    let failed = |path: &Path, error: std::io::Error| Explanation {
        code: "init_failed",
        what: format!("{} cannot be written: {error}", path.display()),
        safe: "what was there before is as it was".to_owned(),
        fix: "make the folder writable for this user, or name another: --config FILE".to_owned(),
        retry_at: None,
        exit: Exit::Storage,
    };
    if let Some(secret) = &answers.secret {
        let text = Zeroizing::new(format!("{}\n", secret.as_str()));
        files::replace(secret_file, text.as_bytes()).map_err(|error| failed(secret_file, error))?;
    }
    let text = configuration(answers);
    files::replace(config, text.as_bytes()).map_err(|error| failed(config, error))
}

fn configuration(answers: &Answers) -> String {
    let scopes: Vec<_> = answers.scopes.iter().map(quoted).collect();
    let secret = match answers.secret {
        Some(_) => "client_secret_file = \"client-secret\"\n",
        None if answers.secret_in_environment => "# the client secret is in the environment\n",
        None => "# no client secret: this app uses PKCE alone\n",
    };
    format!(
        "# refrain's configuration; `refrain config show` tells every value.\n\
         \n\
         [apps.default]\n\
         client_id = {}\n\
         {secret}\
         # to be registered at {DASHBOARD_URL}, exactly so\n\
         redirect_uri = {}\n\
         scopes = [{}]\n",
        quoted(&answers.client_id),
        quoted(answers.redirect_uri.as_str()),
        scopes.join(", ")
    )
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_answered() {
        let answers = Answers {
            client_id: "a\"b\\c".to_owned(),
            secret: Some(Zeroizing::new("canary".to_owned())),
            secret_in_environment: false,
            redirect_uri: REDIRECT.parse().unwrap(),
            scopes: "streaming user-read-email".parse().unwrap(),
        };
        let text = configuration(&answers);
        assert!(!text.contains("canary"));
        let table: toml::Table = text.parse().unwrap();
        let app = &table["apps"]["default"];
        assert_eq!(app["client_id"].as_str(), Some("a\"b\\c"));
        assert_eq!(app["redirect_uri"].as_str(), Some(REDIRECT));
        assert_eq!(app["scopes"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_redirect_that_spotify_refuses_is_refused() {
        for bad in [
            "localhost",
            "http://localhost:4280/callback",
            "http://nas.lan/cb",
        ] {
            assert!(checked_redirect(bad).is_err(), "{bad}");
        }
        assert!(checked_redirect(" \"http://127.0.0.1:1/callback\" ").is_ok());
    }
}
