//! Keys that are frozen: whoever has one today has to get in with it by every later version.

use proptest::prelude::*;

use super::*;
use crate::random::SystemRandom;

/// Made by another program: Python, and the CRC-32 of zlib.
const VALID: [&str; 4] = [
    "rfk_00000000000000000000000000000000000000Vvl6B",
    "rfk_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz11OVpX",
    "rfk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZa2AclrP",
    "rfk_R3fra1nKeysAreShownOnceAndNeverAgain01Xj06f",
];

const INVALID: [(&str, ApiKeyError); 14] = [
    ("", ApiKeyError::Prefix),
    ("rfk", ApiKeyError::Prefix),
    (
        "RFK_00000000000000000000000000000000000000Vvl6B",
        ApiKeyError::Prefix,
    ),
    (
        "rfk-00000000000000000000000000000000000000Vvl6B",
        ApiKeyError::Prefix,
    ),
    (
        " rfk_00000000000000000000000000000000000000Vvl6B",
        ApiKeyError::Prefix,
    ),
    ("rfk_", ApiKeyError::Length { found: 0 }),
    (
        "rfk_0000000000000000000000000000000000000Vvl6B",
        ApiKeyError::Length { found: 42 },
    ),
    (
        "rfk_00000000000000000000000000000000000000Vvl6B\n",
        ApiKeyError::Length { found: 44 },
    ),
    (
        "rfk_äääääääääääääääääääääää",
        ApiKeyError::Length { found: 23 },
    ),
    (
        "rfk_0000000000000000000000000000000000-000Vvl6B",
        ApiKeyError::Alphabet,
    ),
    (
        "rfk_ä0000000000000000000000000000000000000Vvl6B",
        ApiKeyError::Alphabet,
    ),
    (
        "rfk_00000000000000000000000000000000000000Vvl6A",
        ApiKeyError::Checksum,
    ),
    // The checksum is over the prefix too.
    (
        "rfk_00000000000000000000000000000000000003jnQlY",
        ApiKeyError::Checksum,
    ),
    (
        "rfk_R3fra1nKeysAreShownOnceAndNeverAgain10Xj06f",
        ApiKeyError::Checksum,
    ),
];

/// The text with another character at one place.
fn with(text: &str, place: usize, other: char) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    chars[place] = other;
    chars.into_iter().collect()
}

#[test]
fn a_key_of_any_version_is_read() {
    for text in VALID {
        let key = ApiKey::parse(text).unwrap();
        assert_eq!(key.expose(), text);
        let named = format!("rfk_{}", key.id());
        assert!(text.starts_with(&named) && named.len() == 14);
    }
}

#[test]
fn each_way_to_be_wrong_is_told_apart_and_repeats_nothing() {
    for (text, why) in INVALID {
        let error = ApiKey::parse(text).unwrap_err();
        assert_eq!(error, why, "{text}");
        let told = format!("{error} {error:?}");
        for part in text.as_bytes().windows(8) {
            let part = String::from_utf8_lossy(part);
            assert!(!told.contains(part.as_ref()), "{told}");
        }
    }
}

#[test]
fn no_single_character_can_be_mistyped_unnoticed() {
    for text in VALID {
        for (place, right) in text.chars().enumerate() {
            for other in (0..=127).map(char::from).filter(|it| *it != right) {
                let mistyped = with(text, place, other);
                assert!(ApiKey::parse(&mistyped).is_err(), "{mistyped}");
            }
        }
    }
}

#[test]
fn no_two_neighbours_can_change_places_unnoticed() {
    for text in VALID.into_iter().skip(2) {
        let chars: Vec<char> = text.chars().collect();
        for place in 1..chars.len() {
            let (one, other) = (chars[place - 1], chars[place]);
            let swapped = with(&with(text, place - 1, other), place, one);
            assert_eq!(ApiKey::parse(&swapped).is_ok(), one == other, "{swapped}");
        }
    }
}

#[test]
fn a_fresh_key_reads_back_and_matches_the_pattern() {
    let digit = |byte: u8| byte.is_ascii_alphanumeric();
    let mut all = std::collections::HashSet::new();
    for _ in 0..100 {
        let key = ApiKey::random(&SystemRandom).unwrap();
        assert!(ApiKey::parse(key.expose()).unwrap().ct_eq(&key));
        let digits = key.expose().strip_prefix("rfk_").unwrap();
        assert!(digits.len() == 43 && digits.bytes().all(digit));
        assert!(all.insert(key.id()));
    }
    assert_eq!(PATTERN, "rfk_[0-9A-Za-z]{43}");
}

#[test]
fn no_debug_form_shows_a_key() {
    let key = ApiKey::parse(VALID[3]).unwrap();
    assert_eq!(
        format!("{key:?} {key:#?}"),
        "ApiKey(redacted) ApiKey(redacted)"
    );
}

#[test]
fn an_id_is_ten_digits() {
    assert_eq!(
        ApiKeyId::parse("R3fra1nKey").unwrap().as_str(),
        "R3fra1nKey"
    );
    for text in ["", "R3fra1nKe", "R3fra1nKeys", "R3fra1nK-y", "R3fra1nKä"] {
        assert_eq!(ApiKeyId::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_presented_is_read_or_refused(text in "(rfk_)?[0-9A-Za-zä_-]{0,60}") {
        match ApiKey::parse(&text) {
            Ok(key) => prop_assert_eq!(key.expose(), text),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
