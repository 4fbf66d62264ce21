//! Proving a key: does it open this store?

use std::path::Path;

use crate::{
    keeper::Problem,
    seal::{KeyFileError, Keyring, SealError, Sealer},
    store::Identity,
};

/// Opens a store's key check. A key file that does not do is named together with the key that would.
pub(crate) fn prove(
    keyring: Result<Keyring, KeyFileError>,
    looked_in: &Path,
    identity: &Identity,
) -> Result<Sealer, Problem> {
    let (deployment, key_check) = (identity.deployment, &identity.key_check);
    let expected = key_check.key_id().map_err(Problem::KeyCheck)?;
    // Looked for once more: key and store may both have been made, or the key replaced, since the first
    // look.
    let keyring = keyring
        .ok()
        .filter(|keyring| keyring.key(expected).is_some());
    let keyring = keyring.map_or_else(|| Keyring::read(looked_in), Ok);
    let place = looked_in.display().to_string();
    let keyring = keyring.map_err(|error| match error {
        KeyFileError::Missing { .. } => Problem::KeyMissing {
            expected,
            looked_in: place.clone(),
        },
        source => Problem::KeyUnusable { expected, source },
    })?;
    let found = keyring.newest().id();
    let sealer = Sealer::open(keyring, deployment, key_check).map_err(|error| match error {
        SealError::UnknownKey { expected } => Problem::WrongKey {
            expected,
            found,
            looked_in: place,
        },
        error => Problem::KeyCheck(error),
    })?;
    Ok(sealer.reading(looked_in.to_owned()))
}
