//! Where values come from, and the little of the process that is looked at to find them.

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
};

/// The variables beside `REFRAIN_…` that mean something here.
const VARIABLES: [&str; 5] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "CREDENTIALS_DIRECTORY",
];

/// What a configuration is read from.
///
/// A parameter, so that a test hands in an environment without touching the one of its process.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that was asked for by name; it must exist.
    pub file: Option<PathBuf>,
    /// The environment; names that mean nothing here are ignored.
    pub env: BTreeMap<String, String>,
    /// The home folder, for where `HOME` is not set.
    pub home: Option<PathBuf>,
}

impl Sources {
    /// The environment of this process.
    pub fn from_process() -> Self {
        let wanted = |name: &str| name.starts_with("REFRAIN_") || VARIABLES.contains(&name);
        let env = env::vars_os()
            .map(|(name, value)| {
                // A value that is not UTF-8 is kept, lossily, so that it is refused and not passed over.
                let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
                (text(name), text(value))
            })
            .filter(|(name, _)| wanted(name))
            .collect();
        Self {
            file: None,
            env,
            home: env::home_dir(),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The file to read, and whether somebody named it.
    pub fn config_file(&self) -> Option<(PathBuf, bool)> {
        if let Some(file) = &self.file {
            return Some((file.clone(), true));
        }
        if let Some(file) = self.variable("REFRAIN_CONFIG") {
            return Some((file.into(), true));
        }
        let folder = self.folder("XDG_CONFIG_HOME")?;
        Some((folder.join("refrain").join("refrain.toml"), false))
    }

    /// The folder that one of the XDG base directory variables names, or its fallback under the home.
    pub(super) fn folder(&self, variable: &str) -> Option<PathBuf> {
        let home = || {
            let named = self.variable("HOME").map(PathBuf::from);
            named.or_else(|| self.home.clone())
        };
        let fallback = match variable {
            "HOME" => return home(),
            "XDG_CONFIG_HOME" => ".config",
            "XDG_DATA_HOME" => ".local/share",
            "XDG_STATE_HOME" => ".local/state",
            _ => return None,
        };
        // The specification says to ignore a relative path here.
        let named = self.variable(variable).map(Path::new);
        match named.filter(|path| path.is_absolute()) {
            Some(path) => Some(path.to_owned()),
            None => Some(home()?.join(fallback)),
        }
    }
}

impl fmt::Debug for Sources {
    /// Names alone: the environment may hold a client secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("env", &self.env.keys())
            .field("home", &self.home)
            .finish()
    }
}

/// Where one value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said otherwise.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
        }
    }
}

/// One value of the configuration, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the file, such as `sealing.key_file`.
    pub key: String,
    /// What it is; `(redacted)` in place of a secret.
    pub value: String,
    /// Who said so.
    pub source: Source,
}
