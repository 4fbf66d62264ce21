//! Whether the configuration can be read; and when it cannot, the part of it that can.

use std::{collections::BTreeMap, fs, path::Path};

use refrain::config::{Config, ConfigError, Sources};
use toml::{Table, Value};

use super::{Finding, Patient, complaint::NO_APP, files};
use crate::report;

const CHECK: &str = "config";

/// What came of the configuration, what of it can be used, and whether that is everything.
pub(super) fn check(sources: &Sources) -> (Vec<Finding>, Option<Config>, bool) {
    match Config::load_from(sources) {
        Ok(config) => (vec![read(sources, &config)], Some(config), true),
        Err(error) => {
            let rest = salvage(sources);
            (vec![broken(&error)], rest, false)
        }
    }
}

fn read(sources: &Sources, config: &Config) -> Finding {
    let variables = sources
        .env
        .keys()
        .filter(|name| name.starts_with("REFRAIN_"))
        .count();
    let file = sources
        .config_file()
        .map(|(file, _)| file)
        .filter(|file| file.exists());
    let from = match (&file, variables) {
        (Some(file), 0) => format!("read from {}", file.display()),
        (Some(file), _) => format!("read from {} and the environment", file.display()),
        (None, 0) => "there is no configuration file".to_owned(),
        (None, _) => "read from the environment; there is no file".to_owned(),
    };
    if config.apps.is_empty() {
        return Finding::of(CHECK, NO_APP, format!("{from}; it names no app"));
    }
    Finding::ok(CHECK, from)
}

fn broken(error: &ConfigError) -> Finding {
    Finding::error(CHECK, error.code(), report::with_causes(error), error.fix())
}

/// The configuration file and its folder; files of secrets are the key's and the app's affair.
pub(super) fn files(patient: &Patient) -> Vec<Finding> {
    let file = patient
        .sources
        .config_file()
        .map(|(file, _)| file)
        .filter(|file| file.exists());
    let mut findings = Vec::new();
    if let Some(file) = file {
        findings.push(files::written_by_owner(CHECK, &file));
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            findings.push(files::private_folder(CHECK, folder));
        }
    }
    let secrets = patient.config.settings().iter().filter(|setting| {
        let of_app =
            setting.key.starts_with("apps.") && setting.key.ends_with(".client_secret_file");
        of_app || setting.key == "notices.webhook_secret_file" && !setting.value.is_empty()
    });
    for secret in secrets {
        findings.push(files::private("secret", Path::new(&secret.value)));
    }
    findings
}

/// As much as holds without what is broken: first everything but the secrets, then without the apps,
/// then the defaults alone.
///
/// The values go through the environment's door, which leads to the same checks as the file's.
fn salvage(sources: &Sources) -> Option<Config> {
    let file = sources.config_file().map(|(file, _)| file);
    let table: Option<Table> = file
        .as_ref()
        .and_then(|file| fs::read_to_string(file).ok())
        .and_then(|text| text.parse().ok());
    let folder = file.as_deref().and_then(Path::parent);
    let whole = table
        .map(|table| variables(&table, folder))
        .unwrap_or_default();
    let without_apps: BTreeMap<_, _> = whole
        .iter()
        .filter(|(name, _)| !name.starts_with("REFRAIN_APPS_"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // What the server and its messages need is nothing that a check depends on.
    let needed = |name: &str| {
        ["NOTICES", "SERVER", "SESSIONS"]
            .iter()
            .all(|part| !name.starts_with(&format!("REFRAIN_{part}_")))
    };
    let mut without_server = whole.clone();
    without_server.retain(|name, _| needed(name));
    let apps_of_env = |name: &str| !name.starts_with("REFRAIN_APPS_");
    let nothing_of_env = |name: &str| !name.starts_with("REFRAIN_");
    attempt(sources, whole, apps_of_env)
        .or_else(|| {
            attempt(sources, without_server, |name| {
                apps_of_env(name) && needed(name)
            })
        })
        .or_else(|| attempt(sources, without_apps, apps_of_env))
        .or_else(|| attempt(sources, BTreeMap::new(), nothing_of_env))
}

fn attempt(
    sources: &Sources,
    mut env: BTreeMap<String, String>,
    keep: impl Fn(&str) -> bool,
) -> Option<Config> {
    for (name, value) in &sources.env {
        if keep(name) {
            env.insert(name.clone(), value.clone());
        }
    }
    // A file without a value, so that the usual one is not read again.
    env.insert("REFRAIN_CONFIG".to_owned(), "/dev/null".to_owned());
    let sources = Sources {
        file: None,
        env,
        home: sources.home.clone(),
    };
    Config::load_from(&sources).ok()
}

/// The values of a file under the names of their variables, without secrets.
fn variables(table: &Table, folder: Option<&Path>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    gather(&mut variables, "REFRAIN", table, folder);
    variables.retain(|name, _| !name.contains("CLIENT_SECRET"));
    variables
}

fn gather(into: &mut BTreeMap<String, String>, prefix: &str, table: &Table, folder: Option<&Path>) {
    for (key, value) in table {
        let name = format!("{prefix}_{}", key.to_ascii_uppercase().replace('-', "_"));
        match value {
            Value::Table(table) => gather(into, &name, table, folder),
            Value::String(text) => {
                into.insert(name.clone(), absolute(&name, text, folder));
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                into.insert(name, items.join(" "));
            }
            _ => {}
        }
    }
}

/// A relative path means another file when it comes from the environment.
fn absolute(name: &str, text: &str, folder: Option<&Path>) -> String {
    let (scheme, path) = match name {
        "REFRAIN_STORE" => match text.strip_prefix("sqlite:") {
            Some(path) => ("sqlite:", path),
            None => return text.to_owned(),
        },
        "REFRAIN_SEALING_KEY_FILE" => ("", text),
        _ => return text.to_owned(),
    };
    let relative = !path.is_empty() && !path.starts_with(['/', '$', '~']);
    match folder.filter(|_| relative) {
        Some(folder) => format!("{scheme}{}", folder.join(path).display()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_broken_is_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refrain.toml");
        let text = "store = \"sqlite:x.db\"\n[apps.default]\nclient_id = \"abc\"\n\
                    client_secret_file = \"missing\"\nscopes = [\"streaming\", \"user-read-email\"]\n";
        fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file),
            home: Some(folder.path().to_owned()),
            ..Sources::default()
        };
        let (findings, config, whole) = check(&sources);
        assert_eq!(findings[0].code, "secret_file_missing");
        assert!(!whole);
        let config = config.unwrap();
        let store = format!("sqlite:{}", folder.path().join("x.db").display());
        assert_eq!(config.store.to_string(), store);
        let app = config.apps.values().next().unwrap();
        assert_eq!(app.scopes.to_string(), "streaming user-read-email");
    }

    #[test]
    fn a_file_that_is_no_toml_leaves_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refrain.toml");
        fs::write(&file, "store = ").unwrap();
        let sources = Sources {
            file: Some(file),
            home: Some(folder.path().to_owned()),
            ..Sources::default()
        };
        let (findings, config, _) = check(&sources);
        assert_eq!(findings[0].code, "config_syntax");
        assert!(config.is_some());
    }
}
