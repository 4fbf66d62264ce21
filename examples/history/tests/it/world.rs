//! A listener, who plays a track every three minutes, and a Spotify that is told what to do.

use std::{path::PathBuf, sync::Arc, time::Duration};

use refrain::{
    Refrain,
    store::memory::MemoryStore,
    time::{Clock, ManualClock, UnixMillis},
};
use refrain_history::{History, Synchroniser};
use refrain_sim::{Profile, Sim};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::assembled::{self, Owner};

/// How often the listener plays a track to its end.
pub(crate) const TRACK: Duration = Duration::from_secs(180);
/// How often the synchroniser looks.
pub(crate) const EVERY: Duration = Duration::from_secs(300);

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) refrain: Refrain,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

impl World {
    /// Nobody has signed in yet.
    pub(crate) async fn new() -> Self {
        let profile = Profile {
            play_every: Some(TRACK),
            ..Profile::default()
        };
        let sim = Sim::start(profile).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(UnixMillis(sim.now_unix_ms())));
        let clock_of_refrain = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock_of_refrain)));
        Self {
            refrain: Owner::new().process(&sim, clock_of_refrain, store),
            sim,
            clock,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Alice signs in.
    pub(crate) async fn login(&self) {
        let signed_in = assembled::login(&self.refrain, &self.sim, "alice");
        signed_in.await.unwrap();
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }

    /// A synchroniser that has just been started.
    pub(crate) async fn synchroniser(&self) -> Synchroniser {
        let history = History::open(&self.file()).await.unwrap();
        let alice = "alice".parse().unwrap();
        Synchroniser::new(&self.refrain, &alice, history, EVERY).unwrap()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.sim.advance(time);
        self.clock.advance(time);
    }

    /// Lets it look and wait for so long.
    pub(crate) async fn live(&self, synchroniser: &mut Synchroniser, time: Duration) {
        let mut lived = Duration::ZERO;
        while lived < time {
            let pause = self.in_time(synchroniser.step()).await;
            self.pass(pause);
            lived += pause;
        }
    }

    /// Runs something while time passes by itself, so that pauses and deadlines come to their end.
    async fn in_time<T>(&self, future: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.pass(Duration::from_millis(20));
            }
        };
        tokio::select! {
            output = future => output,
            () = passing => unreachable!("time never ends"),
        }
    }
}

/// What a history has: the times of all plays, and its gaps.
pub(crate) struct Written {
    pub(crate) plays: Vec<i64>,
    pub(crate) gaps: Vec<(i64, i64)>,
}

impl Written {
    pub(crate) async fn of(file: &std::path::Path) -> Self {
        let url = format!("sqlite:{}", file.display());
        let mut file = SqliteConnection::connect(&url).await.unwrap();
        let plays = sqlx::query_scalar("SELECT played_at FROM plays ORDER BY played_at");
        let gaps = sqlx::query_as("SELECT after, before FROM gaps ORDER BY after");
        Self {
            plays: plays.fetch_all(&mut file).await.unwrap(),
            gaps: gaps.fetch_all(&mut file).await.unwrap(),
        }
    }

    /// Where a play does not follow the one before it after one track: the times of both.
    pub(crate) fn jumps(&self, track: Duration) -> Vec<(i64, i64)> {
        let track = i64::try_from(track.as_millis()).unwrap();
        let pairs = self.plays.iter().zip(self.plays.iter().skip(1));
        let jumps = pairs.filter(|(one, next)| **next - **one != track);
        jumps.map(|(one, next)| (*one, *next)).collect()
    }
}
