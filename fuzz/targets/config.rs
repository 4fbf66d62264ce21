//! A configuration file and an environment: read, or refused with words.

#![no_main]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::LazyLock,
};

use refrain::{Config, config::Sources};

/// In memory where there is such a place: it is written anew each time.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from("/dev/shm");
    let folder = if folder.is_dir() {
        folder
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("refrain-fuzz-{}.toml", std::process::id()))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&*FILE);
    let mut file = file.expect("a file");
    file.write_all(text).expect("a file");
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .expect("a file");
    let mut sources = Sources {
        file: Some(FILE.clone()),
        ..Sources::default()
    };
    for part in parts {
        let part = String::from_utf8_lossy(part);
        if let Some((name, value)) = part.split_once('=') {
            sources
                .env
                .insert(format!("REFRAIN_{name}"), value.to_owned());
        }
    }
    // A value under another name, or a name that is none, is shown: so secrets are looked for elsewhere.
    if let Err(error) = Config::load_from(&sources) {
        assert!(!error.to_string().is_empty());
    }
});
