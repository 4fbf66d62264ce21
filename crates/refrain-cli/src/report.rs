//! The one place where an error becomes text on standard error and an exit code.

use std::{error::Error, io::IsTerminal as _, io::Write as _, process::ExitCode};

use anstyle::{AnsiColor, Style};
use clap::error::ErrorKind;
use refrain::{Kind, config::ConfigError, custody::CustodyError, time::UnixMillis};
use serde::Serialize;

use crate::telemetry::{self, NOTICE};

/// How the process ends when it did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The API answered with a status of 400 or more.
    Api = 1,
    /// The command was not understood.
    Usage = 2,
    /// The user has to log in again.
    Reauthorize = 3,
    /// Not permitted.
    NotPermitted = 4,
    /// Not now.
    TryLater = 5,
    /// Configuration or key.
    Configuration = 6,
    /// Storage.
    Storage = 7,
    /// Ctrl-C, as a shell has it: 128 and the number of the signal.
    Interrupted = 130,
}

/// Everything a person or a program needs to know about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) what: String,
    /// What is safe, where somebody might worry; empty otherwise.
    pub(crate) safe: String,
    /// What to do.
    pub(crate) fix: String,
    /// When refrain, or whoever asks, tries again.
    pub(crate) retry_at: Option<UnixMillis>,
    /// How the process ends.
    pub(crate) exit: Exit,
}

