//! Looks for secrets in bytes, whatever they are written as.

use std::collections::HashMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// How much of a secret is enough to find it by. Three pieces are looked for, so that one that was cut
/// short is found too.
const PIECE: usize = 18;
/// What the index goes by.
const KEY: usize = 8;

/// A secret, by the name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
}

/// A secret found where it must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: &'static str,
    pub written_as: String,
    pub offset: usize,
}

struct Needle {
    kind: &'static str,
    written_as: String,
    bytes: Vec<u8>,
}

pub struct Scanner {
    needles: Vec<Needle>,
    by_start: HashMap<[u8; KEY], Vec<usize>>,
}

impl Scanner {
    pub fn new(secrets: &[Secret]) -> Self {
        let mut scanner = Self {
            needles: Vec::new(),
            by_start: HashMap::new(),
        };
        for secret in secrets {
            assert!(
                secret.bytes.len() >= PIECE,
                "{} is too short to look for",
                secret.kind
            );
            let last = secret.bytes.len() - PIECE;
            for (from, start) in [("start", 0), ("middle", last / 2), ("end", last)] {
                let piece = &secret.bytes[start..start + PIECE];
                for (encoding, bytes) in encodings(piece) {
                    scanner.add(secret.kind, format!("{encoding}, {from}"), bytes);
                }
            }
        }
        scanner
    }

    fn add(&mut self, kind: &'static str, written_as: String, bytes: Vec<u8>) {
        let start: [u8; KEY] = bytes[..KEY].try_into().unwrap();
        self.by_start
            .entry(start)
            .or_default()
            .push(self.needles.len());
        self.needles.push(Needle {
            kind,
            written_as,
            bytes,
        });
    }

    /// Everything that is found, once for each kind and encoding.
    pub fn scan(&self, haystack: &[u8]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for (offset, window) in haystack.windows(KEY).enumerate() {
            let Some(candidates) = self.by_start.get(window) else {
                continue;
            };
            for needle in candidates.iter().map(|it| &self.needles[*it]) {
                let seen =
                    |it: &Found| it.kind == needle.kind && it.written_as == needle.written_as;
                if haystack[offset..].starts_with(&needle.bytes) && !found.iter().any(seen) {
                    let written_as = needle.written_as.clone();
                    found.push(Found {
                        kind: needle.kind,
                        written_as,
                        offset,
                    });
                }
            }
        }
        found
    }
}

/// Every way to write some bytes that anybody is likely to use.
fn encodings(piece: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("raw".to_owned(), piece.to_vec()),
        ("reversed".to_owned(), piece.iter().rev().copied().collect()),
        (
            "UTF-16".to_owned(),
            piece.iter().flat_map(|byte| [*byte, 0]).collect(),
        ),
        (
            "hex".to_owned(),
            spelled(piece, |byte| format!("{byte:02x}")),
        ),
        (
            "HEX".to_owned(),
            spelled(piece, |byte| format!("{byte:02X}")),
        ),
        (
            "percent".to_owned(),
            spelled(piece, |byte| format!("%{byte:02X}")),
        ),
        (
            "percent, small".to_owned(),
            spelled(piece, |byte| format!("%{byte:02x}")),
        ),
        (
            "bytes".to_owned(),
            spelled(piece, |byte| format!("{byte}, ")),
        ),
    ];
    for phase in 0..3 {
        // As it stands after so many other bytes: the characters that those have a part in are left out,
        // and so are those of an unfinished group at the end.
        let padded: Vec<u8> = std::iter::repeat_n(0, phase)
            .chain(piece.iter().copied())
            .collect();
        let whole = padded.len() / 3 * 3;
        let shared = [0, 2, 3][phase];
        for (name, engine) in [
            ("base64", &STANDARD_NO_PAD),
            ("base64url", &URL_SAFE_NO_PAD),
        ] {
            let text = engine.encode(&padded[..whole]);
            all.push((
                format!("{name}, phase {phase}"),
                text.as_bytes()[shared..].to_vec(),
            ));
        }
    }
    all
}

fn spelled(piece: &[u8], spell: impl Fn(&u8) -> String) -> Vec<u8> {
    piece.iter().map(spell).collect::<String>().into_bytes()
}

#[test]
fn the_scanner_finds_a_planted_secret_in_every_encoding_and_nothing_in_noise() {
    let noise = |seed: u64, length: usize| -> Vec<u8> {
        let mut state = seed;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..length).map(next).collect()
    };
    let text = Secret {
        kind: "text",
        bytes: URL_SAFE_NO_PAD.encode(noise(1, 90)).into_bytes(),
    };
    let key = Secret {
        kind: "key",
        bytes: noise(2, 32),
    };
    let scanner = Scanner::new(&[text.clone(), key.clone()]);
    assert_eq!(scanner.scan(&noise(3, 100_000)), []);
    for secret in [&text, &key] {
        let whole = &secret.bytes;
        let utf16: Vec<u8> = whole.iter().flat_map(|byte| [*byte, 0]).collect();
        let mut plants = vec![
            ("raw", whole.clone()),
            ("reversed", whole.iter().rev().copied().collect()),
            ("UTF-16", utf16),
            ("hex", spelled(whole, |byte| format!("{byte:02x}"))),
            ("HEX", spelled(whole, |byte| format!("{byte:02X}"))),
            ("percent", spelled(whole, |byte| format!("%{byte:02X}"))),
            (
                "percent, small",
                spelled(whole, |byte| format!("%{byte:02x}")),
            ),
            ("bytes", format!("{whole:?}, ").into_bytes()),
            ("raw", whole[..PIECE + 2].to_vec()),
            ("raw", whole[whole.len() - PIECE..].to_vec()),
        ];
        for before in 0..6 {
            let mut padded = noise(4, before);
            padded.extend_from_slice(whole);
            padded.extend(noise(5, before));
            plants.push(("base64", STANDARD_NO_PAD.encode(&padded).into_bytes()));
            plants.push(("base64url", URL_SAFE_NO_PAD.encode(&padded).into_bytes()));
        }
        for (encoding, plant) in plants {
            let mut haystack = noise(6, 1000);
            haystack.extend_from_slice(&plant);
            haystack.extend(noise(7, 1000));
            let found = scanner.scan(&haystack);
            let right = |it: &Found| it.kind == secret.kind && it.written_as.starts_with(encoding);
            assert!(
                found.iter().any(right),
                "{} as {encoding}: {found:?}",
                secret.kind
            );
        }
    }
}
