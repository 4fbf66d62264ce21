//! Frozen vectors, and every way in which a ciphertext must not open.

use super::*;
use crate::random::SystemRandom;

/// Counts up: the same nonces and keys in every run, for the frozen vectors.
#[derive(Debug)]
struct Counting;

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        for (byte, value) in buffer.iter_mut().zip(0..=u8::MAX) {
            *byte = value;
        }
        Ok(())
    }
}

fn grant() -> GrantId {
    GrantId::parse("grt_000102030405060708090a0b0c0d0e0f").unwrap()
}

/// A login of a grant called `alice`.
fn owner(epoch: Epoch) -> Owner<'static> {
    owner_of(grant(), "alice", epoch)
}

fn owner_of(id: GrantId, name: &str, epoch: Epoch) -> Owner<'static> {
    Owner {
        id: Box::leak(Box::new(id)),
        name: Box::leak(Box::new(name.parse().unwrap())),
        epoch,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn unhex(text: &str) -> Sealed {
    let pairs = text.as_bytes().chunks(2);
    let bytes: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    Sealed::from_bytes(bytes)
}

fn fixed() -> Sealer {
    let keyring = Keyring::random(&Counting).unwrap();
    Sealer::found(keyring, DeploymentId(7), &Counting)
        .unwrap()
        .0
}

/// What version 1 wrote on the day it was frozen; a later version must still open it.
const REFRESH_TOKEN_V1: &str = "01015cf1603d1e361046000102030405060708090a0b0c0d0e0f1011121314151617\
                                df932209f5b1f9c14171362273566fbb46a67052a60c239d6e";

#[test]
fn what_version_1_sealed_still_opens() {
    let (key, _) = fixed().new_data_key(&owner(Epoch(3)), &Counting).unwrap();
    let sealed = key
        .seal(Field::RefreshToken, 5, "AQ-vector", &Counting)
        .unwrap();
    assert_eq!(hex(sealed.as_bytes()), REFRESH_TOKEN_V1);
    let opened = key
        .open(Field::RefreshToken, 5, &unhex(REFRESH_TOKEN_V1))
        .unwrap();
    assert_eq!(opened.as_str(), "AQ-vector");
}

#[test]
fn a_ciphertext_opens_at_its_own_place_alone() {
    let sealer = fixed();
    let (key, sealed_key) = sealer
        .new_data_key(&owner(Epoch(3)), &SystemRandom)
        .unwrap();
    let blob = key
        .seal(Field::RefreshToken, 5, "AQ", &SystemRandom)
        .unwrap();
    let forged = |result: Result<Zeroizing<String>, SealError>| {
        assert!(matches!(result, Err(SealError::Forged)), "{result:?}");
    };
    forged(key.open(Field::RefreshToken, 6, &blob));
    forged(key.open(Field::AccessToken, 5, &blob));
    forged(key.open(Field::Candidate, 5, &blob));
    let other = GrantId::random(&SystemRandom).unwrap();
    for stranger in [
        owner_of(other, "alice", Epoch(3)),
        owner_of(grant(), "bob", Epoch(3)),
        owner(Epoch(4)),
    ] {
        let opened = sealer.open_data_key(&stranger, &sealed_key);
        assert!(matches!(opened, Err(SealError::Forged)), "{opened:?}");
    }
    let elsewhere = Sealer::found(
        Keyring::random(&Counting).unwrap(),
        DeploymentId(8),
        &Counting,
    )
    .unwrap()
    .0;
    let opened = elsewhere.open_data_key(&owner(Epoch(3)), &sealed_key);
    assert!(matches!(opened, Err(SealError::Forged)), "{opened:?}");
}

#[test]
fn every_changed_bit_is_noticed() {
    let (key, _) = fixed()
        .new_data_key(&owner(Epoch(1)), &SystemRandom)
        .unwrap();
    let sealed = key
        .seal(Field::AccessToken, 1, "BQ", &SystemRandom)
        .unwrap();
    for byte in 0..sealed.as_bytes().len() {
        for bit in 0..8 {
            let mut changed = sealed.as_bytes().to_vec();
            changed[byte] ^= 1 << bit;
            let opened = key.open(Field::AccessToken, 1, &Sealed::from_bytes(changed));
            assert!(opened.is_err(), "byte {byte} bit {bit}");
        }
    }
    for length in 0..sealed.as_bytes().len() {
        let cut = Sealed::from_bytes(&sealed.as_bytes()[..length]);
        assert!(key.open(Field::AccessToken, 1, &cut).is_err(), "{length}");
    }
}

#[test]
fn another_master_key_is_named_and_not_tried() {
    let keyring = Keyring::random(&SystemRandom).unwrap();
    let expected = keyring.newest().id();
    let (_, check) = Sealer::found(keyring, DeploymentId(1), &SystemRandom).unwrap();
    let other = Keyring::random(&SystemRandom).unwrap();
    let error = Sealer::open(other, DeploymentId(1), &check).unwrap_err();
    assert!(
        matches!(error, SealError::UnknownKey { expected: it } if it == expected),
        "{error}"
    );
}

#[test]
fn nonces_do_not_repeat() {
    let (key, _) = fixed()
        .new_data_key(&owner(Epoch(1)), &SystemRandom)
        .unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20_000 {
        let sealed = key.seal(Field::AccessToken, 1, "", &SystemRandom).unwrap();
        assert!(seen.insert(sealed.as_bytes()[10..34].to_vec()));
    }
}

#[test]
fn a_key_file_is_private_and_made_once() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/master.key");
    let made = Keyring::create(&path, &SystemRandom).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
        0o700
    );
    assert_eq!(
        Keyring::read(&path).unwrap().newest().id(),
        made.newest().id()
    );
    assert!(Keyring::create(&path, &SystemRandom).is_err());
    assert_eq!(
        Keyring::read(&path).unwrap().newest().id(),
        made.newest().id()
    );
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        Keyring::read(&path),
        Err(KeyFileError::Open { mode: 0o644, .. })
    ));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "# a comment\nrfmk1_short\n").unwrap();
    assert!(matches!(
        Keyring::read(&path),
        Err(KeyFileError::Line { line: 2, .. })
    ));
    std::fs::write(&path, "\n").unwrap();
    assert!(matches!(
        Keyring::read(&path),
        Err(KeyFileError::Empty { .. })
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        Keyring::read(&path),
        Err(KeyFileError::Missing { .. })
    ));
}

