//! Results, on standard output. Whoever reads them may stop at any time: that is not an error.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::report::{Exit, Explanation};

/// Writes text as it is.
pub(crate) fn text(text: &str) -> Result<(), Explanation> {
    write_to(&mut anstream::stdout().lock(), text.as_bytes())
}

/// Writes part of an answer as it is; answers whether anybody still reads.
pub(crate) fn raw(bytes: &[u8]) -> Result<bool, Explanation> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true).map_err(|error| failed(&error)),
    }
}

/// Writes a value as JSON, indented for a person who looks at it.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Explanation> {
    let json = serde_json::to_string_pretty(value).map_err(|error| failed(&error.into()))?;
    text(&(json + "\n"))
}

/// Writes rows under headings.
pub(crate) fn table(
    headings: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Explanation> {
    text(&layout(headings, rows))
}

fn layout(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings.iter().copied());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text: String = table
        .lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n");
    if text.is_empty() {
        text.push('\n');
    }
    text
}

fn write_to(out: &mut impl Write, bytes: &[u8]) -> Result<(), Explanation> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| failed(&error)),
    }
}

fn failed(error: &io::Error) -> Explanation {
    Explanation {
        code: "output_failed",
        what: format!("the result could not be written to standard output: {error}"),
        safe: String::new(),
        fix: "look at where the output is sent to, such as a disk that is full".to_owned(),
        retry_at: None,
        exit: Exit::Storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_is_no_error_and_a_full_disk_is_one() {
        assert!(write_to(&mut Broken(io::ErrorKind::BrokenPipe), b"x").is_ok());
        let error = write_to(&mut Broken(io::ErrorKind::StorageFull), b"x").unwrap_err();
        assert_eq!((error.code, error.exit), ("output_failed", Exit::Storage));
    }

    #[test]
    fn a_table_has_straight_columns_and_no_trailing_space() {
        let rows = [["store", "x"], ["sealing.key_file", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            layout(&["KEY", "VALUE"], rows),
            "KEY               VALUE\nstore             x\nsealing.key_file\n"
        );
    }
}
