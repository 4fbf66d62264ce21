//! Makes codes and tokens in the shapes that Spotify's have, and their fingerprints.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// An authorization code: `AQ` and about 400 characters.
pub(crate) fn code() -> String {
    format!("AQ{}", random_text(300))
}

/// A refresh token: `AQ` and 129 characters.
pub(crate) fn refresh_token() -> String {
    let mut text = format!("AQ{}", random_text(97));
    text.truncate(131);
    text
}

/// An access token: `BQ` and 200 characters.
pub(crate) fn access_token() -> String {
    format!("BQ{}", random_text(150))
}

/// An id for `x-request-id` and `sp-trace-id`.
pub(crate) fn trace_id() -> String {
    let mut bytes = [0_u8; 8];
    fill(&mut bytes);
    hex(&bytes)
}

/// A stable account id for a user name.
pub(crate) fn account_id(user: &str) -> String {
    hex(Sha256::digest(format!("account:{user}"))
        .get(..16)
        .unwrap_or_default())
}

/// The short name of a secret: the first eight hex digits of its SHA-256.
///
/// This is what the history and the oracle show in place of tokens, so a test that holds a token
/// can find it there.
pub fn fingerprint(secret: &str) -> String {
    fingerprint_of(secret.as_bytes())
}

/// The same for a body, which need not be text.
pub(crate) fn fingerprint_of(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).get(..4).unwrap_or_default())
}

/// The S256 challenge of a verifier, without padding.
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// True with the given probability.
pub(crate) fn roll(probability: f64) -> bool {
    let mut bytes = [0_u8; 4];
    fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX) < probability
}

fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    fill(&mut buffer);
    URL_SAFE_NO_PAD.encode(buffer)
}

fn fill(bytes: &mut [u8]) {
    // Without entropy the simulator still has to run, but two tokens must never be equal.
    if getrandom::fill(bytes).is_err() {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::digest(next.to_le_bytes());
        for (byte, value) in bytes.iter_mut().zip(digest.iter().cycle()) {
            *byte = *value;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
