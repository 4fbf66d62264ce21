//! Puts folders in for the variables that a path may begin with.

use std::path::{Path, PathBuf};

use super::{
    error::ConfigError,
    key::Key,
    source::{Source, Sources},
};

/// Turns a path as it was written into one that can be opened.
///
/// `$NAME` and `${NAME}` stand for the home folder and the XDG base directories, `~/` for the home
/// folder. A relative path in a file is relative to the folder of that file, so that it means the same
/// wherever refrain is started.
pub(super) fn path(
    sources: &Sources,
    key: &Key,
    text: &str,
    at: &Source,
) -> Result<PathBuf, ConfigError> {
    let path = match variable(text) {
        Some((name, rest)) => under(sources, key, name, rest, at)?,
        None => PathBuf::from(text),
    };
    if path.as_os_str().is_empty() {
        return Err(ConfigError::Invalid {
            at: at.clone(),
            key: key.to_string(),
            example: key.example(at),
            source: "it is empty".into(),
        });
    }
    let folder = match at {
        Source::File { path, .. } => path.parent(),
        Source::Environment { .. } | Source::Default => None,
    };
    Ok(folder.map_or_else(|| path.clone(), |folder| folder.join(&path)))
}

fn under(
    sources: &Sources,
    key: &Key,
    name: &str,
    rest: &str,
    at: &Source,
) -> Result<PathBuf, ConfigError> {
    if !["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"].contains(&name) {
        return Err(ConfigError::UnknownPathVariable {
            at: at.clone(),
            key: key.to_string(),
            variable: name.to_owned(),
        });
    }
    let folder = sources.folder(name).ok_or_else(|| ConfigError::NoHome {
        at: at.clone(),
        key: key.to_string(),
        variable: name.to_owned(),
    })?;
    // Joining an absolute path would replace the folder.
    let rest = rest.trim_start_matches('/');
    Ok(if rest.is_empty() {
        folder
    } else {
        folder.join(Path::new(rest))
    })
}

/// The variable that a path begins with, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix("~/") {
        return Some(("HOME", rest));
    }
    let rest = text.strip_prefix('$')?;
    if let Some(braced) = rest.strip_prefix('{') {
        return braced.split_once('}');
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    Some(rest.split_at(end.unwrap_or(rest.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<PathBuf, &'static str> {
        let env = [("HOME", "/home/u"), ("XDG_DATA_HOME", "/data")];
        let sources = Sources {
            env: env.map(|(k, v)| (k.into(), v.into())).into(),
            ..Sources::default()
        };
        path(&sources, &Key::Store, text, &Source::Default).map_err(|error| error.code())
    }

    #[test]
    fn variables_stand_for_folders() {
        for (text, expected) in [
            ("$XDG_DATA_HOME/r.db", "/data/r.db"),
            ("${XDG_DATA_HOME}/r.db", "/data/r.db"),
            ("$XDG_CONFIG_HOME/x", "/home/u/.config/x"),
            ("$XDG_STATE_HOME/x", "/home/u/.local/state/x"),
            ("$HOME", "/home/u"),
            ("~/x", "/home/u/x"),
            ("/a/$HOME", "/a/$HOME"),
            ("rel/x", "rel/x"),
        ] {
            assert_eq!(expand(text), Ok(expected.into()), "{text}");
        }
        for text in ["$USER/x", "${PWD}/x", "$/x", "$"] {
            assert_eq!(expand(text), Err("config_unknown_path_variable"), "{text}");
        }
        assert_eq!(expand(""), Err("config_invalid_value"));
    }

    #[test]
    fn a_relative_base_directory_is_ignored() {
        let sources = Sources {
            env: [("XDG_DATA_HOME".to_owned(), "data".to_owned())].into(),
            home: Some("/home/u".into()),
            ..Sources::default()
        };
        let found = sources.folder("XDG_DATA_HOME");
        assert_eq!(found, Some("/home/u/.local/share".into()));
    }

    #[test]
    fn a_file_s_relative_path_is_relative_to_the_file() {
        let at = Source::File {
            path: "/etc/refrain/refrain.toml".into(),
            line: 1,
        };
        let path = |text| path(&Sources::default(), &Key::SealingKeyFile, text, &at);
        assert_eq!(path("k").unwrap(), Path::new("/etc/refrain/k"));
        assert_eq!(path("/k").unwrap(), Path::new("/k"));
        assert_eq!(path("$HOME/k").unwrap_err().code(), "config_no_home");
    }
}
