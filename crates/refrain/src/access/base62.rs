//! Digits of the alphabet `[0-9A-Za-z]`, which a double click selects as one word.

use zeroize::Zeroizing;

use crate::random::{self, Random, RandomError};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends so many random digits. Each is as likely as every other: of the 64 values that six bits have,
/// the two for which there is no digit are drawn again.
pub(crate) fn draw(
    text: &mut String,
    digits: usize,
    random: &dyn Random,
) -> Result<(), RandomError> {
    let mut missing = digits;
    while missing > 0 {
        let bytes = Zeroizing::new(random::bytes::<32>(random)?);
        let drawn = bytes
            .iter()
            .filter_map(|byte| digit(byte & 63))
            .take(missing);
        for digit in drawn {
            text.push(digit);
            missing -= 1;
        }
    }
    Ok(())
}

/// Appends a number as six digits, the highest first; 62⁶ is more than 2³².
pub(super) fn append(text: &mut String, number: u32) {
    for power in (0..6).rev() {
        let value = u64::from(number) / 62_u64.pow(power) % 62;
        text.extend(u8::try_from(value).ok().and_then(digit));
    }
}

/// Whether a text has digits alone.
pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn digit(value: u8) -> Option<char> {
    ALPHABET.get(usize::from(value)).copied().map(char::from)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::atomic::{AtomicU8, Ordering},
    };

    use super::*;

    /// Every value of a byte in turn, over and over.
    #[derive(Debug, Default)]
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
            buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }
    }

    #[test]
    fn every_digit_is_as_likely_as_every_other() {
        let mut text = String::new();
        // 256 values without the eight that are drawn again.
        draw(&mut text, 248, &Counting::default()).unwrap();
        let mut counts = HashMap::new();
        for digit in text.chars() {
            *counts.entry(digit).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
        assert!(is_base62(&text));
    }

    #[test]
    fn a_number_has_six_digits() {
        let six = |number| {
            let mut text = String::new();
            append(&mut text, number);
            text
        };
        assert_eq!(six(0), "000000");
        assert_eq!(six(61), "00000z");
        assert_eq!(six(62), "000010");
        assert_eq!(six(u32::MAX), "4gfFC3");
    }
}
