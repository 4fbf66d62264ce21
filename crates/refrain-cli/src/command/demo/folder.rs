//! The folder that the demo lives in, and that does not outlive it.

use std::{
    env, fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use crate::report::{Exit, Explanation};

/// A folder for this user alone; dropping it removes it with all that is in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> Result<Self, Explanation> {
        let parent = env::temp_dir();
        // Never one that is there: it could be somebody else's.
        let mut made = Err(std::io::ErrorKind::AlreadyExists.into());
        for number in 0..100 {
            let path = parent.join(format!("refrain-demo-{}-{number}", process::id()));
            made = fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map(|()| path);
            if made.is_ok() {
                break;
            }
        }
        made.map(Self).map_err(|error| Explanation {
            code: "demo_folder",
            what: format!("no folder could be made in {}: {error}", parent.display()),
            safe: "nothing was started".to_owned(),
            fix: "set TMPDIR to a folder that you may write to".to_owned(),
            retry_at: None,
            exit: Exit::Storage,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A database thread that is just closing may still put a file there.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        tracing::warn!("{} could not be removed", self.0.display());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_is_private_and_goes_with_what_is_in_it() {
        let folder = Folder::make().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
