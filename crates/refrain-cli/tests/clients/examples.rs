//! The examples in Python and Node, by their own commands.

use crate::{example::Example, program::installed};

/// Runs one to its end, which comes after this line.
fn run(name: &str, last: &str) -> String {
    let variables = [("EXAMPLE_CLIENTS", &*installed())];
    let mut example = Example::start(name, env!("CARGO_BIN_EXE_refrain"), &variables);
    example.says(last);
    let (status, said) = example.end();
    assert_eq!(status, Some(0), "{said}");
    said
}

#[test]
fn the_python_example_puts_what_was_played_most_into_a_playlist() {
    let said = run("python", "in the playlist Most played of late (new");
    assert!(said.contains("17 × Simulated Track"), "{said}");
}

#[test]
fn the_node_example_tells_what_was_played_last() {
    let said = run("node", "You listen most to: Simulated Artist");
    assert_eq!(
        said.matches("Simulated Artist – Simulated Track").count(),
        10
    );
}
