//! What came of it, and what remains to do at the program that had the token.

use std::path::{Path, PathBuf};

use refrain::{keeper::import::TakenOver, time::UnixMillis, words::consent};
use serde::Serialize;

use crate::{
    output,
    report::{Explanation, notice, plain},
};

/// Who has the token too, and how to end that.
#[derive(Debug)]
pub(super) struct Owner {
    name: &'static str,
    file: PathBuf,
    stop: String,
    mode: u32,
}

#[derive(Serialize)]
struct Json<'a> {
    grant: &'a str,
    source: &'a str,
    account: Option<JsonAccount<'a>>,
    scope: Vec<&'a str>,
    authorized_at: String,
    authorized_at_latest: String,
    reauthorize_by: String,
    reauthorize_by_latest: String,
    replaced: bool,
    again: bool,
    old_owner: &'a str,
}

#[derive(Serialize)]
struct JsonAccount<'a> {
    id: &'a str,
    name: Option<&'a str>,
}

// === impl Owner ===

impl Owner {
    fn new(
        name: &'static str,
        file: PathBuf,
        stop: impl Fn(std::path::Display<'_>) -> String,
    ) -> Self {
        let stop = stop(file.display());
        Self {
            name,
            file,
            stop,
            mode: 0,
        }
    }

    pub(super) fn spotipy(file: PathBuf) -> Self {
        Self::new("spotipy", file, |file| {
            format!(
                "stop the script, have it take its tokens from refrain, and delete {file} and every copy of it"
            )
        })
    }

    pub(super) fn rspotify(file: PathBuf) -> Self {
        Self::new("rspotify", file, |file| {
            format!(
                "stop the program, have it take its tokens from refrain, and delete {file} and every copy of \
                 it"
            )
        })
    }

    pub(super) fn spotify_player(file: PathBuf) -> Self {
        Self::new("spotify_player", file, |file| {
            format!(
                "delete {file}; where spotify_player is to go on, let it sign in again by itself: \
                 spotify_player authenticate"
            )
        })
    }

    pub(super) fn your_spotify(file: PathBuf) -> Self {
        Self::new("your_spotify", file, |file| {
            format!(
                "delete {file}, and either stop your_spotify or sign its user in there again, which gives it \
                 a token of its own"
            )
        })
    }

    pub(super) fn home_assistant(file: PathBuf) -> Self {
        Self::new("Home Assistant", file, |_| {
            "delete the Spotify integration in Home Assistant (Settings, Devices & services), or sign in to \
             it there again, which gives it a token of its own"
                .to_owned()
        })
    }

    pub(super) fn env(variable: &str) -> Self {
        Self::new("the environment", PathBuf::new(), |_| {
            format!(
                "take {variable} out of the environment and of wherever it is set (.env, unit, CI, hosting), \
                 and have the program take its tokens from refrain"
            )
        })
    }

    pub(super) fn stdin() -> Self {
        Self::new("standard input", PathBuf::new(), |_| {
            "delete the other copies of the token, and have the program that used it take its tokens from \
             refrain"
                .to_owned()
        })
    }

    pub(super) fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// How it stops using the token.
    pub(super) fn stop(&self) -> &str {
        &self.stop
    }

    /// Others may have read it for as long as it was there.
    pub(super) fn warn_of_mode(&self) {
        if self.mode & 0o044 != 0 {
            notice(&format!(
                "Other users of this machine may read {} (its mode is {:04o}). If they may have: remove the \
                 app's access at {}, and run `refrain login`.",
                self.file.display(),
                self.mode,
                refrain::provider::spotify::USER_APPS_URL,
            ));
        }
    }
}

/// The result on standard output, and on standard error what remains to do.
pub(super) fn result(
    done: &TakenOver,
    owner: &Owner,
    now: UnixMillis,
    json: bool,
) -> Result<(), Explanation> {
    if let Err(why) = &done.account {
        notice(&format!(
            "Whose it is Spotify's API did not say ({why}); the next login is not checked."
        ));
    }
    let state = if done.replaced {
        "Spotify has replaced the token: what was imported is of no use any more, and whoever presents it \
         again may end the authorization."
    } else {
        "Two programs hold this token now. As soon as Spotify replaces it, one of them locks the other out."
    };
    notice(&format!("{state}\nNow: {}.", owner.stop()));
    if json {
        return output::json(&to_json(done, owner));
    }
    output::text(&to_text(done, owner, now))
}

fn to_json<'a>(done: &'a TakenOver, owner: &'a Owner) -> Json<'a> {
    let consent = &done.consent;
    let latest = consent.latest.unwrap_or(consent.authorized_at);
    Json {
        grant: done.grant.as_str(),
        source: owner.name,
        account: done.account.as_ref().ok().map(|account| JsonAccount {
            id: &account.id,
            name: account.display_name.as_deref(),
        }),
        scope: done.scope.iter().collect(),
        authorized_at: consent.authorized_at.to_string(),
        authorized_at_latest: latest.to_string(),
        reauthorize_by: consent.reauthorize_by.to_string(),
        reauthorize_by_latest: consent.end().to_string(),
        replaced: done.replaced,
        again: done.again,
        old_owner: &owner.stop,
    }
}

fn to_text(done: &TakenOver, owner: &Owner, now: UnixMillis) -> String {
    let scopes = if done.scope.is_empty() {
        "none".to_owned()
    } else {
        done.scope.to_string()
    };
    let whose = done.account.as_ref().ok().map_or_else(String::new, |it| {
        let name = it.display_name.as_ref().unwrap_or(&it.id);
        format!(" as {}", plain(name))
    });
    let begin = if done.again {
        format!("{} was imported before, and works{whose}", done.grant)
    } else {
        format!(
            "{} is imported from {}, and works{whose}",
            done.grant, owner.name
        )
    };
    format!(
        "{begin}\nscopes: {scopes}\nSpotify asks for consent again within {}\nNobody knows the day; after \
         `refrain login {}` it is known.\n",
        consent::end_briefly(&done.consent, now),
        done.grant,
    )
}
