//! A new master key, while everything goes on.
//!
//! 1. The new key comes into the key file, in front of the old one. From here on every process can open
//!    what is sealed with it: whoever meets a key that he lacks reads the file again.
//! 2. The store's key check is sealed with it. From here on it seals what is new.
//! 3. The data keys are sealed anew, each by compare-and-set. What they seal stays as it is, so a refresh
//!    in flight goes on.
//! 4. When nothing names the old key any more, and nothing can still come that does, it leaves the file.
//!
//! Each step finds out for itself how far an earlier run came.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::task::JoinSet;

use crate::{
    config::KeySource,
    custody::CustodyError,
    id::GrantName,
    keeper::{Error, Parts, Problem},
    lifecycle::{Change, GrantRow},
    seal::{Key, KeyFileError, KeyFileLock, KeyId, Keyring, Owner, key_of},
    store::{StoreError, Version, Versioned, Written},
    time::UnixMillis,
};

/// So many rows are read and written together.
const PAGE: u32 = 128;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Put a new key into the key file, and go on sealing with the present one.
    Prepare,
    /// Replace the key by a new one.
    Replace,
    /// Replace the key by one that has been prepared: where several machines have the key file.
    ReplacePrepared,
}

/// What was done, and what is left to do.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The key that seals now.
    pub key: KeyId,
    /// A key that is to seal next, where one is prepared.
    pub next: Option<KeyId>,
    /// Whether a key was made just now.
    pub made: bool,
    /// How many grants were sealed anew.
    pub resealed: u64,
    /// How many grants each key seals.
    pub grants: BTreeMap<String, u64>,
    /// Grants whose data key does not open, and why; they were left as they are.
    pub damaged: Vec<(GrantName, String)>,
    /// Old keys that have left the key file.
    pub retired: Vec<KeyId>,
    /// Old keys that are still in it.
    pub old: Vec<KeyId>,
    /// From when on the next run removes them.
    pub old_until: Option<UnixMillis>,
}

/// Replaces the master key of an open store, or goes on with that.
pub async fn rotate(parts: &Parts, key: &KeySource, step: Step) -> Result<Rotation, CustodyError> {
    let KeySource::File(path) = key else {
        return Err(CustodyError::Credential);
    };
    let lock = KeyFileLock::take(path)?.ok_or(CustodyError::Busy)?;
    let (keyring, made) = match step {
        Step::Prepare => return prepare(parts, &lock).await,
        Step::Replace | Step::ReplacePrepared => new_key(parts, &lock, step).await?,
    };
    let key = keyring.newest();
    move_check(parts, key).await?;
    let (resealed, damaged) = reseal(parts, key).await?;
    let grants = counted(parts).await?;
    let mut rotation = Rotation {
        key: key.id(),
        next: None,
        made,
        resealed,
        grants,
        damaged,
        retired: Vec::new(),
        old: keyring.old(),
        old_until: None,
    };
    retire(parts, &lock, &keyring, &mut rotation).await?;
    Ok(rotation)
}

/// Puts a key into the file that seals nothing yet.
async fn prepare(parts: &Parts, lock: &KeyFileLock) -> Result<Rotation, CustodyError> {
    let keyring = lock.read()?;
    let made = keyring.next().is_none();
    let keyring = if made {
        if !keyring.old().is_empty() || keyring.newest().id() != check_key(parts).await? {
            return Err(CustodyError::Unfinished);
        }
        let keyring = keyring.with_next(fresh(parts)?);
        lock.write(&keyring)?;
        keyring
    } else {
        keyring
    };
    Ok(Rotation {
        key: keyring.newest().id(),
        next: keyring.next(),
        made,
        resealed: 0,
        grants: counted(parts).await?,
        damaged: Vec::new(),
        retired: Vec::new(),
        old: keyring.old(),
        old_until: None,
    })
}

/// The keyring with the key that is to seal in front, in the file; and whether that key is new.
async fn new_key(
    parts: &Parts,
    lock: &KeyFileLock,
    step: Step,
) -> Result<(Keyring, bool), CustodyError> {
    let keyring = lock.read()?;
    let (key, made) = if let Some(next) = keyring.next() {
        let next = keyring.key(next).cloned();
        (next.unwrap_or_else(|| keyring.newest().clone()), false)
    } else if !keyring.old().is_empty() || keyring.newest().id() != check_key(parts).await? {
        return Ok((keyring, false));
    } else if step == Step::ReplacePrepared {
        return Err(CustodyError::Unprepared);
    } else {
        (fresh(parts)?, true)
    };
    let keyring = keyring.with_newest(key);
    lock.write(&keyring)?;
    Ok((keyring, made))
}

fn fresh(parts: &Parts) -> Result<Key, CustodyError> {
    Key::random(parts.random.as_ref()).map_err(|error| KeyFileError::from(error).into())
}

async fn check_key(parts: &Parts) -> Result<KeyId, CustodyError> {
    let Some(identity) = parts.store.identity().await? else {
        return Err(CustodyError::Unfinished);
    };
    Ok(identity.key_check.key_id().map_err(Problem::KeyCheck)?)
}

