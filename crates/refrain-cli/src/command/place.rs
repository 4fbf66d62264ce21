//! Where the configuration file is, or would be.

use std::path::{Path, PathBuf};

use refrain::config::Sources;

/// The file that is named by `--config`, by `REFRAIN_CONFIG`, or by custom.
pub(super) fn config_file(sources: &Sources) -> Option<PathBuf> {
    let variable = |name: &str| sources.env.get(name).filter(|text| !text.is_empty());
    if let Some(file) = &sources.file {
        return Some(file.clone());
    }
    if let Some(file) = variable("REFRAIN_CONFIG") {
        return Some(file.into());
    }
    // The XDG specification says to ignore a relative path.
    let named = variable("XDG_CONFIG_HOME")
        .map(Path::new)
        .filter(|path| path.is_absolute());
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None => variable("HOME")
            .map(PathBuf::from)
            .or_else(|| sources.home.clone())?
            .join(".config"),
    };
    Some(folder.join("refrain").join("refrain.toml"))
}
