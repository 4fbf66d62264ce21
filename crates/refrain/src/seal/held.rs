//! The keys that a process holds, and how it learns of newer ones while it runs.
//!
//! A master key is replaced under the eyes of running processes. Whoever meets a ciphertext under a key
//! that he does not hold looks at the key file; if it has changed since the last look it is read again.
//! So a forged row costs a `stat` and no more.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use crate::{
    seal::{
        Keyring,
        cipher::{Key, KeyId, SealError, key_of},
    },
    secret::Sealed,
};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Held {
    keys: ArcSwap<Keys>,
    /// Where newer keys are looked for.
    file: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Keys {
    ring: Keyring,
    /// The key that the store's key check names: what is new is sealed with it, in every process alike.
    sealing: KeyId,
    /// What the file was like when it was last looked at.
    stamp: Option<Stamp>,
}

/// What changes with every change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    changed: (i64, i64),
    size: u64,
}

impl Held {
    pub(super) fn new(ring: Keyring, file: Option<PathBuf>) -> Self {
        let sealing = ring.newest().id();
        let keys = Keys {
            ring,
            sealing,
            stamp: None,
        };
        Self {
            keys: ArcSwap::from_pointee(keys),
            file,
        }
    }

    pub(super) fn with_file(self, file: PathBuf) -> Self {
        let file = Some(file);
        Self { file, ..self }
    }

    /// The key that a ciphertext names; no other is tried.
    pub(super) fn named(&self, sealed: &Sealed) -> Result<Key, SealError> {
        let expected = key_of(sealed)?;
        if let Some(key) = self.keys.load().ring.key(expected) {
            return Ok(key.clone());
        }
        self.look_again();
        let keys = self.keys.load();
        let key = keys.ring.key(expected).cloned();
        key.ok_or(SealError::UnknownKey { expected })
    }

    /// The key that seals what is new.
    pub(super) fn sealing(&self) -> Key {
        let keys = self.keys.load();
        let key = keys.ring.key(keys.sealing);
        key.unwrap_or_else(|| keys.ring.newest()).clone()
    }

    /// Seals with this key from now on.
    pub(super) fn follow(&self, key: KeyId) {
        if self.keys.load().sealing != key {
            self.keys.rcu(|keys| Keys {
                sealing: key,
                ..Keys::clone(keys)
            });
        }
    }

    fn look_again(&self) {
        let Some(file) = &self.file else { return };
        // Before the file is read: a change in between is seen at the next look.
        let stamp = Stamp::of(file);
        if stamp.is_none() || stamp == self.keys.load().stamp {
            return;
        }
        match Keyring::read(file) {
            Ok(ring) => {
                let ring = Arc::new(ring);
                self.keys.rcu(|keys| Keys {
                    ring: Keyring::clone(&ring),
                    stamp,
                    sealing: keys.sealing,
                });
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "the key file cannot be read again");
                self.keys.rcu(|keys| Keys {
                    stamp,
                    ..Keys::clone(keys)
                });
            }
        }
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        })
    }
}
