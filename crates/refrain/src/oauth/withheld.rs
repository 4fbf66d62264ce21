//! A provider's words, made fit to be shown: some quote what they were asked, tokens and all.

use std::fmt;

use zeroize::Zeroizing;

/// So many bytes of a secret in a row are as good as the secret; fewer help nobody.
const PART: usize = 16;

/// What was presented to a provider. None of it stands in what is shown of the answer.
pub struct Withheld(Vec<Zeroizing<String>>);

impl Withheld {
    /// These secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        Self(secrets.map(|it| Zeroizing::new(it.to_owned())).collect())
    }

    /// Text on one line, without control characters and not endless; none of it where it repeats a secret,
    /// or a part of one, whoever has cut it.
    pub fn shown(&self, text: &str, most: usize) -> String {
        // Before it is looked at: a secret with something in between would become whole by this.
        let mut line = text.chars().filter(|c| !c.is_control());
        let shown: String = line.by_ref().take(most).collect();
        // A part that begins in what is shown may end behind it.
        let seen: String = shown.chars().chain(line.take(self.longest())).collect();
        if self.0.iter().any(|secret| repeats(&seen, secret)) {
            return "(withheld: it repeats a secret)".to_owned();
        }
        shown
    }

    fn longest(&self) -> usize {
        let parts = self.0.iter().map(|secret| secret.len().min(PART));
        parts.max().unwrap_or(0)
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Withheld({} secrets)", self.0.len())
    }
}

fn repeats(text: &str, secret: &str) -> bool {
    let (text, secret) = (text.as_bytes(), secret.as_bytes());
    let part = secret.len().min(PART);
    let is_part = |piece: &[u8]| secret.windows(part).any(|it| it == piece);
    text.windows(part).any(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AQDx5f3a-canary-of-a-refresh-token-that-is-rather-long";

    fn shown(text: &str, most: usize) -> String {
        Withheld::new([TOKEN, "short", ""]).shown(text, most)
    }

    #[test]
    fn plain_words_are_shown_on_one_line_and_cut() {
        assert_eq!(shown("a\nb\u{1b}[31mc", 200), "ab[31mc");
        assert_eq!(shown("Refresh token revoked", 7), "Refresh");
        assert_eq!(shown("AQDx5f3a-canary", 200), "AQDx5f3a-canary");
    }

    #[test]
    fn no_part_of_a_secret_is_shown_however_it_is_cut() {
        let withheld = shown(TOKEN, 200);
        assert!(withheld.starts_with("(withheld"));
        for pad in 0..220 {
            let text = format!("{}{TOKEN}", ".".repeat(pad));
            let told = shown(&text, 200);
            assert!(pad >= 200 || told == withheld, "{pad}: {told}");
            assert!(!told.contains("AQD"), "{pad}: {told}");
        }
        let spread: String = TOKEN.chars().flat_map(|c| [c, '\u{7}']).collect();
        let parts = [0..20, 20..TOKEN.len(), 7..30].map(|part| TOKEN.get(part).unwrap());
        for text in parts.into_iter().chain([spread.as_str(), "is short"]) {
            assert_eq!(shown(text, 200), withheld, "{text:?}");
        }
    }
}
