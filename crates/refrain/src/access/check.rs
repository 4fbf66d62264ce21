//! Whether a key that somebody presents is valid.

use crate::{
    access::{KeyHash, KeyRecord, Standing},
    time::UnixMillis,
};

/// Why a key is refused: for logs. Whoever presented it learns only that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No key has this id, or its secret is another.
    Unknown,
    /// Somebody has revoked it.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Refused {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Checks the hash of a presented key against the record that its id leads to. Where there is none, a
/// comparison is made all the same, so that the time tells nobody which ids exist; and only whoever has
/// the secret makes the log say that a key was revoked.
pub fn check(
    record: Option<&KeyRecord>,
    presented: &KeyHash,
    now: UnixMillis,
) -> Result<(), Refused> {
    const NOBODY: KeyHash = KeyHash::from_bytes([0; 32]);
    let same = record.map_or(&NOBODY, |record| &record.hash) == presented;
    match record {
        Some(record) if same => match record.standing(now) {
            Standing::Valid => Ok(()),
            Standing::Expired => Err(Refused::Expired),
            Standing::Revoked => Err(Refused::Revoked),
        },
        _ => Err(Refused::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{ApiKey, Grants, Permissions};
    use crate::{
        random::SystemRandom,
        seal::{DeploymentId, Keyring, Sealer},
    };

    fn sealer() -> Sealer {
        let keyring = Keyring::random(&SystemRandom).unwrap();
        let founded = Sealer::found(keyring, DeploymentId(1), &SystemRandom);
        founded.unwrap().0
    }

    fn record(key: &ApiKey, sealer: &Sealer) -> KeyRecord {
        KeyRecord {
            id: key.id(),
            name: "phone".parse().unwrap(),
            hash: KeyHash::of(key, sealer),
            grants: Grants::All,
            permissions: Permissions::default(),
            rewrite_links: false,
            created_at: UnixMillis(0),
            expires_at: Some(UnixMillis(100)),
            last_used_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_valid_until_it_expires_or_is_revoked() {
        let sealer = sealer();
        let key = ApiKey::random(&SystemRandom).unwrap();
        let record = record(&key, &sealer);
        let presented = KeyHash::of(&key, &sealer);
        let at = |millis| check(Some(&record), &presented, UnixMillis(millis));
        assert_eq!(at(99), Ok(()));
        assert_eq!(at(100), Err(Refused::Expired));
        let revoked = KeyRecord {
            revoked_at: Some(UnixMillis(5)),
            ..record.clone()
        };
        for millis in [0, 99, 100] {
            let refused = check(Some(&revoked), &presented, UnixMillis(millis));
            assert_eq!(refused, Err(Refused::Revoked), "{millis}");
        }
    }

    #[test]
    fn another_secret_another_store_and_no_key_are_all_unknown() {
        let (here, there) = (sealer(), sealer());
        let key = ApiKey::random(&SystemRandom).unwrap();
        let mut record = record(&key, &here);
        let other = KeyHash::of(&ApiKey::random(&SystemRandom).unwrap(), &here);
        let elsewhere = KeyHash::of(&key, &there);
        let now = UnixMillis(0);
        for presented in [other, elsewhere] {
            assert_eq!(check(Some(&record), &presented, now), Err(Refused::Unknown));
        }
        // Not even the hash that stands for no key at all.
        for presented in [KeyHash::of(&key, &here), KeyHash::from_bytes([0; 32])] {
            assert_eq!(check(None, &presented, now), Err(Refused::Unknown));
        }
        // Whoever has not the secret does not make the log tell of the key.
        record.revoked_at = Some(now);
        assert_eq!(check(Some(&record), &other, now), Err(Refused::Unknown));
    }

    #[test]
    fn no_debug_form_shows_a_hash() {
        let key = ApiKey::random(&SystemRandom).unwrap();
        let shown = format!("{:?}", record(&key, &sealer()));
        assert!(shown.contains("KeyHash(redacted)"), "{shown}");
    }
}
