//! The codes that the sources can emit, read out of them.

use std::{collections::BTreeSet, fs, path::Path};

/// The sources of the three crates, without their tests.
fn sources() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for name in ["refrain", "refrain-server", "refrain-cli"] {
        gather(&crates.join(name).join("src"), &mut found);
    }
    found
}

fn gather(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
            continue;
        }
        let name = path.display().to_string();
        let tests = [
            "tests.rs",
            "/tests/",
            "/contract",
            "/schedules",
            "/errors/",
            "src/errors.rs",
        ];
        if path.extension().is_some_and(|it| it == "rs")
            && !tests.iter().any(|part| name.contains(part))
        {
            let text = fs::read_to_string(&path).unwrap();
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            found.push((name, text.to_owned()));
        }
    }
}

/// Everything in quotes that could be a code.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .filter(|word| is_code(word))
        .map(str::to_owned)
}

fn is_code(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The text behind each of these beginnings, up to its end.
fn behind<'a>(text: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(begin).skip(1);
    parts.map(move |part| part.split(end).next().unwrap_or_default())
}

/// What is called a code and is none of refrain's errors: the doctor's word for what is well, and a word of
/// RFC 6749's.
const OTHERS: [&str; 2] = ["ok", "access_denied"];

pub(super) fn emitted() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (_, text) in sources() {
        // How errors name themselves.
        for body in behind(&text, "fn code(&self) -> &'static str {", "\n    }\n") {
            codes.extend(words(body));
        }
        // How explanations and logs name what they are about.
        for value in behind(&text, "code: \"", "\"") {
            codes.extend(is_code(value).then(|| value.to_owned()));
        }
        for made in text.split("fault(").skip(1) {
            let made = made.trim_start().strip_prefix('"');
            let code = made.and_then(|it| it.split('"').next());
            codes.extend(code.filter(|it| is_code(it)).map(str::to_owned));
        }
        for choice in behind(&text, "let (code,", ";\n") {
            codes.extend(words(choice));
        }
        for value in behind(&text, "let code = ", ";\n") {
            codes.extend(words(value));
        }
    }
    codes.retain(|code| !OTHERS.contains(&code.as_str()));
    codes
}

/// How the command ends, by what stands beside each code in an explanation.
pub(super) fn exits() -> Vec<(String, String)> {
    let mut exits = Vec::new();
    for (_, text) in sources() {
        for explanation in text.split("code: \"").skip(1) {
            let code = explanation.split('"').next().unwrap_or_default();
            let exit = behind(explanation, "exit: Exit::", ",").next();
            if let Some(exit) = exit.filter(|_| is_code(code)) {
                exits.push((code.to_owned(), exit.trim().to_owned()));
            }
        }
    }
    exits
}
