//! `refrain restore`: a backup takes the store's place.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use refrain::{
    Refrain,
    config::{Config, StoreLocation},
    custody::{Restoration, Taken, take_over},
    id::{ApiKeyName, GrantName},
    time::SystemClock,
    words,
};
use serde::Serialize;

use super::backup;
use crate::{
    args::{GlobalArgs, RestoreArgs},
    output,
    report::Explanation,
};

/// So many names are told to a person.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Json<'a> {
    store: String,
    /// What was restored; null where the store was only marked.
    file: Option<String>,
    /// Where the store before is kept.
    kept: Option<String>,
    /// Grants that work as before.
    usable: Vec<&'a str>,
    /// Grants that `refrain refresh GRANT` has to try.
    doubtful: Vec<&'a str>,
    /// Grants without a token, or that need a login.
    others: Vec<&'a str>,
    /// API keys that are valid now, unless they have expired; some may have been revoked since.
    keys: Vec<&'a str>,
}

/// What was restored to where.
struct Told<'a> {
    store: String,
    file: Option<&'a Path>,
    kept: Option<PathBuf>,
    taken: Taken,
}

pub(super) async fn run(global: &GlobalArgs, args: &RestoreArgs) -> Result<(), Explanation> {
    let config = super::load(global)?;
    let told = match &args.file {
        Some(file) => restore(&config, file, args.yes).await?,
        None => mark(config).await?,
    };
    if global.json {
        output::json(&told.to_json())
    } else {
        output::text(&told.to_text())
    }
}

async fn restore<'a>(config: &Config, file: &'a Path, yes: bool) -> Result<Told<'a>, Explanation> {
    let StoreLocation::Sqlite(database) = &config.store else {
        return Err(backup::elsewhere(
            &config.store,
            file,
            backup::Tool::Restore,
        ));
    };
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if database.exists() && !yes && !interactive {
        return Err(Explanation::usage(
            format!(
                "there is a store at {}, and nobody to ask",
                database.display()
            ),
            "add --yes to replace it; it is kept under another name",
        ));
    }
    let clock = Arc::new(SystemClock::new());
    let restoration = Restoration::prepare(file, database, &config.sealing.key, clock).await?;
    if let Some(replaced) = restoration.replaces().filter(|_| !yes) {
        confirm(replaced, file, restoration.taken())?;
    }
    let restored = restoration.carry_out().await?;
    Ok(Told {
        store: database.display().to_string(),
        file: Some(file),
        kept: restored.kept,
        taken: restored.taken,
    })
}

/// Marks the grants of a store that other programs have put back.
async fn mark(config: Config) -> Result<Told<'static>, Explanation> {
    let store = config.store.to_string();
    let refrain = Refrain::open_existing(config).await?;
    let parts = refrain.parts();
    let (store_itself, clock) = (parts.store.as_ref(), parts.clock.as_ref());
    let taken = take_over(store_itself, clock, parts.random.as_ref()).await?;
    Ok(Told {
        store,
        file: None,
        kept: None,
        taken,
    })
}

fn confirm(replaced: &Path, file: &Path, taken: &Taken) -> Result<(), Explanation> {
    let all = taken.usable.len() + taken.doubtful.len() + taken.others.len();
    let question = format!(
        "Replace the store {} by {} ({})?",
        replaced.display(),
        file.display(),
        words::count(all as u64, "grant"),
    );
    let answer = dialoguer::Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact();
    match answer {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Explanation::interrupted("nothing was replaced")),
    }
}

// === impl Told ===

impl Told<'_> {
    fn to_json(&self) -> Json<'_> {
        Json {
            store: self.store.clone(),
            file: self.file.map(|file| file.display().to_string()),
            kept: self.kept.as_ref().map(|kept| kept.display().to_string()),
            usable: texts(&self.taken.usable),
            doubtful: texts(&self.taken.doubtful),
            others: texts(&self.taken.others),
            keys: self.taken.keys.iter().map(ApiKeyName::as_str).collect(),
        }
    }

    fn to_text(&self) -> String {
        let Taken {
            usable,
            doubtful,
            others,
            keys,
        } = &self.taken;
        let count = |grants: &[GrantName]| words::count(grants.len() as u64, "grant");
        let mut lines = vec![match self.file {
            Some(file) => format!("{} is restored from {}.", self.store, file.display()),
            None => format!("{} is marked as restored.", self.store),
        }];
        lines.extend(self.kept.as_ref().map(|kept| {
            format!(
                "The store before is kept as {}; remove it when you do not need it.",
                kept.display()
            )
        }));
        lines.push(format!(
            "Working as before: {}{}",
            count(usable),
            named(usable)
        ));
        if !doubtful.is_empty() {
            lines.push(format!(
                "In doubt: {}{}\n\
                 Spotify may have replaced their refresh tokens since the backup, and presenting an old one \
                 can end the authorization, so nothing presents them by itself. For each of them run \
                 `refrain refresh GRANT`; where Spotify refuses, `refrain login GRANT`.",
                count(doubtful),
                named(doubtful)
            ));
        }
        if !others.is_empty() {
            let (count, named) = (count(others), named(others));
            lines.push(format!("Without a token that works: {count}{named}"));
        }
        let signed_out = "Whoever logged out after the backup was made is signed in here again: for them run \
                          `refrain logout GRANT`.";
        lines.push(signed_out.to_owned());
        let sessions = "Every browser that was signed in to a web app or the dashboard has to sign in again, also \
                        where it carries its tokens itself.";
        lines.push(sessions.to_owned());
        if !keys.is_empty() {
            lines.push(format!(
                "API keys: {}{}\n\
                 Those that were revoked after the backup was made are valid again, and newer ones are gone. \
                 Look through `refrain key list`, and for each that nobody should have run \
                 `refrain key revoke NAME`.",
                words::count(keys.len() as u64, "key"),
                named(keys)
            ));
        }
        lines.join("\n") + "\n"
    }
}

fn texts(grants: &[GrantName]) -> Vec<&str> {
    grants.iter().map(GrantName::as_str).collect()
}

fn named<T: ToString>(all: &[T]) -> String {
    let names: Vec<_> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len() {
        0 => ".".to_owned(),
        count if count > SHOWN => {
            format!(": {}, and {} more.", names.join(", "), count - SHOWN)
        }
        _ => format!(": {}.", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_groups_are_counted_and_told_what_to_do() {
        let name = |name: &str| -> GrantName { name.parse().unwrap() };
        let told = Told {
            store: "s".to_owned(),
            file: Some(Path::new("f")),
            kept: Some("k".into()),
            taken: Taken {
                usable: vec![name("alice")],
                doubtful: vec![name("bob"), name("carol")],
                others: vec![],
                keys: vec!["phone".parse().unwrap()],
            },
        };
        let text = told.to_text();
        assert!(
            text.contains("Working as before: 1 grant: alice.\n"),
            "{text}"
        );
        assert!(text.contains("In doubt: 2 grants: bob, carol.\n"), "{text}");
        assert!(text.contains("`refrain refresh GRANT`"), "{text}");
        assert!(text.contains("has to sign in again"), "{text}");
        assert!(text.contains("API keys: 1 key: phone.\n"), "{text}");
        let without = Taken {
            keys: vec![],
            ..told.taken.clone()
        };
        let told = Told {
            taken: without,
            ..told
        };
        assert!(!told.to_text().contains("key list"));
        let many: Vec<_> = (0..12).map(|n| name(&format!("g{n}"))).collect();
        assert!(named(&many).ends_with("g9, and 2 more."));
        assert_eq!(named::<GrantName>(&[]), ".");
    }
}
