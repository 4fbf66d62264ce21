//! Reads the `REFRAIN_…` variables into a layer that lies on top of the file's.

use crate::id::AppName;

use super::{
    error::ConfigError,
    key::{APP_KEYS, AppKey, Key, variable_part},
    layer::{Given, Layer},
    nearest::nearest,
    source::{Source, Sources},
};

const PREFIX: &str = "REFRAIN_";
const APPS_PREFIX: &str = "REFRAIN_APPS_";

/// Variables that others read.
const OTHERS: [&str; 3] = ["REFRAIN_CONFIG", "REFRAIN_LOG", "REFRAIN_LOG_FORMAT"];

/// Reads every variable; `file` says which apps there are already.
pub(super) fn read(sources: &Sources, file: &Layer) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (variable, text) in &sources.env {
        if !variable.starts_with(PREFIX) || is_for_others(variable) {
            continue;
        }
        let source = Source::Environment {
            variable: variable.clone(),
        };
        let key = match Key::fixed().find(|key| key.variable() == *variable) {
            Some(key) => key,
            None => app_key(variable, file)?,
        };
        layer.insert(key, Given::new(text.as_str(), source));
    }
    Ok(layer)
}

fn is_for_others(variable: &str) -> bool {
    // Kubernetes puts REFRAIN_PORT_… and REFRAIN_SERVICE_… into every container beside a service that is
    // called refrain.
    let kubernetes = [
        "REFRAIN_PORT",
        "REFRAIN_SERVICE_HOST",
        "REFRAIN_SERVICE_PORT",
    ];
    OTHERS.contains(&variable)
        || is_for_tests(variable)
        || variable.starts_with("REFRAIN_DEMO_")
        || kubernetes.iter().any(|name| {
            let rest = variable.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
}

#[cfg(feature = "failpoints")]
fn is_for_tests(variable: &str) -> bool {
    crate::failpoint::VARIABLES.contains(&variable)
}

#[cfg(not(feature = "failpoints"))]
fn is_for_tests(_: &str) -> bool {
    false
}

/// Reads `REFRAIN_APPS_<NAME>_<KEY>`.
fn app_key(variable: &str, file: &Layer) -> Result<Key, ConfigError> {
    let (name, key) = split(variable).ok_or_else(|| unknown(variable, file))?;
    // An app of the file has its own spelling of the name; a new one is called as the variable has it.
    let mut same = file
        .apps
        .keys()
        .filter(|app| variable_part(app.as_str()) == name);
    let app = match (same.next(), same.next()) {
        (Some(first), Some(second)) => {
            return Err(ConfigError::AmbiguousApp {
                variable: variable.to_owned(),
                first: first.to_string(),
                second: second.to_string(),
            });
        }
        (Some(app), None) => app.clone(),
        (None, _) => {
            let app: Result<AppName, _> = name.to_ascii_lowercase().parse();
            app.map_err(|_| unknown(variable, file))?
        }
    };
    Ok(Key::App(app, key))
}

fn split(variable: &str) -> Option<(&str, AppKey)> {
    let rest = variable.strip_prefix(APPS_PREFIX)?;
    APP_KEYS.into_iter().find_map(|(name, key)| {
        let app = rest.strip_suffix(&variable_part(name))?.strip_suffix('_')?;
        let upper = !app.is_empty() && !app.bytes().any(|byte| byte.is_ascii_lowercase());
        upper.then_some((app, key))
    })
}

fn unknown(variable: &str, file: &Layer) -> ConfigError {
    let default: Option<AppName> = "default".parse().ok();
    let apps = file.apps.keys().chain(&default).flat_map(|app| {
        APP_KEYS
            .into_iter()
            .map(|(_, key)| Key::App(app.clone(), key))
    });
    let known: Vec<String> = Key::fixed()
        .chain(apps)
        .map(|key| key.variable())
        .chain(OTHERS.map(str::to_owned))
        .collect();
    let nearest = nearest(variable, known.iter().map(String::as_str));
    ConfigError::UnknownVariable {
        variable: variable.to_owned(),
        nearest: nearest.map(str::to_owned),
    }
}
