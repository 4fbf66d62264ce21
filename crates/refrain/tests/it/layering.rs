//! Inside the library a module uses only the ones before it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The order; `lib.rs` re-exports and is above all.
const ORDER: [&str; 27] = [
    "failpoint",
    "files",
    "hex",
    "secret",
    "random",
    "time",
    "id",
    "oauth",
    "provider",
    "config",
    "lifecycle",
    "transport",
    "seal",
    "access",
    "connect",
    "limit",
    "session",
    "notice",
    "store",
    "keeper",
    "custody",
    "json",
    "words",
    "handle",
    "open",
    "middleware",
    "lib",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a source names by `crate::`, also inside braces.
fn uses(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    let code: String = code.split_whitespace().collect();
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(braced) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0, true);
            for (index, char) in braced.char_indices() {
                match char {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if start => {
                        named.push(word(&braced[index..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            named.push(word(rest));
        }
    }
    named
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|it| it.is_alphanumeric() || *it == '_')
        .collect()
}

fn upward(module: &str, source: &str) -> Vec<String> {
    let rank = |name: &str| ORDER.iter().position(|it| *it == name);
    let own = rank(module).unwrap_or_else(|| panic!("{module} has no place in the order"));
    let named = uses(source).into_iter();
    named
        .filter(|name| rank(name).is_some_and(|rank| rank > own))
        .collect()
}

#[test]
fn a_module_uses_only_the_ones_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(found.len() > 40);
    // Unit tests may borrow a fixture from anywhere.
    found.retain(|path| !path.ends_with("tests.rs"));
    for path in found {
        let inside = path.strip_prefix(&root).unwrap();
        let top = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let wrong = upward(
            top.trim_end_matches(".rs"),
            &fs::read_to_string(&path).unwrap(),
        );
        assert!(
            wrong.is_empty(),
            "{} looks up to {wrong:?}",
            inside.display()
        );
    }
}

#[test]
fn an_upward_look_is_found_in_every_form() {
    for source in [
        "use crate::store::Store;",
        "use crate::{id::X, keeper::{Y, Z}};",
        "use crate::{\n    id::{A, B},\n    store::C,\n};",
        "fn f(x: crate::handle::Grant) {}",
    ] {
        assert_eq!(upward("oauth", source).len(), 1, "{source}");
    }
    assert!(
        upward(
            "keeper",
            "use crate::{id::X, store::{Y, Z}}; // crate::handle"
        )
        .is_empty()
    );
}
