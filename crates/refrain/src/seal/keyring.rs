//! The master keys and the file they live in.
//!
//! One key a line, `rfmk1_` and 43 characters of base64url; `#` begins a comment. The first key seals,
//! all of them open, so that a key can be replaced while old rows still name its predecessor.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    files::private_folder,
    random::Random,
    seal::cipher::{Key, KeyId, SealError, key_of},
    secret::Sealed,
};

const PREFIX: &str = "rfmk1_";
const LONGEST_FILE: u64 = 64 * 1024;

/// The key file is not to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is none.
    #[error("there is no master key at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It could not be read or made.
    #[error("the master key {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others on this machine can read it.
    #[error("the master key {} can be read by others (mode {mode:03o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds something else than keys.
    #[error("line {line} of {} is not a master key", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// It holds no key at all.
    #[error("{} holds no master key", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A new key could not be made.
    #[error(transparent)]
    Random(#[from] crate::random::RandomError),
}

impl KeyFileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "key_file_missing",
            Self::Io { .. } => "key_file_io",
            Self::Open { .. } => "key_file_mode",
            Self::Line { .. } => "key_file_line",
            Self::Empty { .. } => "key_file_empty",
            Self::Random(_) => "no_randomness",
        }
    }

    /// What to do.
    pub fn fix(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "put the key file back, or point sealing.key_file at it".to_owned()
            }
            Self::Io { .. } => "make the file and its folder accessible for this user".to_owned(),
            Self::Open { path, .. } => format!("run `chmod 600 {}`", path.display()),
            Self::Line { .. } | Self::Empty { .. } => "restore the key file from a copy".to_owned(),
            Self::Random(_) => "the operating system's random generator fails".to_owned(),
        }
    }
}

/// The master keys; the newest first.
#[derive(Debug, Clone)]
pub struct Keyring {
    newest: Key,
    older: Vec<Key>,
}

impl Keyring {
    /// A keyring of one fresh key, on no disk.
    pub fn random(random: &dyn Random) -> Result<Self, crate::random::RandomError> {
        Ok(Self {
            newest: Key::random(random)?,
            older: Vec::new(),
        })
    }

    /// Reads a key file; refuses one that others can read.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let file = fs::File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing {
                path: path.to_owned(),
            },
            _ => io(source),
        })?;
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::with_capacity(4096));
        file.take(LONGEST_FILE)
            .read_to_string(&mut text)
            .map_err(io)?;
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = parse(line).ok_or_else(|| KeyFileError::Line {
                path: path.to_owned(),
                line: number + 1,
            })?;
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let newest = keys.next().ok_or_else(|| KeyFileError::Empty {
            path: path.to_owned(),
        })?;
        Ok(Self {
            newest,
            older: keys.collect(),
        })
    }

    /// Makes a key file with one fresh key; never touches one that is there.
    pub fn create(path: &Path, random: &dyn Random) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let keyring = Self::random(random)?;
        let text = Zeroizing::new(format!(
            "# refrain's master key {}. Whoever has this file and the store has the tokens.\n\
             # Without it the store cannot be read, and every user has to log in again.\n\
             {PREFIX}{}\n",
            keyring.newest.id(),
            Zeroizing::new(URL_SAFE_NO_PAD.encode(keyring.newest.bytes())).as_str(),
        ));
        if let Some(folder) = path.parent() {
            private_folder(folder).map_err(io)?;
        }
        // Written aside and linked into place: a crash leaves no half key, and of two processes that
        // make one at the same time exactly one succeeds.
        let aside = path.with_extension(format!("new-{}", keyring.newest.id()));
        let written = (|| {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&aside, path)?;
            if let Some(folder) = path.parent() {
                fs::File::open(folder)?.sync_all()?;
            }
            Ok(())
        })();
        let removed = fs::remove_file(&aside);
        written.map_err(io)?;
        removed.map_err(io)?;
        Ok(keyring)
    }

    /// The key that new data is sealed with.
    pub fn newest(&self) -> &Key {
        &self.newest
    }

    /// The key that a ciphertext names; no other is tried.
    pub fn named(&self, sealed: &Sealed) -> Result<&Key, SealError> {
        let expected = key_of(sealed)?;
        self.ids()
            .find(|(id, _)| *id == expected)
            .map(|(_, key)| key)
            .ok_or(SealError::UnknownKey { expected })
    }

    fn ids(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        std::iter::once(&self.newest)
            .chain(&self.older)
            .map(|key| (key.id(), key))
    }
}

fn parse(line: &str) -> Option<Key> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(line.strip_prefix(PREFIX)?).ok()?);
    Key::from_bytes(&bytes).ok()
}
