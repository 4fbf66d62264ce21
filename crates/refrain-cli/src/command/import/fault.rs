//! Why there is no token in some place. Nothing of what was read is repeated.

use std::{io, path::Path};

use serde_json::error::Category;

use crate::report::{Exit, Explanation};

/// What all of them have in common: they come before anything is opened or sent.
const SAFE: &str = "nothing was sent and nothing was changed, here or there";

fn fault(code: &'static str, what: String, fix: impl Into<String>) -> Explanation {
    Explanation {
        code,
        what,
        safe: SAFE.to_owned(),
        fix: fix.into(),
        retry_at: None,
        exit: Exit::Usage,
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Explanation {
    fault(
        "import_unreadable",
        format!("{} cannot be read: {error}", path.display()),
        "name the file that the other program keeps its token in, as a user who may read it",
    )
}

pub(super) fn no_file(path: &Path) -> Explanation {
    fault(
        "import_unreadable",
        format!("{} is not a file", path.display()),
        "name the file that the other program keeps its token in",
    )
}

pub(super) fn too_large(path: &Path) -> Explanation {
    fault(
        "import_not_understood",
        format!(
            "{} has more than 64 MiB, which no such file has",
            path.display()
        ),
        "name the file that the other program keeps its token in",
    )
}

/// The text is not what it should be. Of serde's message the place alone is told: the rest may hold a value.
pub(super) fn not_json(path: &Path, error: &serde_json::Error, expected: &str) -> Explanation {
    let what = match error.classify() {
        Category::Eof => "ends too soon".to_owned(),
        Category::Data => format!("is JSON of another form (line {})", error.line()),
        Category::Syntax | Category::Io => {
            format!(
                "is not JSON (line {}, column {})",
                error.line(),
                error.column()
            )
        }
    };
    not_understood(path, &what, expected)
}

pub(super) fn not_understood(path: &Path, what: &str, expected: &str) -> Explanation {
    fault(
        "import_not_understood",
        format!("{} {what}", path.display()),
        format!("expected is {expected}"),
    )
}

pub(super) fn no_token(place: &str, why: &str) -> Explanation {
    fault(
        "import_no_token",
        format!("there is no refresh token in {place}"),
        why,
    )
}

pub(super) fn not_a_token(place: &str) -> Explanation {
    fault(
        "import_not_a_token",
        format!(
            "what {place} holds is no refresh token: those are printable characters without spaces"
        ),
        "look whether it was cut off, quoted twice, or is another value",
    )
}

/// Several were found, and none or no single one was chosen.
pub(super) fn several(what: &str, names: &[String], fix: &str) -> Explanation {
    fault(
        "import_several",
        format!("{what}: {}", names.join(", ")),
        fix,
    )
}

pub(super) fn not_possible(what: &str, fix: &str) -> Explanation {
    fault("import_not_possible", what.to_owned(), fix)
}

/// The fix for whoever has nothing to import.
const LOGIN: &str = "run `refrain login`, which asks for consent to an app of your own";

pub(super) fn ncspot() -> Explanation {
    not_possible(
        "ncspot holds nothing that could be taken over: credentials.json is what librespot signs in with \
         to Spotify's players, and not an OAuth token; the token in rspotify_token.json was issued to \
         ncspot's own client id, and works with no other",
        LOGIN,
    )
}

pub(super) fn librespot() -> Explanation {
    not_possible(
        "librespot holds nothing that could be taken over: credentials.json is what it signs in with to \
         Spotify's players, and not an OAuth token; and what it signs in to is a client of Spotify's own",
        LOGIN,
    )
}

/// Home Assistant's cloud has signed the user in, with its own app.
pub(super) fn nabu_casa() -> Explanation {
    not_possible(
        "this Home Assistant is linked to Spotify by its cloud: the token was issued to the cloud's client \
         id, and works with no other",
        LOGIN,
    )
}
