//! Folders for their owner alone, and files that are to be gone.

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

/// Removes a file, unless somebody else has.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(all(test, any(feature = "sqlite", feature = "postgres")))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_need_not_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(
            remove(folder.path()).is_err(),
            "no other error is passed over"
        );
    }
}
