//! Bytes as text.

/// Two digits for each byte, in small letters.
pub fn text(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = halves.filter_map(|half| DIGITS.get(usize::from(half)));
    digits.map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(text(&[0, 0x0a, 0xa0, 0xff]), "000aa0ff");
        assert_eq!(text(&[]), "");
    }
}
