//! A key file that is not the store's: named with the key that would do, before anything is written or
//! sent. `REFRAIN_KEYS` sets how many are tried.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use refrain::{
    config::StoreLocation,
    keeper::Kind,
    random::SystemRandom,
    seal::Keyring,
    time::{Clock as _, SystemClock},
};

use crate::{
    damage::Files,
    tools::{Dice, number, seed},
    world::{World, tell},
};

const KEYS: u64 = 60;

/// What lies where the key should.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Missing,
    Foreign,
    Old,
    Empty,
    BitFlipped,
    Cut,
    Noise,
}

const WRONG: [Wrong; 7] = [
    Wrong::Missing,
    Wrong::Foreign,
    Wrong::Old,
    Wrong::Empty,
    Wrong::BitFlipped,
    Wrong::Cut,
    Wrong::Noise,
];

impl Wrong {
    fn file(self, own: &[u8], old: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
        let mut below = |end: usize| usize::try_from(dice.next() % end as u64).unwrap();
        // The comments of a key file may be as they like; the line with the key is the last.
        let line = own.len() - 45;
        let mut text = own.to_vec();
        match self {
            Self::Missing => return None,
            Self::Foreign => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("master.key");
                Keyring::create(&path, &SystemRandom).unwrap();
                text = fs::read(&path).unwrap();
            }
            Self::Old => text = old.to_vec(),
            Self::Empty => text.clear(),
            Self::BitFlipped => text[line + below(43)] ^= 1 << below(7),
            Self::Cut => text.truncate(line + 1 + below(40)),
            Self::Noise => {
                let byte = |number| u8::try_from(number).unwrap();
                text = (0..=below(200)).map(|_| byte(below(256))).collect();
            }
        }
        Some(text)
    }
}

fn put(path: &Path, text: Option<&[u8]>) {
    fs::remove_file(path).unwrap_or_default();
    if let Some(text) = text {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_named_with_the_right_one_before_anything_is_written_or_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let world = World::on(StoreLocation::Sqlite(path.clone())).await;
    let old = fs::read(world.key_file()).unwrap();
    world.rotate().await;
    world.move_log().await;
    let at_rest = Files::read(&path);
    world.grant("bob").await.refresh().await.unwrap();
    let states = [at_rest, Files::read(&path)];
    // The new key alone, as after the old one has left.
    let newest = Keyring::read(&world.key_file()).unwrap();
    let expected = newest.newest().id().to_string();
    let own = fs::read_to_string(world.key_file()).unwrap();
    let keys = own.lines().filter(|it| it.starts_with("rfmk1_"));
    let own = format!("{}\n", keys.collect::<Vec<_>>()[0]).into_bytes();
    let (seed, clock) = (seed(), SystemClock::new());
    tell(&format!("keys: REFRAIN_SEED={seed}"));
    let (events, mut longest) = (world.events(), Duration::ZERO);
    let count = number("REFRAIN_KEYS").unwrap_or(KEYS);
    for nth in 0..count {
        let mut dice = Dice(seed ^ (nth << 32));
        let nth = usize::try_from(nth).unwrap();
        let (wrong, files) = (WRONG[nth % WRONG.len()], &states[nth % 2]);
        let case = format!("REFRAIN_SEED={seed}, {nth}, {wrong:?}");
        let folder = tempfile::tempdir().unwrap();
        let (database, key) = (files.write(folder.path()), folder.path().join("key"));
        let text = wrong.file(&own, &old, &mut dice);
        put(&key, text.as_deref());
        let begun = clock.uptime();
        let store = StoreLocation::Sqlite(database.clone());
        let error = world.cut_off(store.clone(), Some(&key)).await.unwrap_err();
        longest = clock.uptime().since(begun).max(longest);
        assert_eq!(error.kind(), Kind::Configuration, "{case}: {error}");
        let said = error.explain();
        assert!(said.what.contains(&expected), "{case}: {said:?}");
        let place = key.display().to_string();
        assert!(said.what.contains(&place), "{case}: {said:?}");
        files.assert_left_alone(&database, &case).await;
        assert_eq!(fs::read(&key).ok(), text, "{case}: the key was touched");
        put(&key, Some(&own));
        let opened = world.cut_off(store, Some(&key)).await;
        opened.unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    assert_eq!(world.events(), events, "something was sent");
    tell(&format!(
        "keys: {count} wrong ones, the longest took {longest:?}"
    ));
    // A second is the aim; the rest is for a busy machine.
    assert!(longest < Duration::from_secs(4), "{longest:?}");
}
