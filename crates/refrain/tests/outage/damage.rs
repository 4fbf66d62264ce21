//! Files that are not what was written: flipped bits, lost and exchanged pages, cut ends, broken logs.
//!
//! A damaged store may refuse to open, and a damaged row may refuse to be read; what is served all the
//! same is a token of the grant that was asked for. A store that does not open is left as it is.
//! `REFRAIN_DAMAGES` sets how much is damaged; `REFRAIN_SEED` and `REFRAIN_DAMAGE` repeat one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use refrain::{
    Refrain,
    config::StoreLocation,
    keeper::Kind,
    time::{Clock as _, SystemClock},
};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::sleep;

use crate::{
    tools::{Dice, number, seed},
    world::{World, tell},
};

const DAMAGES: u64 = 250;
const GRANTS: [&str; 8] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
];
const PAGE: usize = 4096;
/// A frame of the log: a page behind its header; the log has one too.
const FRAME: usize = PAGE + 24;
const LOG_HEADER: usize = 32;

/// The files of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    pub fn read(database: &Path) -> Self {
        Self {
            database: fs::read(database).unwrap(),
            // There is none where the store is at rest.
            log: fs::read(log_of(database)).unwrap_or_default(),
        }
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let database = folder.join("refrain.db");
        fs::write(&database, &self.database).unwrap();
        if !self.log.is_empty() {
            fs::write(log_of(&database), &self.log).unwrap();
        }
        database
    }

    /// The same after SQLite, and nobody else, has opened and closed it: the log may be in the file.
    async fn as_sqlite_leaves_them(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = self.write(folder.path());
        let options = SqliteConnectOptions::new().filename(&database);
        if let Ok(mut connection) = SqliteConnection::connect_with(&options).await {
            let read = sqlx::raw_sql("SELECT count(*) FROM sqlite_schema");
            drop(read.execute(&mut connection).await);
            drop(connection.close().await);
        }
        Self::read(&database)
    }

    /// Nobody has changed them, or nobody but SQLite.
    pub async fn assert_left_alone(&self, database: &Path, case: &str) {
        let own = self.as_sqlite_leaves_them().await;
        let clock = SystemClock::new();
        let end = clock.uptime().after(Duration::from_secs(5));
        // The last connection closes behind our back.
        while ![self, &own].contains(&&Self::read(database)) {
            let late = clock.uptime() > end;
            assert!(!late, "{case}: a store that does not open was changed");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn log_of(database: &Path) -> PathBuf {
    database.with_extension("db-wal")
}

/// What happens to the files.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Bit,
    Byte,
    Sector,
    PageZeroed,
    PagesExchanged,
    Cut,
    LogBit,
    LogFrameZeroed,
    LogFramesExchanged,
    LogCut,
    LogOfAnother,
    DatabaseOfBefore,
}

const DAMAGES_OF: [Damage; 12] = [
    Damage::Bit,
    Damage::Byte,
    Damage::Sector,
    Damage::PageZeroed,
    Damage::PagesExchanged,
    Damage::Cut,
    Damage::LogBit,
    Damage::LogFrameZeroed,
    Damage::LogFramesExchanged,
    Damage::LogCut,
    Damage::LogOfAnother,
    Damage::DatabaseOfBefore,
];

impl Damage {
    fn is_of_log(self) -> bool {
        matches!(
            self,
            Self::LogBit | Self::LogFrameZeroed | Self::LogFramesExchanged | Self::LogCut
        )
    }

    /// Does it; `others` are files of other stores, or of this one at another time.
    fn inflict(self, files: &mut Files, others: &[Files], dice: &mut Dice) {
        let file = if self.is_of_log() {
            &mut files.log
        } else {
            &mut files.database
        };
        let mut below = |end: usize| usize::try_from(dice.next() % end as u64).unwrap();
        match self {
            Self::Bit | Self::LogBit => {
                let at = below(file.len());
                file[at] ^= 1 << below(8);
            }
            Self::Byte => {
                let at = below(file.len());
                file[at] = u8::try_from(below(256)).unwrap();
            }
            Self::Sector => {
                let at = below(file.len() / 512);
                zero(file, at * 512, 512);
            }
            Self::PageZeroed => {
                let page = below(file.len() / PAGE);
                zero(file, page * PAGE, PAGE);
            }
            Self::PagesExchanged => {
                let pages = file.len() / PAGE;
                exchange(file, 0, PAGE, [below(pages), below(pages)]);
            }
            Self::LogFrameZeroed => {
                let frame = below((file.len() - LOG_HEADER) / FRAME);
                zero(file, LOG_HEADER + frame * FRAME, FRAME);
            }
            Self::LogFramesExchanged => {
                let frames = (file.len() - LOG_HEADER) / FRAME;
                exchange(file, LOG_HEADER, FRAME, [below(frames), below(frames)]);
            }
            Self::Cut | Self::LogCut => {
                let left = below(file.len());
                file.truncate(left);
            }
            Self::LogOfAnother => files.log.clone_from(&others[below(others.len())].log),
            Self::DatabaseOfBefore => {
                files
                    .database
                    .clone_from(&others[below(others.len())].database);
            }
        }
    }
}

fn zero(file: &mut [u8], at: usize, length: usize) {
    file[at..at + length].fill(0);
}

fn exchange(file: &mut [u8], from: usize, size: usize, [one, other]: [usize; 2]) {
    for at in 0..size {
        file.swap(from + one * size + at, from + other * size + at);
    }
}

/// A program's store as a kill would leave it, at several times, and each grant's tokens.
struct Kept {
    world: World,
    tokens: BTreeMap<&'static str, Vec<String>>,
    /// The last of them is the one that is damaged.
    states: Vec<Files>,
}

impl Kept {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refrain.db");
        let world = World::on(StoreLocation::Sqlite(path.clone())).await;
        for name in &GRANTS[3..] {
            world.login(name).await;
        }
        let mut kept = Self {
            world,
            tokens: BTreeMap::new(),
            states: Vec::new(),
        };
        // Nothing of the log is in the file yet; then all of it; then some of it again.
        for (round, moved) in [false, true, true, false, true].into_iter().enumerate() {
            for name in GRANTS.into_iter().skip(round) {
                let grant = kept.world.grant(name).await;
                if round > 0 {
                    grant.refresh().await.unwrap();
                }
                let token = grant.access_token().await.unwrap();
                let tokens = kept.tokens.entry(name).or_default();
                tokens.push(token.expose().to_owned());
            }
            kept.states.push(Files::read(&path));
            if moved {
                kept.world.move_log().await;
                kept.states.push(Files::read(&path));
            }
        }
        let last = kept.world.grant("alice").await;
        last.refresh().await.unwrap();
        let token = last.access_token().await.unwrap();
        kept.tokens
            .get_mut("alice")
            .unwrap()
            .push(token.expose().to_owned());
        kept.states.push(Files::read(&path));
        kept
    }
}

