//! Changing the key file: one at a time, and never half.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::seal::keyring::{KeyFileError, Keyring};

/// The right to change a key file, and to rely on it staying as it is; one process at a time has it.
#[derive(Debug)]
pub struct KeyFileLock {
    /// The file itself, where the configured path is a link to it.
    path: PathBuf,
    _lock: File,
}

impl KeyFileLock {
    /// Takes the lock beside a key file; `None` where another process has it.
    pub fn take(path: &Path) -> Result<Option<Self>, KeyFileError> {
        let error = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing {
                path: path.to_owned(),
            },
            _ => KeyFileError::Io {
                path: path.to_owned(),
                source,
            },
        };
        let path = path.canonicalize().map_err(error)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(beside(&path, ".lock"))
            .map_err(error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        // What a killed process left aside was never the key file.
        fs::remove_file(beside(&path, ".new")).unwrap_or_default();
        Ok(Some(Self { path, _lock: file }))
    }

    /// The keys in the file.
    pub fn read(&self) -> Result<Keyring, KeyFileError> {
        Keyring::read(&self.path)
    }

    /// Replaces the file: whoever reads it finds the old keys or the new ones, whenever the power fails.
    pub fn write(&self, keyring: &Keyring) -> Result<(), KeyFileError> {
        let aside = beside(&self.path, ".new");
        let written = self.write_aside(&aside, keyring);
        if written.is_err() {
            fs::remove_file(&aside).unwrap_or_default();
        }
        written.map_err(|source| KeyFileError::Io {
            path: self.path.clone(),
            source,
        })
    }

    fn write_aside(&self, aside: &Path, keyring: &Keyring) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(aside)?;
        let (old, new) = (fs::metadata(&self.path)?, file.metadata()?);
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Root rotates for a service: the file stays the service's.
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.write_all(keyring.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(aside, &self.path)?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