/// Lets the store name this key as the one that seals.
async fn move_check(parts: &Parts, key: &Key) -> Result<(), CustodyError> {
    while let Some(identity) = parts.store.identity().await? {
        let check = &identity.key_check;
        if check.key_id().map_err(Problem::KeyCheck)? == key.id() {
            break;
        }
        let next = parts
            .sealer
            .reseal_check(check, key, parts.random.as_ref())
            .map_err(Problem::KeyCheck)?;
        if let Written::Durably(_) = parts.store.replace_key_check(check, &next).await? {
            break;
        }
    }
    Ok(())
}

/// Seals every data key with this key; answers how many, and which do not open.
async fn reseal(parts: &Parts, key: &Key) -> Result<(u64, Vec<(GrantName, String)>), CustodyError> {
    let mut resealed = 0;
    let mut damaged = Vec::new();
    let mut skipped = BTreeSet::new();
    loop {
        // Those that do not open come again with every page.
        let most = PAGE.saturating_add(u32::try_from(skipped.len()).unwrap_or(u32::MAX));
        let mut page = parts.store.sealed_otherwise(key.id(), most).await?;
        page.retain(|row| !skipped.contains(row.value.id.as_str()));
        if page.is_empty() {
            return Ok((resealed, damaged));
        }
        let mut writes = JoinSet::new();
        for row in page {
            match change(parts, key, &row) {
                Ok(change) => {
                    let store = Arc::clone(&parts.store);
                    writes.spawn(async move { store.replace(row.version, &change).await });
                }
                Err(why) => {
                    skipped.insert(row.value.id.as_str().to_owned());
                    damaged.push((row.value.name, why));
                }
            }
        }
        resealed += all(writes).await?;
    }
}

/// A row with its data key sealed anew; nothing of the grant changes, so its story gains nothing.
fn change(parts: &Parts, key: &Key, row: &Versioned<GrantRow>) -> Result<Change, String> {
    let read = &row.value;
    let mut row = read.clone();
    let Some(tokens) = &mut row.tokens else {
        return Err("it has no data key".to_owned());
    };
    let random = parts.random.as_ref();
    let sealer = &parts.sealer;
    let resealed = sealer.reseal_data_key(&Owner::of(read), &tokens.data_key, key, random);
    tokens.data_key = resealed.map_err(|error| error.to_string())?;
    Ok(Change {
        row,
        events: Vec::new(),
        forgets: false,
    })
}

/// Waits for writes; one that came too late is made again with the next page.
async fn all(mut writes: JoinSet<Result<Written, StoreError>>) -> Result<u64, CustodyError> {
    let mut done = 0;
    while let Some(written) = writes.join_next().await {
        let Ok(written) = written else { continue };
        done += u64::from(matches!(written?, Written::Durably(Version(_))));
    }
    Ok(done)
}

/// How many grants each key seals: a look at every row.
async fn counted(parts: &Parts) -> Result<BTreeMap<String, u64>, Error> {
    let mut counted = BTreeMap::new();
    let mut after: Option<GrantName> = None;
    loop {
        let page = parts.store.grants(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(counted);
        };
        after = Some(last.value.name.clone());
        for tokens in page.iter().filter_map(|row| row.value.tokens.as_ref()) {
            let key = key_of(&tokens.data_key).map_or_else(|_| String::new(), |id| id.to_string());
            *counted.entry(key).or_default() += 1;
        }
    }
}

/// Removes the old keys from the file once nothing can need them.
async fn retire(
    parts: &Parts,
    lock: &KeyFileLock,
    keyring: &Keyring,
    rotation: &mut Rotation,
) -> Result<(), CustodyError> {
    if rotation.old.is_empty() {
        return Ok(());
    }
    let now = parts.clock.wall();
    let unsettled = match keyring.old_until() {
        Some(until) if until <= now => None,
        known => {
            let found = parts.store.unsettled(now).await?;
            found.map(|found| known.map_or(found, |known| known.min(found)))
        }
    };
    if let Some(until) = unsettled {
        if keyring.old_until() != Some(until) {
            lock.write(&keyring.with_old_until(until))?;
        }
        rotation.old_until = Some(until);
        return Ok(());
    }
    // A last look, now that nothing more can come: whatever came meanwhile is sealed anew.
    let (resealed, damaged) = reseal(parts, keyring.newest()).await?;
    rotation.resealed += resealed;
    rotation.damaged = damaged;
    rotation.grants = counted(parts).await?;
    let names_it = |id: &KeyId| rotation.grants.contains_key(&id.to_string());
    let needed: Vec<_> = rotation.old.iter().copied().filter(names_it).collect();
    let without = keyring.without_old(&needed);
    lock.write(&without)?;
    rotation.retired = keyring.old();
    rotation.retired.retain(|id| !needed.contains(id));
    rotation.old = needed;
    Ok(())
}
