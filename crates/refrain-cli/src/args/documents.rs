//! Every command line that the documentation shows is one that is understood.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser as _, error::ErrorKind};

use super::Args;

/// The pages of the repository.
fn pages() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = Vec::new();
    let mut folders = vec![
        (top.clone(), 0),
        (top.join("docs"), 2),
        (top.join("examples"), 2),
    ];
    while let Some((folder, below)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && below > 0 && !path.ends_with("target") {
                folders.push((path, below - 1));
            } else if path.extension().is_some_and(|it| it == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// To be typed as it is.
    Typed,
    /// To be recognised; what it needs may be left out.
    Named,
}

/// The text of shell blocks, and of what is set in code within a line.
fn code(page: &str) -> Vec<(Shown, String)> {
    let mut found = Vec::new();
    for (number, part) in page.split("```").enumerate() {
        if number % 2 == 0 {
            let spans = part.split('`').skip(1).step_by(2);
            found.extend(spans.map(|it| (Shown::Named, it.replace('\n', " "))));
        } else if let Some((kind, lines)) = part.split_once('\n')
            && ["sh", "console"].contains(&kind)
        {
            let lines = lines.replace("\\\n", " ");
            found.extend(lines.lines().map(|it| (Shown::Typed, it.to_owned())));
        }
    }
    found
}

/// What stands behind `refrain` in a line, as a shell would take it apart; nothing where more than one way to
/// write it is shown.
fn arguments(line: &str) -> Option<Vec<String>> {
    let (before, rest) = line.split_once("refrain ")?;
    let begins = before.is_empty() || before.ends_with([' ', '(', '/']);
    // An account of that name, a package, a path: no command line.
    let is_word = [
        "-u ",
        "install ",
        "enable --now ",
        "-t ",
        "-p ",
        "--bin ",
        "cd ",
    ];
    if !begins || is_word.iter().any(|it| before.ends_with(it)) {
        return None;
    }
    let rest = rest.split(['#', '|', '>', '<', ';', '&', ')']).next()?;
    if rest.contains(['[', '…']) || rest.starts_with("COMMAND ") {
        return None;
    }
    let mut arguments = vec!["refrain".to_owned()];
    for (number, part) in rest.split('"').enumerate() {
        if number % 2 == 1 {
            arguments.push(part.to_owned());
        } else {
            arguments.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    Some(arguments)
}

#[test]
fn every_command_line_of_the_documentation_is_understood() {
    let mut count = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        // What was changed speaks of what there is no more.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        for (shown, line) in code(&page) {
            let Some(arguments) = arguments(&line) else {
                continue;
            };
            count += 1;
            if let Err(error) = Args::try_parse_from(&arguments) {
                let short = error.kind() == ErrorKind::MissingRequiredArgument
                    || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
                let fine = error.exit_code() == 0 || (shown == Shown::Named && short);
                assert!(fine, "{}: {line}\n{error}", path.display());
            }
        }
    }
    assert!(count > 60, "{count}");
}
