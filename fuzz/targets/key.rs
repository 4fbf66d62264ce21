//! An API key: what is read as one is written the same, and nothing of it stands in an error.

#![no_main]

use refrain::access::ApiKey;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match ApiKey::parse(text) {
        Ok(key) => {
            assert_eq!(key.expose(), text);
            assert!(text.contains(key.id().as_str()));
            assert!(!format!("{key:?}").contains(text));
        }
        // Shorter ones are found in the words themselves.
        Err(error) if text.len() >= 40 && text.starts_with("rfk_") => {
            assert!(!format!("{error} {error:?}").contains(text));
        }
        Err(_) => {}
    }
});
