//! A command that is built without the feature has no failpoint in it.

use std::fs;

/// The one list of their names.
const LIST: &str = include_str!("../../../refrain/src/failpoint/points.rs");

fn names() -> Vec<&'static str> {
    let names = LIST.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" = \"")?;
        rest.strip_suffix("\",")
    });
    names.collect()
}

fn holds(binary: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    binary.windows(text.len()).any(|window| window == text)
}

#[test]
fn no_name_of_a_failpoint_is_in_the_command() {
    let names = names();
    assert!(names.len() >= 20, "{names:?}");
    let binary = fs::read(env!("CARGO_BIN_EXE_refrain")).unwrap();
    assert!(
        holds(&binary, "REFRAIN_LOG"),
        "the search finds what is there"
    );
    for text in names
        .into_iter()
        .chain(["REFRAIN_FAILPOINTS", "REFRAIN_TIME_SCALE"])
    {
        assert!(!holds(&binary, text), "{text}");
    }
}
