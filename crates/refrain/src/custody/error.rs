//! What can stand in the way of a rotation, a backup or a restore.

use std::{io, path::PathBuf};

use crate::{
    id::GrantName,
    keeper::{Error, Explanation, Kind, Problem},
    seal::KeyFileError,
    store::StoreError,
};

/// Why a rotation, a backup or a restore was not done, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CustodyError {
    /// What can stand in the way of anything.
    #[error(transparent)]
    Refrain(#[from] Error),
    /// Another process changes key or store as a whole.
    #[error("another process is replacing the master key, or restoring the store")]
    Busy,
    /// The key is not in a file that could be replaced.
    #[error("the master key is a systemd credential, which refrain cannot replace")]
    Credential,
    /// An earlier rotation has not come to its end.
    #[error("an earlier rotation of the master key is not finished")]
    Unfinished,
    /// Several machines may have the key file, and the new key is on none of them.
    #[error("no new master key has been prepared")]
    Unprepared,
    /// There is a file of that name.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is no such folder.
    #[error("there is no folder {}", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing in the store.
    #[error("the store {} is empty", path.display())]
    Empty {
        /// The store.
        path: PathBuf,
    },
    /// The file is the store itself, or one that somebody writes.
    #[error("{} is no backup: {why}", path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// In a few words.
        why: &'static str,
    },
    /// A copy that was just made is not what it has to be.
    #[error("the copy {} is not what the store is: {why}", path.display())]
    BadCopy {
        /// The file.
        path: PathBuf,
        /// In a few words.
        why: &'static str,
    },
    /// Some grants of a backup do not open.
    #[error("{} holds grants that do not open: {}", path.display(), listed(grants))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        grants: Vec<(GrantName, String)>,
    },
    /// Somebody has the store open.
    #[error("another process has the store {} open", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{} cannot be {done}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        done: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl From<Problem> for CustodyError {
    fn from(problem: Problem) -> Self {
        Error::from(problem).into()
    }
}

impl From<StoreError> for CustodyError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<KeyFileError> for CustodyError {
    fn from(error: KeyFileError) -> Self {
        Error::from(error).into()
    }
}

impl CustodyError {
    #[cfg(feature = "sqlite")]
    pub(super) fn file(
        path: &std::path::Path,
        done: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, done, source }
    }

    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refrain(error) => error.code(),
            Self::Busy => "custody_busy",
            Self::Credential => "key_credential",
            Self::Unfinished => "rotation_unfinished",
            Self::Unprepared => "rotation_unprepared",
            Self::Exists { .. } => "file_exists",
            Self::Missing { .. } => "file_missing",
            Self::NoFolder { .. } => "no_folder",
            Self::Empty { .. } => "store_empty",
            Self::NoBackup { .. } => "no_backup",
            Self::BadCopy { .. } => "bad_copy",
            Self::Damaged { .. } => "backup_damaged",
            Self::InUse { .. } => "store_in_use",
            Self::File { .. } => "file_io",
        }
    }

    /// What the caller has to do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refrain(error) => error.kind(),
            Self::Busy | Self::InUse { .. } => Kind::TryLater,
            Self::Credential | Self::Unfinished | Self::Unprepared => Kind::Configuration,
            Self::Exists { .. }
            | Self::Missing { .. }
            | Self::NoFolder { .. }
            | Self::Empty { .. }
            | Self::NoBackup { .. } => Kind::Usage,
            Self::BadCopy { .. } | Self::Damaged { .. } | Self::File { .. } => Kind::Storage,
        }
    }

    /// The words for a person.
    pub fn explain(&self) -> Explanation {
        let (safe, fix) = match self {
            Self::Refrain(error) => return error.explain(),
            Self::Busy => ("nothing was changed", "wait for it to end".to_owned()),
            Self::Credential => (
                "nothing was changed",
                "put both keys into the credential, the new one first, restart every process that uses \
                 it, and run `refrain sealing rotate` with sealing.key_file set to a copy of that file"
                    .to_owned(),
            ),
            Self::Unfinished => (
                "nothing was changed; every key that a row names is in the key file",
                "run `refrain sealing rotate` until it says that the old key is gone".to_owned(),
            ),
            Self::Unprepared => (
                "nothing was changed",
                "run `refrain sealing rotate --prepare`, copy the key file to every machine that uses \
                 this database, and run `refrain sealing rotate` again"
                    .to_owned(),
            ),
            Self::Exists { .. } => (
                "nothing was changed",
                "choose another name, or add --force".to_owned(),
            ),
            Self::Missing { .. } => ("nothing was changed", "name a file that exists".to_owned()),
            Self::NoFolder { .. } => (
                "nothing was changed",
                "make that folder, or name a file in another".to_owned(),
            ),
            Self::Empty { .. } => (
                "nothing was changed",
                "log in first, or let `store` name another file".to_owned(),
            ),
            Self::NoBackup { .. } => (
                "nothing was changed",
                "restore a file that `refrain backup` has made".to_owned(),
            ),
            Self::BadCopy { .. } => (
                "the store was not changed, and the copy was removed",
                "try again; if it goes on, look at the disk".to_owned(),
            ),
            Self::Damaged { .. } => (
                "nothing was changed",
                "restore an older backup".to_owned(),
            ),
            Self::InUse { .. } => (
                "nothing was changed",
                "end every program that uses this store, and try again".to_owned(),
            ),
            Self::File { .. } => (
                "the store is as it was, or whole as it was to be",
                "make room, or make the file and its folder accessible, and try again".to_owned(),
            ),
        };
        Explanation {
            code: self.code(),
            what: self.with_cause(),
            safe,
            fix,
            retry_at: None,
        }
    }

    fn with_cause(&self) -> String {
        match self {
            Self::File { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// The first of them; there may be thousands.
fn listed(grants: &[(GrantName, String)]) -> String {
    const SHOWN: usize = 10;
    let mut text = grants
        .iter()
        .take(SHOWN)
        .map(|(name, why)| format!("{name} ({why})"))
        .collect::<Vec<_>>()
        .join(", ");
    if grants.len() > SHOWN {
        text = format!("{text}, and {} more", grants.len() - SHOWN);
    }
    text
}