/// What became of them.
#[derive(Debug, Default)]
struct Tally {
    refused: BTreeMap<&'static str, u32>,
    newest: u32,
    older: u32,
    unread: BTreeMap<&'static str, u32>,
}

impl Tally {
    /// Opens the store and asks for every token.
    async fn look(&mut self, kept: &Kept, files: &Files, case: &str) {
        let folder = tempfile::tempdir().unwrap();
        let database = files.write(folder.path());
        let opening = kept
            .world
            .cut_off(StoreLocation::Sqlite(database.clone()), None);
        match opening.await {
            Ok(refrain) => self.ask(&refrain, kept, case).await,
            Err(error) => {
                assert!(is_named(error.kind()), "{case}: {error}");
                *self.refused.entry(error.code()).or_default() += 1;
                files.assert_left_alone(&database, case).await;
            }
        }
    }

    async fn ask(&mut self, refrain: &Refrain, kept: &Kept, case: &str) {
        for (name, tokens) in &kept.tokens {
            let asked = match refrain.grant(name).await {
                Ok(grant) => grant.access_token().await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(token) => {
                    let token = tokens.iter().rposition(|it| it == token.expose());
                    let place = token.unwrap_or_else(|| panic!("{case}: a wrong token for {name}"));
                    if place + 1 == tokens.len() {
                        self.newest += 1;
                    } else {
                        self.older += 1;
                    }
                }
                Err(error) => {
                    let code = error.code();
                    assert!(code != "broke_off", "{case}, {name}: {error}");
                    *self.unread.entry(code).or_default() += 1;
                }
            }
        }
        drop(refrain.grants().await);
    }
}

