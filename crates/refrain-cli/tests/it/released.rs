//! Stores that released versions have written: each is opened by this one, with all that is in it.
//!
//! A release adds a folder to `tests/fixtures`: a backup with the grant `alice`, signed in and refreshed once, and
//! the API key `phone`; and the master key that opens it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::home::Home;

fn fixtures() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn home_with(fixture: &Path) -> Home {
    let home = Home::new().await;
    fs::create_dir_all(home.database().parent().unwrap()).unwrap();
    for (from, to) in [
        ("refrain.db", home.database()),
        ("master.key", home.key_file()),
    ] {
        fs::copy(fixture.join(from), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_every_release_is_opened_with_all_that_is_in_it() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let home = home_with(&fixture).await;
        let list = home.run(&["list", "--json"]).ok().json();
        assert_eq!(list[0]["grant"], "alice", "{list}");
        assert_eq!(list[0]["status"], "active", "{list}");
        let why = home.run(&["why", "alice"]).ok().stdout;
        assert!(
            why.contains("consented") && why.contains("refreshed"),
            "{why}"
        );
        let keys = home.run(&["key", "list"]).ok().stdout;
        assert!(keys.contains("phone"), "{keys}");
        // Opens and seals anew every secret that there is.
        home.run(&["sealing", "rotate"]).ok();
        // The simulator that gave the token is no more: this one refuses it, and nothing is lost of that.
        let refused = home.run(&["refresh", "alice", "--json"]);
        assert_eq!(refused.code, 5, "{refused:?}");
        let why = home.run(&["why", "alice"]).ok().stdout;
        assert!(why.contains("suspect"), "{why}");
        home.run(&["logout", "alice"]).ok();
    }
}
