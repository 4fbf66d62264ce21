//! Pages of the documentation that are made from the code: each is compared with what stands there, and written
//! anew where `REFRAIN_WRITE_DOCS` is set.

use std::{fs, path::Path};

/// Fails where `docs/NAME` is not this page.
#[track_caller]
pub(crate) fn check(name: &str, page: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let file = docs.join(name);
    if std::env::var_os("REFRAIN_WRITE_DOCS").is_some() {
        fs::write(&file, page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let mut lines = page.lines().zip(written.lines());
    let differs = lines.find(|(now, then)| now != then);
    assert!(
        page == written,
        "docs/{name} is not what the code says: write it anew with REFRAIN_WRITE_DOCS=1; the first difference: \
         {differs:?}"
    );
}
