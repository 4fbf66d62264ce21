//! Sealing: authenticated encryption of one field of one row, bound to that row's identity.
//!
//! Two layers. The master key, in a file of its own, seals one data key per grant and epoch; the data
//! key seals that grant's tokens. So logging out destroys the data key and with it every copy of the
//! tokens, and a new master key needs the data keys re-sealed and nothing else.
//!
//! Every ciphertext names the key that seals it, and opens only at the deployment, table, row, epoch,
//! number and field that it was sealed for: a row swapped in by hand does not open.

mod cipher;
mod held;
mod key_file;
mod keyring;
mod place;

pub(crate) use cipher::key_of;
pub use cipher::{Key, KeyId, SealError};
pub use key_file::KeyFileLock;
pub use keyring::{KeyFileError, Keyring};
pub use place::{Field, Owner, Place};

use std::path::PathBuf;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    id::{Epoch, GrantId},
    random::{self, Random, RandomError},
    seal::held::Held,
    secret::Sealed,
};

/// A store's own identity: part of everything that is sealed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeploymentId(pub u128);

impl DeploymentId {
    /// A fresh identity.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(u128::from_be_bytes(random::bytes(random)?)))
    }
}

/// The number of the key for what others carry: another number is another key.
const CARRIED_KEY: &str = "1";

/// Seals and opens for one store.
#[derive(Debug)]
pub struct Sealer {
    keys: Held,
    deployment: DeploymentId,
    pepper: Key,
}

/// What a store keeps to recognise its key by: a sealed random value, which is also the pepper of its
/// fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck(pub Sealed);

impl KeyCheck {
    /// The key that the store expects.
    pub fn key_id(&self) -> Result<KeyId, SealError> {
        key_of(&self.0)
    }
}

impl Sealer {
    /// Makes the key check of a new store.
    pub fn found(
        keyring: Keyring,
        deployment: DeploymentId,
        random: &dyn Random,
    ) -> Result<(Self, KeyCheck), SealError> {
        let pepper = Key::random(random)?;
        let place = Place::of_store(deployment, Field::KeyCheck);
        let check = KeyCheck(keyring.newest().seal(&place, pepper.bytes(), random)?);
        Ok((
            Self {
                keys: Held::new(keyring, None),
                deployment,
                pepper,
            },
            check,
        ))
    }

    /// Opens a store's key check: the proof that this keyring is the store's.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] names the key that the store expects.
    pub fn open(
        keyring: Keyring,
        deployment: DeploymentId,
        check: &KeyCheck,
    ) -> Result<Self, SealError> {
        let place = Place::of_store(deployment, Field::KeyCheck);
        let keys = Held::new(keyring, None);
        let key = keys.named(&check.0)?;
        let pepper = Key::from_bytes(&key.open(&place, &check.0)?)?;
        keys.follow(key.id());
        Ok(Self {
            keys,
            deployment,
            pepper,
        })
    }

    /// Looks for keys that it does not hold in this file, so that a process goes on working while the
    /// master key is replaced.
    #[must_use]
    pub fn reading(self, file: PathBuf) -> Self {
        let keys = self.keys.with_file(file);
        Self { keys, ..self }
    }

    /// Seals with the key of this key check from now on: the store says which one it is, whatever order
    /// the key files of several machines have.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] where that key is not at hand.
    pub fn follow(&self, check: &KeyCheck) -> Result<(), SealError> {
        self.keys.follow(self.keys.named(&check.0)?.id());
        Ok(())
    }

    /// The same key check under another master key.
    pub fn reseal_check(
        &self,
        check: &KeyCheck,
        with: &Key,
        random: &dyn Random,
    ) -> Result<KeyCheck, SealError> {
        let place = Place::of_store(self.deployment, Field::KeyCheck);
        let pepper = self.keys.named(&check.0)?.open(&place, &check.0)?;
        Ok(KeyCheck(with.seal(&place, &pepper, random)?))
    }

