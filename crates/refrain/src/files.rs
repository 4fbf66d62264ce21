//! Folders for their owner alone.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

/// Makes a folder, and those above it that are missing, with mode 0700.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}
