//! `refrain backup`: a copy of the store, of one instant.

use std::{path::Path, sync::Arc};

use refrain::{
    config::{PostgresUrl, StoreLocation},
    custody::{BackedUp, backup},
    time::SystemClock,
    words,
};
use serde::Serialize;
use url::Url;

use crate::{
    args::{BackupArgs, GlobalArgs},
    output,
    report::Explanation,
};

#[derive(Serialize)]
struct Json {
    file: String,
    store: String,
    grants: u64,
    bytes: u64,
    /// What is not in it, and needed to read it.
    key_file: String,
}

pub(super) async fn run(global: &GlobalArgs, args: &BackupArgs) -> Result<(), Explanation> {
    let config = super::load(global)?;
    let StoreLocation::Sqlite(database) = &config.store else {
        return Err(elsewhere(&config.store, &args.file, Tool::Dump));
    };
    let clock = Arc::new(SystemClock::new());
    let done = backup(database, &args.file, args.force, clock).await?;
    let key_file = config.sealing.key.path().display().to_string();
    let store = database.display().to_string();
    if global.json {
        return output::json(&Json {
            file: done.path.display().to_string(),
            store,
            grants: done.grants,
            bytes: done.bytes,
            key_file,
        });
    }
    output::text(&to_text(&done, &store, &key_file))
}

fn to_text(done: &BackedUp, store: &str, key_file: &str) -> String {
    format!(
        "{} of {store} copied to {} ({} KiB), and looked through.\n\
         It does not hold the master key, and cannot be read without it. Keep a copy of {key_file} as well, \
         in another place.\n",
        words::count(done.grants, "grant"),
        done.path.display(),
        done.bytes.div_ceil(1024),
    )
}

/// PostgreSQL's own programs.
#[derive(Clone, Copy)]
pub(super) enum Tool {
    Dump,
    Restore,
}

/// What to run for a store that is not a file. A password is left out: these programs ask for it, or
/// find it in `~/.pgpass`.
pub(super) fn elsewhere(store: &StoreLocation, file: &Path, tool: Tool) -> Explanation {
    let what = "the store is a PostgreSQL database, which its own programs copy";
    let StoreLocation::Postgres(url) = store else {
        return Explanation::usage("this store is no file", "use its own programs");
    };
    let (database, file) = (quoted(&without_password(url)), file.display().to_string());
    let file = quoted(&file);
    let fix = match tool {
        Tool::Dump => format!(
            "run: pg_dump --format=custom --schema=refrain --file={file} {database}   and keep a copy of the \
             key file in another place"
        ),
        Tool::Restore => format!(
            "end every program that uses it, and run: pg_restore --clean --if-exists --single-transaction \
             --dbname={database} {file}   and then, before anything else: refrain restore --mark-only"
        ),
    };
    Explanation::usage(what, fix)
}

/// The address as it is configured, without the password and without options that may hold one.
fn without_password(url: &PostgresUrl) -> String {
    const HARMLESS: [&str; 7] = [
        "host",
        "port",
        "user",
        "dbname",
        "sslmode",
        "sslrootcert",
        "options",
    ];
    let Ok(mut url) = url.expose().parse::<Url>() else {
        return url.to_string();
    };
    // Fails only for an address without a host, which has no password either.
    url.set_password(None).unwrap_or_default();
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| HARMLESS.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url.into()
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_is_copied_by_its_own_program_and_no_password_is_shown() {
        let url =
            "postgres://refrain:canary@db.example:5433/tokens?sslmode=require&sslpassword=canary";
        let store = StoreLocation::Postgres(PostgresUrl::parse(url).unwrap());
        let explanation = elsewhere(&store, Path::new("it's.dump"), Tool::Dump);
        let line = r"run: pg_dump --format=custom --schema=refrain --file='it'\''s.dump' 'postgres://refrain@db.example:5433/tokens?sslmode=require'";
        assert!(explanation.fix.contains(line), "{}", explanation.fix);
        let explanation = elsewhere(&store, Path::new("x"), Tool::Restore);
        assert!(explanation.fix.contains("--mark-only"));
        assert!(!format!("{explanation:?}").contains("canary"));
    }
}