    /// The same data key under another master key; what it seals stays as it is.
    pub fn reseal_data_key(
        &self,
        owner: &Owner<'_>,
        sealed: &Sealed,
        with: &Key,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let place = Place::of_data_key(self.deployment, owner);
        let key = self.keys.named(sealed)?.open(&place, sealed)?;
        with.seal(&place, &key, random)
    }

    /// A fresh data key for one epoch of one grant, and its sealed form.
    pub fn new_data_key(
        &self,
        owner: &Owner<'_>,
        random: &dyn Random,
    ) -> Result<(DataKey, Sealed), SealError> {
        let key = Key::random(random)?;
        let place = Place::of_data_key(self.deployment, owner);
        let sealed = self.keys.sealing().seal(&place, key.bytes(), random)?;
        Ok((self.data_key(key, owner), sealed))
    }

    /// Opens the data key of one epoch of one grant.
    pub fn open_data_key(&self, owner: &Owner<'_>, sealed: &Sealed) -> Result<DataKey, SealError> {
        let place = Place::of_data_key(self.deployment, owner);
        let bytes = self.keys.named(sealed)?.open(&place, sealed)?;
        Ok(self.data_key(Key::from_bytes(&bytes)?, owner))
    }

    /// Seals a login attempt's verifier.
    pub fn seal_attempt(
        &self,
        attempt: &str,
        text: &str,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let place = Place::of_attempt(self.deployment, attempt);
        self.keys.sealing().seal(&place, text.as_bytes(), random)
    }

    /// Opens a login attempt's verifier.
    pub fn open_attempt(
        &self,
        attempt: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, SealError> {
        let place = Place::of_attempt(self.deployment, attempt);
        text(&self.keys.named(sealed)?.open(&place, sealed)?)
    }

    /// Seals what leaves this store and is brought back by whoever carries it, such as a browser. It opens
    /// beside this very `outside` alone.
    ///
    /// The key comes from what the store's key check seals, and not from the master key itself: that can be
    /// replaced, and what others carry opens as before. As everywhere, the ciphertext names the key.
    pub fn seal_carried(
        &self,
        outside: &str,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let place = Place::of_carried(self.deployment, outside);
        self.carried_key(CARRIED_KEY)?.seal(&place, plain, random)
    }

    /// Opens it.
    pub fn open_carried(
        &self,
        outside: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let place = Place::of_carried(self.deployment, outside);
        self.carried_key(CARRIED_KEY)?.open(&place, sealed)
    }

    fn carried_key(&self, number: &str) -> Result<Key, SealError> {
        let bytes = Zeroizing::new(self.fingerprint("key of what others carry", number));
        Key::from_bytes(bytes.as_slice())
    }

    /// Recognises a secret without keeping it: a keyed hash, different in every store.
    pub fn fingerprint(&self, domain: &str, secret: &str) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail; an all-zero answer would be no secret.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.pepper.bytes()) else {
            return [0; 32];
        };
        mac.update(&(domain.len() as u64).to_be_bytes());
        mac.update(domain.as_bytes());
        mac.update(secret.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn data_key(&self, key: Key, owner: &Owner<'_>) -> DataKey {
        DataKey {
            key,
            deployment: self.deployment,
            grant: owner.id.clone(),
            epoch: owner.epoch,
        }
    }
}

/// The key of one epoch of one grant.
#[derive(Debug)]
pub struct DataKey {
    key: Key,
    deployment: DeploymentId,
    grant: GrantId,
    epoch: Epoch,
}

impl DataKey {
    /// Seals one field; `number` is its generation, minting or fence.
    pub fn seal(
        &self,
        field: Field,
        number: u64,
        text: &str,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        self.key
            .seal(&self.place(field, number), text.as_bytes(), random)
    }

    /// Opens one field.
    pub fn open(
        &self,
        field: Field,
        number: u64,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, SealError> {
        text(&self.key.open(&self.place(field, number), sealed)?)
    }

    fn place(&self, field: Field, number: u64) -> Place {
        Place::of_grant(self.deployment, &self.grant, self.epoch, number, field)
    }
}

fn text(bytes: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, SealError> {
    std::str::from_utf8(bytes)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| SealError::Damaged {
            why: "what was sealed is not text",
        })
}

#[cfg(test)]
mod tests;
