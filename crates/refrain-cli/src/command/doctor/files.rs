//! Modes of files and folders.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use super::{
    Finding,
    complaint::{FILE_MISSING, FILE_MODE, FILE_READABLE, FOLDER_MODE},
};

/// A file that only its owner may open.
pub(super) fn private(check: &'static str, path: &Path) -> Finding {
    judge(check, path, 0o077, "600")
}

/// A file that others may read and not write.
pub(super) fn written_by_owner(check: &'static str, path: &Path) -> Finding {
    let finding = judge(check, path, 0o022, "600");
    if finding.code == "ok" && mode(path).is_some_and(|mode| mode & 0o044 != 0) {
        let detail = format!("{} can be read by other users", path.display());
        return Finding::of(check, FILE_READABLE, detail)
            .by(format!("run: chmod 600 '{}'", path.display()));
    }
    finding
}

/// A folder in which others may change nothing; better, not look either.
pub(super) fn private_folder(check: &'static str, path: &Path) -> Finding {
    // The parent of a name alone.
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let finding = judge(check, path, 0o022, "700");
    if finding.code == "ok" && mode(path).is_some_and(|mode| mode & 0o055 != 0) {
        let shown = path.display();
        let detail = format!("the folder {shown} can be looked into by other users");
        return Finding::of(check, FOLDER_MODE, detail).by(format!("run: chmod 700 '{shown}'"));
    }
    finding
}

fn judge(check: &'static str, path: &Path, forbidden: u32, wanted: &str) -> Finding {
    let shown = path.display();
    match mode(path) {
        None => Finding::of(check, FILE_MISSING, format!("{shown} cannot be looked at")),
        Some(mode) if mode & forbidden != 0 => {
            let detail = format!("other users may open {shown} (mode {:03o})", mode & 0o777);
            Finding::of(check, FILE_MODE, detail).by(format!("run: chmod {wanted} '{shown}'"))
        }
        Some(mode) => Finding::ok(check, format!("{shown} (mode {:03o})", mode & 0o777)),
    }
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_told() {
        let finding = private("store", Path::new("/no/such/file"));
        assert_eq!(finding.code, "file_missing");
    }

    #[test]
    fn a_file_without_a_folder_is_in_this_one() {
        let folder = Path::new("refrain.toml").parent().unwrap();
        let finding = private_folder("store", folder);
        assert_ne!(finding.code, "file_missing", "{}", finding.detail);
    }
}
