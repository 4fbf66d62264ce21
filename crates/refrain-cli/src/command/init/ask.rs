//! The questions on a terminal; a wrong answer is explained and asked for again.

use dialoguer::{Input, Password};
use refrain::provider::spotify::DASHBOARD_URL;
use zeroize::Zeroizing;

use super::{
    Answers, InitArgs, REDIRECT, checked_id, checked_redirect, checked_scopes, checked_secret,
    given_secret,
};
use crate::report::{Explanation, notice};

/// Scopes that read and change nothing: a start that most programs can live with.
pub(super) const SCOPES: &str = "user-read-private user-read-recently-played";

pub(super) fn answers(args: &InitArgs, in_environment: bool) -> Result<Answers, Explanation> {
    if args.client_id.is_none() {
        notice(&format!(
            "Make an app, or open yours, at {DASHBOARD_URL}. Its settings show the client id and the \
             client secret."
        ));
    }
    let client_id = match &args.client_id {
        Some(id) => checked_id(id)?,
        None => again(|| checked_id(&line("Client id", None)?))?,
    };
    let secret = match given_secret(args)? {
        Some(secret) => Some(checked_secret(&secret, &client_id)?),
        None if in_environment => None,
        None => again(|| ask_secret(&client_id))?,
    };
    let redirect_uri = match &args.redirect_uri {
        Some(uri) => checked_redirect(uri)?,
        None => again(|| checked_redirect(&line("Redirect URI", Some(REDIRECT))?))?,
    };
    let scopes = if args.scopes.is_empty() {
        again(|| checked_scopes(&line("Scopes", Some(SCOPES))?))?
    } else {
        checked_scopes(&args.scopes.join(" "))?
    };
    Ok(Answers {
        client_id,
        secret,
        secret_in_environment: in_environment,
        redirect_uri,
        scopes,
    })
}

fn ask_secret(client_id: &str) -> Result<Option<Zeroizing<String>>, Explanation> {
    let prompt = "Client secret (empty for an app without one; it is not shown)";
    let secret = Password::new()
        .with_prompt(prompt)
        .allow_empty_password(true)
        .interact();
    let secret = Zeroizing::new(secret.map_err(|error| stopped(&error))?);
    if secret.trim().is_empty() {
        return Ok(None);
    }
    checked_secret(&secret, client_id).map(Some)
}

fn line(prompt: &str, default: Option<&str>) -> Result<String, Explanation> {
    let input = Input::<String>::new().with_prompt(prompt);
    let input = match default {
        Some(default) => input.default(default.to_owned()),
        None => input,
    };
    input.interact_text().map_err(|error| stopped(&error))
}

/// Asks until the answer makes sense or the user gives up.
fn again<T>(ask: impl Fn() -> Result<T, Explanation>) -> Result<T, Explanation> {
    loop {
        match ask() {
            Err(problem) if problem.code == "usage" => {
                notice(&format!("{}; {}", problem.what, problem.fix));
            }
            answer => return answer,
        }
    }
}

fn stopped(_: &dialoguer::Error) -> Explanation {
    Explanation::interrupted("interrupted: nothing was written")
}