impl Explanation {
    /// A command line that clap understands and that makes no sense here.
    pub(crate) fn usage(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code: "usage",
            what: what.into(),
            safe: "nothing was changed and nothing was sent".to_owned(),
            fix: fix.into(),
            retry_at: None,
            exit: Exit::Usage,
        }
    }

    /// Ctrl-C: one line.
    pub(crate) fn interrupted(what: impl Into<String>) -> Self {
        Self {
            code: "interrupted",
            what: what.into(),
            safe: String::new(),
            fix: String::new(),
            retry_at: None,
            exit: Exit::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ConfigError> for Explanation {
    fn from(error: ConfigError) -> Self {
        Self {
            code: error.code(),
            what: with_causes(&error),
            safe: "nothing was changed".to_owned(),
            fix: error.fix(),
            retry_at: None,
            exit: Exit::Configuration,
        }
    }
}

impl From<refrain::Error> for Explanation {
    fn from(error: refrain::Error) -> Self {
        Self::of(error.explain(), error.kind())
    }
}

impl From<CustodyError> for Explanation {
    fn from(error: CustodyError) -> Self {
        Self::of(error.explain(), error.kind())
    }
}

impl Explanation {
    /// What the library says, and how the process ends over it.
    pub(crate) fn of(explanation: refrain::Explanation, kind: Kind) -> Self {
        let refrain::Explanation {
            code,
            what,
            safe,
            fix,
            retry_at,
        } = explanation;
        Self {
            code,
            what,
            safe: safe.to_owned(),
            fix,
            retry_at,
            exit: match kind {
                Kind::Usage => Exit::Usage,
                Kind::Reauthorize => Exit::Reauthorize,
                Kind::NotPermitted => Exit::NotPermitted,
                Kind::TryLater => Exit::TryLater,
                Kind::Configuration => Exit::Configuration,
                Kind::Storage => Exit::Storage,
            },
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Says what went wrong, and how the process ends.
pub(crate) fn failure(explanation: &Explanation, json: bool) -> ExitCode {
    tell(explanation, Level::Error, json);
    explanation.exit.into()
}

/// Says what stands in the way of the next time, when this time the job was done.
pub(crate) fn warning(explanation: &Explanation, json: bool) {
    tell(explanation, Level::Warning, json);
}

fn tell(explanation: &Explanation, level: Level, json: bool) {
    if telemetry::is_json() && !json {
        log(explanation, level);
        return;
    }
    let text = render(explanation, level, json);
    // There is nobody left to tell that standard error is closed.
    drop(anstream::stderr().lock().write_all(text.as_bytes()));
}

/// The same as a line of the log.
fn log(explanation: &Explanation, level: Level) {
    let (code, safe, fix) = (explanation.code, &*explanation.safe, &*explanation.fix);
    let retry_at = explanation.retry_at.map(tracing::field::display);
    let what = &explanation.what;
    match level {
        Level::Error => tracing::error!(target: NOTICE, code, safe, fix, retry_at, "{what}"),
        Level::Warning => tracing::warn!(target: NOTICE, code, safe, fix, retry_at, "{what}"),
    }
}

/// Says something to the person who looks on; not a result, so not on standard output.
pub(crate) fn notice(text: &str) {
    if telemetry::is_json() {
        tracing::info!(target: NOTICE, "{text}");
        return;
    }
    let lines: String = text.lines().map(|line| plain(line) + "\n").collect();
    drop(anstream::stderr().lock().write_all(lines.as_bytes()));
}

/// Says what a command waits for, to a person who may wonder.
pub(crate) fn waiting() {
    if std::io::stderr().is_terminal() {
        notice(
            "still waiting for Spotify, or for another refrain that asks it; Ctrl-C ends the waiting",
        );
    }
}

/// Ends a command line that was not understood, or that asked for help.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if asked {
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    // The arguments were not understood, so this one is looked for by hand.
    let json = std::env::args_os().any(|arg| arg == "--json");
    if !json {
        anstream::eprint!("{}", concealed(error.render().ansi().to_string()));
        return Exit::Usage.into();
    }
    let text = concealed(error.render().to_string());
    let first = text.lines().next().unwrap_or_default();
    let explanation = Explanation {
        code: "usage",
        what: first.trim_start_matches("error: ").to_owned(),
        safe: "nothing was changed".to_owned(),
        fix: "see: refrain --help".to_owned(),
        retry_at: None,
        exit: Exit::Usage,
    };
    failure(&explanation, json)
}

/// What was typed is repeated, but nothing that somebody has pasted in the wrong place.
fn concealed(text: String) -> String {
    let arguments = std::env::args_os().map(|it| it.to_string_lossy().into_owned());
    arguments.fold(text, |text, argument| {
        let value = argument.rsplit('=').next().unwrap_or_default();
        if is_like_a_token(value) {
            text.replace(value, "(not shown: it looks like a token)")
        } else {
            text
        }
    })
}

/// Long, and of the letters that tokens and keys have; a path has others.
fn is_like_a_token(value: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    value.len() >= 32 && value.bytes().all(letter) && !value.starts_with("--")
}

/// Whether the job was done.
#[derive(Clone, Copy)]
enum Level {
    Error,
    Warning,
}

fn render(explanation: &Explanation, level: Level, json: bool) -> String {
    if json {
        return render_json(explanation);
    }
    let strong = Style::new().bold();
    let (label, colour) = match level {
        Level::Error => ("error:", AnsiColor::Red.on_default().bold()),
        Level::Warning => ("warning:", AnsiColor::Yellow.on_default().bold()),
    };
    let again = explanation.retry_at.map(|at| at.to_string());
    let lines = [
        (label, colour, Some(&explanation.what)),
        ("safe: ", strong, Some(&explanation.safe)),
        ("do:   ", strong, Some(&explanation.fix)),
        ("again:", strong, again.as_ref()),
    ];
    lines
        .into_iter()
        .filter_map(|(label, style, line)| {
            let line = line.filter(|line| !line.is_empty())?;
            Some(format!("{style}{label}{style:#} {}\n", plain(line)))
        })
        .collect()
}

/// The text without control characters: part of it may come from a file or from the network, and a
/// terminal obeys escape sequences.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[derive(Serialize)]
struct Json<'a> {
    code: &'a str,
    message: &'a str,
    safe: &'a str,
    fix: &'a str,
    /// RFC 3339, or null.
    retry_at: Option<String>,
}

fn render_json(explanation: &Explanation) -> String {
    let json = Json {
        code: explanation.code,
        message: &explanation.what,
        safe: &explanation.safe,
        fix: &explanation.fix,
        retry_at: explanation.retry_at.map(|at| at.to_string()),
    };
    // Texts and an option of one always serialise.
    serde_json::to_string(&json).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Explanation {
        Explanation {
            code: "rate_limited",
            what: "Spotify wants a pause\u{1b}[2J".to_owned(),
            safe: "the refresh token is untouched".to_owned(),
            fix: "wait".to_owned(),
            retry_at: Some(UnixMillis(1_795_000_000_000)),
            exit: Exit::TryLater,
        }
    }

    #[test]
    fn a_person_reads_four_lines() {
        let text =
            anstream::adapter::strip_str(&render(&refused(), Level::Error, false)).to_string();
        assert_eq!(
            text,
            "error: Spotify wants a pause [2J\nsafe:  the refresh token is untouched\n\
             do:    wait\nagain: 2026-11-18T11:06:40Z\n"
        );
    }

    #[test]
    fn an_empty_line_is_left_out() {
        let explanation = Explanation {
            safe: String::new(),
            retry_at: None,
            ..refused()
        };
        assert_eq!(render(&explanation, Level::Error, false).lines().count(), 2);
    }

    #[test]
    fn a_program_reads_one_object() {
        let text = render(&refused(), Level::Error, true);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["code"], "rate_limited");
        assert_eq!(json["retry_at"], "2026-11-18T11:06:40Z");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let codes = [
            Exit::Api,
            Exit::Usage,
            Exit::Reauthorize,
            Exit::NotPermitted,
            Exit::TryLater,
            Exit::Configuration,
            Exit::Storage,
            Exit::Interrupted,
        ]
        .map(|exit| exit as u8);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 130]);
    }
}
