//! The master keys and the file they live in.
//!
//! One key a line, `rfmk1_` and 43 characters of base64url; `#` begins a comment. All of them open, so
//! that a key can be replaced while old rows still name its predecessor. The first is the newest; behind
//! one that follows may stand `next` (it will be the newest), or `until` and a time (it goes then).

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
    seal::cipher::{Key, KeyId},
    time::UnixMillis,
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
    others: Vec<Other>,
}

/// A key that opens and does not seal.
#[derive(Debug, Clone)]
struct Other {
    key: Key,
    stay: Stay,
}

/// Why a key that does not seal is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// It will be the newest, once every machine has it.
    Next,
    /// It was the newest; until when something sealed with it may still come.
    Old(Option<UnixMillis>),
}

impl Keyring {
    /// A keyring of one fresh key, on no disk.
    pub fn random(random: &dyn Random) -> Result<Self, crate::random::RandomError> {
        Ok(Self {
            newest: Key::random(random)?,
            others: Vec::new(),
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
            .map_err(|source| match source.kind() {
                // Bytes that are no text.
                io::ErrorKind::InvalidData => KeyFileError::Line {
                    path: path.to_owned(),
                    line: 1,
                },
                _ => io(source),
            })?;
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
            newest: newest.key,
            others: keys.collect(),
        })
    }

    /// Makes a key file with one fresh key; never touches one that is there.
    pub fn create(path: &Path, random: &dyn Random) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let keyring = Self::random(random)?;
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
            file.write_all(keyring.to_text().as_bytes())?;
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

    /// A key by its name.
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        let others = self.others.iter().map(|other| &other.key);
        std::iter::once(&self.newest)
            .chain(others)
            .find(|key| key.id() == id)
    }

    /// The key that is to be the newest, where one has been prepared.
    pub fn next(&self) -> Option<KeyId> {
        let next = self.others.iter().find(|other| other.stay == Stay::Next);
        next.map(|other| other.key.id())
    }

    /// The keys that were the newest once.
    pub fn old(&self) -> Vec<KeyId> {
        let old = self.others.iter().filter(|it| it.stay != Stay::Next);
        old.map(|other| other.key.id()).collect()
    }

    /// Until when the old keys have to stay, where that has been found out.
    pub fn old_until(&self) -> Option<UnixMillis> {
        let until = self.others.iter().map(|other| match other.stay {
            Stay::Old(until) => until,
            Stay::Next => None,
        });
        until.max().flatten()
    }

    /// The same with a key in front; the one that was the newest goes on opening.
    #[must_use]
    pub fn with_newest(&self, key: Key) -> Self {
        let mut others = vec![Other {
            key: self.newest.clone(),
            stay: Stay::Old(None),
        }];
        let rest = self.others.iter().filter(|it| it.key.id() != key.id());
        others.extend(rest.cloned());
        Self {
            newest: key,
            others,
        }
    }

    /// The same with a key that opens here before any machine seals with it.
    #[must_use]
    pub fn with_next(&self, key: Key) -> Self {
        let mut with = self.clone();
        let stay = Stay::Next;
        with.others.push(Other { key, stay });
        with
    }

    /// The same with a time until which the old keys stay.
    #[must_use]
    pub fn with_old_until(&self, until: UnixMillis) -> Self {
        let mut with = self.clone();
        for other in &mut with.others {
            if other.stay != Stay::Next {
                other.stay = Stay::Old(Some(until));
            }
        }
        with
    }

    /// The same without the old keys, but those that are still needed.
    #[must_use]
    pub fn without_old(&self, needed: &[KeyId]) -> Self {
        let mut without = self.clone();
        without
            .others
            .retain(|it| it.stay == Stay::Next || needed.contains(&it.key.id()));
        without
    }

    /// The key file.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it: a text that grows leaves copies of itself behind.
        let mut text = Zeroizing::new(String::with_capacity(1024 + 256 * self.others.len()));
        text.push_str(
            "# refrain's master key. Whoever has this file and the store has the tokens.\n\
             # Without it the store cannot be read, and every user has to log in again.\n",
        );
        let mut line = |key: &Key, note: &str, behind: &str| {
            let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.bytes()));
            let id = key.id().to_string();
            for part in ["# ", &id, note, "\n", PREFIX, &encoded, behind, "\n"] {
                text.push_str(part);
            }
        };
        line(&self.newest, "", "");
        for other in &self.others {
            match other.stay {
                Stay::Next => line(&other.key, ", which comes next", " next"),
                Stay::Old(None) => line(&other.key, ", which is being replaced", ""),
                Stay::Old(Some(until)) => line(
                    &other.key,
                    ", which `refrain sealing rotate` removes once its time has come",
                    &format!(" until {until}"),
                ),
            }
        }
        text
    }
}

fn parse(line: &str) -> Option<Other> {
    let mut words = line.split_ascii_whitespace();
    let encoded = words.next()?.strip_prefix(PREFIX)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
    let stay = match (words.next(), words.next(), words.next()) {
        (None, ..) => Stay::Old(None),
        (Some("next"), None, _) => Stay::Next,
        (Some("until"), Some(time), None) => {
            let until: jiff::Timestamp = time.parse().ok()?;
            Stay::Old(Some(UnixMillis(until.as_millisecond())))
        }
        _ => return None,
    };
    let key = Key::from_bytes(&bytes).ok()?;
    Some(Other { key, stay })
}