#[test]
fn no_error_and_no_debug_form_shows_a_key() {
    let key = Key::random(&Counting).unwrap();
    let shown = format!("{key:?} {:?}", fixed());
    assert!(!shown.contains("000102030405"), "{shown}");
}

#[test]
fn fingerprints_differ_by_store_and_domain() {
    let (one, other) = (fixed(), fixed());
    assert_eq!(one.fingerprint("a", "x"), other.fingerprint("a", "x"));
    assert_ne!(one.fingerprint("a", "x"), one.fingerprint("b", "x"));
    let (elsewhere, _) = Sealer::found(
        Keyring::random(&SystemRandom).unwrap(),
        DeploymentId(7),
        &SystemRandom,
    )
    .unwrap();
    assert_ne!(one.fingerprint("a", "x"), elsewhere.fingerprint("a", "x"));
}

#[test]
fn a_key_file_says_why_each_key_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let made = Keyring::create(&path, &SystemRandom).unwrap();
    let [first, second] = [(), ()].map(|()| Key::random(&SystemRandom).unwrap());
    let lock = KeyFileLock::take(&path).unwrap().unwrap();
    assert!(KeyFileLock::take(&path).unwrap().is_none(), "one at a time");

    let until = crate::time::UnixMillis(1_795_000_000_000);
    let ring = made.with_newest(first.clone()).with_next(second.clone());
    lock.write(&ring.with_old_until(until)).unwrap();
    let read = lock.read().unwrap();
    assert_eq!(read.newest().id(), first.id());
    assert_eq!(read.next(), Some(second.id()));
    assert_eq!(
        (read.old(), read.old_until()),
        (vec![made.newest().id()], Some(until))
    );

    // The prepared key comes to the front once, and what was there goes on opening.
    let next = read.with_newest(second.clone());
    assert_eq!((next.next(), next.old().len()), (None, 2));
    lock.write(&next.without_old(&[first.id()])).unwrap();
    let read = lock.read().unwrap();
    assert_eq!(
        (read.newest().id(), read.old()),
        (second.id(), vec![first.id()])
    );
    assert!(read.key(made.newest().id()).is_none());
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&meta) & 0o777, 0o600);
}

#[test]
fn a_running_process_learns_of_a_new_key_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let ring = Keyring::create(&path, &SystemRandom).unwrap();
    let (_, check) = Sealer::found(ring.clone(), DeploymentId(1), &SystemRandom).unwrap();
    let running = Sealer::open(ring.clone(), DeploymentId(1), &check).unwrap();
    let running = running.reading(path.clone());
    let (_, old) = running
        .new_data_key(&owner(Epoch(1)), &SystemRandom)
        .unwrap();

    let new = Key::random(&SystemRandom).unwrap();
    let resealed = running.reseal_data_key(&owner(Epoch(1)), &old, &new, &SystemRandom);
    let resealed = resealed.unwrap();
    let moved = running.reseal_check(&check, &new, &SystemRandom).unwrap();
    let unknown = running.open_data_key(&owner(Epoch(1)), &resealed);
    assert!(matches!(unknown, Err(SealError::UnknownKey { expected }) if expected == new.id()));
    // A file that is being damaged takes no key away from a process that has it.
    std::fs::write(&path, "rfmk1_gar").unwrap();
    assert!(running.open_data_key(&owner(Epoch(1)), &resealed).is_err());
    running.open_data_key(&owner(Epoch(1)), &old).unwrap();

    let lock = KeyFileLock::take(&path).unwrap().unwrap();
    lock.write(&ring.with_newest(new.clone())).unwrap();
    running.open_data_key(&owner(Epoch(1)), &resealed).unwrap();
    // What it seals goes by the store's key check, and not by the file.
    let sealing = |running: &Sealer| {
        let made = running.new_data_key(&owner(Epoch(2)), &SystemRandom);
        key_of(&made.unwrap().1).unwrap()
    };
    assert_eq!(sealing(&running), ring.newest().id());
    running.follow(&moved).unwrap();
    assert_eq!(sealing(&running), new.id());
    // The pepper stays, and with it every login attempt.
    let later = Sealer::open(lock.read().unwrap(), DeploymentId(1), &moved).unwrap();
    assert_eq!(later.fingerprint("a", "x"), running.fingerprint("a", "x"));
}
