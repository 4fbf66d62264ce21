//! How the demo speaks: story, observed facts with ✓ or ✗, and the table at the end.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use anstyle::{AnsiColor, Style};

use super::Row;
use crate::output;

/// Narrow enough for every terminal.
const WIDTH: usize = 80;
/// So that a person can follow.
const PAUSE: Duration = Duration::from_millis(500);

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const TITLE: Style = AnsiColor::Cyan.on_default().bold();

/// Where everything is said; silent when the table is wanted as JSON.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    silent: bool,
    paced: bool,
}

/// What one scene has observed so far; said at once.
pub(super) struct Notes {
    voice: Voice,
    broken: Vec<String>,
}

impl Voice {
    pub(super) fn new(silent: bool) -> Self {
        let paced = !silent && io::stdout().is_terminal();
        Self { silent, paced }
    }

    pub(super) fn notes(self) -> Notes {
        Notes {
            voice: self,
            broken: Vec::new(),
        }
    }

    /// A title and what it is about, before any scene.
    pub(super) fn opening(self, title: &str, paragraphs: &[&str]) {
        let mut text = format!("\n{BOLD}{title}{BOLD:#}\n");
        for paragraph in paragraphs {
            text.push('\n');
            text.push_str(&wrapped(paragraph, "  ", "  ", Style::new()));
        }
        self.say(&text);
    }

    pub(super) fn scene(self, number: usize, title: &str, story: &str) {
        let title = format!("\n{TITLE}{number:>2}  {title}{TITLE:#}\n");
        self.say(&(title + &wrapped(story, "    ", "    ", Style::new())));
    }

    pub(super) fn table(self, rows: &[Row], seconds: f64) {
        let mut text = format!("\n{BOLD}What was promised, and what was seen{BOLD:#}\n\n");
        let widest = rows.iter().map(|row| row.promise.chars().count()).max();
        let widest = widest.unwrap_or_default();
        let indent = " ".repeat(widest.saturating_add(6));
        for row in rows {
            let (mark, style) = mark(row.holds);
            let first = format!(" {style}{mark}{style:#}  {:widest$}  ", row.promise);
            text.push_str(&wrapped(&row.seen, &first, &indent, DIM));
        }
        let held = rows.iter().filter(|row| row.holds).count();
        let (_, style) = mark(held == rows.len());
        let all = rows.len();
        let sum = format!("\n {style}{held} of {all} promises held{style:#}, in {seconds:.1} s.\n");
        text.push_str(&sum);
        self.say(&text);
    }

    pub(super) fn say(self, text: &str) {
        if !self.silent {
            // Nobody reads any more, or the disk is full; the table is asked about that again.
            drop(output::text(text));
        }
    }

    /// On a terminal, a moment to read.
    pub(super) async fn pause(self) {
        if self.paced {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Notes {
    /// Something observed that nothing depends on.
    pub(super) fn fact(&self, text: &str) {
        let first = format!("    {DIM}·{DIM:#} ");
        self.voice.say(&wrapped(text, &first, "      ", DIM));
    }

    /// Something observed that has to be so.
    pub(super) fn check(&mut self, holds: bool, text: &str) {
        let (mark, style) = mark(holds);
        let first = format!("    {style}{mark}{style:#} ");
        self.voice
            .say(&wrapped(text, &first, "      ", Style::new()));
        if !holds {
            self.broken.push(text.to_owned());
        }
    }

    pub(super) fn into_broken(self) -> Vec<String> {
        self.broken
    }
}

fn mark(holds: bool) -> (char, Style) {
    if holds { ('✓', GOOD) } else { ('✗', BAD) }
}

/// Breaks a text into lines. `first` may hold styles; it is as wide as `rest`.
fn wrapped(text: &str, first: &str, rest: &str, style: Style) -> String {
    let room = WIDTH.saturating_sub(rest.chars().count());
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = if number == 0 { first } else { rest };
        out.extend([indent, &format!("{style}{line}{style:#}\n")]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_a_long_one_stays_whole() {
        let long = "x".repeat(100);
        let text = wrapped(
            &format!("{} {long} end", "word ".repeat(20)),
            "* ",
            "  ",
            Style::new(),
        );
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("* word word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("  word"));
        assert!(lines.contains(&format!("  {long}").as_str()));
        assert_eq!(lines.last(), Some(&"  end"));
    }
}
