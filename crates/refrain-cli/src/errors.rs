//! `docs/errors.md`, made from the code: what each error says when it is told, the server's table, the
//! doctor's. `REFRAIN_WRITE_DOCS=1 cargo test -p refrain-cli --bin refrain errors` writes it anew.

mod command;
mod library;
mod scan;

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    command::doctor::{Level, complaint},
    generated,
};

/// The page, up to its tables.
const HEAD: &str = include_str!("errors/head.md");

/// One code, as the page has it.
struct Row {
    code: &'static str,
    cells: Vec<String>,
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let library = [
        "code",
        "says, for example",
        "what is safe",
        "what to do",
        "exit",
        "HTTP",
        "again",
    ];
    table(
        &mut page,
        "Grants, keys and the store",
        "What the library reports, and with it the command and the server.",
        &library,
        &library::refrain(),
    );
    table(
        &mut page,
        "Backup, restore, a new master key",
        "What stands in the way of the commands that change store or key as a whole.",
        &[
            "code",
            "says, for example",
            "what is safe",
            "what to do",
            "exit",
        ],
        &library::custody(),
    );
    table(
        &mut page,
        "The server's answers",
        "What the server says of a request, beside what the library reports. Nothing was sent to Spotify, \
         and no token was touched, unless it says otherwise.",
        &["code", "means", "what to do", "HTTP"],
        &server(),
    );
    table(
        &mut page,
        "The server's start",
        "Why `refrain serve` does not start. Nothing was served, and no token was touched.",
        &["code", "says, for example", "what to do", "exit"],
        &library::start(),
    );
    table(
        &mut page,
        "The command",
        "What the command reports of itself.",
        &["code", "means", "what is safe", "what to do", "exit"],
        &command::rows(),
    );
    table(
        &mut page,
        "The doctor",
        "What `refrain doctor` finds, beside codes of the library's; `ok` is its word for what is well. It \
         changes nothing. Exit code 6 where anything fails.",
        &["code", "level", "means", "what to do"],
        &doctor(),
    );
    page
}

fn server() -> Vec<Row> {
    let rows = refrain_server::CODES.iter().map(|it| Row {
        code: it.code,
        cells: [it.means, it.fix, it.status].map(str::to_owned).into(),
    });
    rows.collect()
}

fn doctor() -> Vec<Row> {
    let rows = complaint::ALL.iter().map(|it| {
        let level = match it.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        Row {
            code: it.code,
            cells: [level, it.means, it.fix].map(str::to_owned).into(),
        }
    });
    rows.collect()
}

fn table(page: &mut String, title: &str, words: &str, columns: &[&str], rows: &[Row]) {
    let dashes = vec!["---"; columns.len()].join(" | ");
    write!(
        page,
        "\n## {title}\n\n{words}\n\n| {} |\n| {dashes} |\n",
        columns.join(" | ")
    )
    .unwrap();
    let mut told = BTreeSet::new();
    for row in rows.iter().filter(|row| told.insert(row.code)) {
        let cells = row.cells.iter().map(|cell| cell.replace('|', "\\|"));
        let cells: Vec<_> = cells.collect();
        assert_eq!(cells.len() + 1, columns.len(), "{}", row.code);
        writeln!(page, "| `{}` | {} |", row.code, cells.join(" | ")).unwrap();
    }
}

/// All codes of the page.
fn codes() -> BTreeSet<&'static str> {
    let tables = [
        library::refrain(),
        library::custody(),
        library::start(),
        server(),
        command::rows(),
        doctor(),
    ];
    tables.iter().flatten().map(|row| row.code).collect()
}

#[test]
fn the_page_is_what_the_code_says() {
    generated::check("errors.md", &page());
}

#[test]
fn no_code_is_missing_from_the_page() {
    let listed = codes();
    let emitted = scan::emitted();
    assert!(
        emitted.len() > 120,
        "{}: the sources were not found",
        emitted.len()
    );
    let missing: Vec<_> = emitted
        .iter()
        .filter(|code| !listed.contains(code.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_command_ends_as_the_page_says() {
    for (code, exit) in scan::exits() {
        let row = command::TABLE.iter().find(|row| row.code == code);
        // Some codes of the library's are told by the command too.
        if let Some(row) = row {
            assert_eq!(format!("{:?}", row.exit), exit, "{code}");
        }
    }
}