fn is_named(kind: Kind) -> bool {
    matches!(kind, Kind::Storage | Kind::Configuration)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_damaged_store_serves_is_right_and_what_it_refuses_is_left_alone() {
    let kept = Kept::new().await;
    let (seed, count) = (seed(), number("REFRAIN_DAMAGES").unwrap_or(DAMAGES));
    tell(&format!("damage: REFRAIN_SEED={seed}"));
    let events = kept.world.events();
    let mut all = BTreeMap::<String, Tally>::new();
    let only = number("REFRAIN_DAMAGE");
    for nth in only.unwrap_or(0)..only.map_or(count, |it| it + 1) {
        let mut dice = Dice(seed ^ (nth << 32));
        let kind = usize::try_from(nth).unwrap() % DAMAGES_OF.len();
        let damage = DAMAGES_OF[kind];
        let (last, others) = kept.states.split_last().unwrap();
        let mut files = last.clone();
        damage.inflict(&mut files, others, &mut dice);
        let case = format!("REFRAIN_SEED={seed}, {nth}, {damage:?}");
        let tally = all.entry(format!("{damage:?}")).or_default();
        let looking = tally.look(&kept, &files, &case);
        let looked = tokio::time::timeout(Duration::from_secs(30), looking).await;
        if looked.is_err() {
            let folder = tempfile::tempdir().unwrap().keep();
            panic!("{case}: hangs; kept as {}", files.write(&folder).display());
        }
    }
    assert_eq!(kept.world.events(), events, "something was presented");
    for (damage, tally) in &all {
        tell(&format!("damage: {damage}: {tally:?}"));
    }
    // Neither is the test blind nor the store: most damage is survived, and some is noticed.
    let served: u32 = all.values().map(|it| it.newest).sum();
    let noticed = all
        .values()
        .any(|it| !it.refused.is_empty() || !it.unread.is_empty());
    assert!(only.is_some() || served > 0 && noticed, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_leads_to_another_row_gives_nobody_another_users_token() {
    let kept = Kept::new().await;
    let at_rest = &kept.states[kept.states.len() - 2];
    assert!(at_rest.log.is_empty());
    // An entry of the index is the name and, from the second row on, a byte with the row's number.
    let number_of = |name: &str, row: u8| {
        let entry = [name.as_bytes(), &[row]].concat();
        let mut places = at_rest.database.windows(entry.len());
        places.position(|it| it == entry).unwrap() + name.len()
    };
    let mut files = at_rest.clone();
    files
        .database
        .swap(number_of("bob", 2), number_of("carol", 3));
    let folder = tempfile::tempdir().unwrap();
    let database = StoreLocation::Sqlite(files.write(folder.path()));
    let refrain = kept.world.cut_off(database, None).await.unwrap();
    for (asked, found) in [("bob", "carol"), ("carol", "bob")] {
        let error = refrain.grant(asked).await.err().unwrap();
        assert_eq!(error.code(), "storage_value");
        let said = error.explain().what;
        assert!(said.contains(asked) && said.contains(found), "{said}");
    }
    let dave = refrain.grant("dave").await.unwrap().access_token().await;
    assert_eq!(dave.unwrap().expose(), kept.tokens["dave"].last().unwrap());
}
