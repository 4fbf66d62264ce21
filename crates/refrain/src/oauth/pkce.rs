//! Proof Key for Code Exchange (RFC 7636), method S256.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    random::{Random, RandomError},
    secret::{AuthorizationState, BrowserSecret, CodeVerifier},
};

fn random_text(random: &dyn Random) -> Result<Box<str>, RandomError> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(bytes.as_mut_slice())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_slice()).into())
}

/// A fresh verifier of 256 random bits, 43 characters (RFC 7636 §4.1).
pub fn code_verifier(random: &dyn Random) -> Result<CodeVerifier, RandomError> {
    random_text(random).map(CodeVerifier::new)
}

/// A fresh `state` of 256 random bits (RFC 6749 §10.12).
pub fn authorization_state(random: &dyn Random) -> Result<AuthorizationState, RandomError> {
    random_text(random).map(AuthorizationState::new)
}

/// Fresh 256 bits for the browser to hold from the request to its answer (RFC 6749 §10.12).
pub fn browser_secret(random: &dyn Random) -> Result<BrowserSecret, RandomError> {
    random_text(random).map(BrowserSecret::new)
}

/// The S256 challenge of a verifier, without padding (RFC 7636 §4.2).
pub fn code_challenge(verifier: &CodeVerifier) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            code_challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn verifiers_are_long_enough_and_never_repeat() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            let verifier = code_verifier(&SystemRandom).unwrap();
            assert_eq!(verifier.expose().len(), 43);
            assert!(seen.insert(code_challenge(&verifier)));
        }
    }
}
