//! The file: plays, and the gaps between them.

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::spotify::Play;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS plays (
        played_at INTEGER NOT NULL, -- milliseconds since 1970, when the track had ended
        uri TEXT NOT NULL,
        track TEXT NOT NULL,
        artists TEXT NOT NULL,
        PRIMARY KEY (played_at, uri)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS gaps (
        after INTEGER PRIMARY KEY, -- the last play before it
        before INTEGER NOT NULL -- the first one behind it
    );";

/// A time in which more was played than Spotify remembered: from the first play to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When the last play before it ended, in milliseconds since 1970.
    pub after: i64,
    /// When the first one behind it did.
    pub before: i64,
}

/// An open history.
#[derive(Debug)]
pub struct History {
    file: SqliteConnection,
}

impl History {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Where it cannot be, or is none of ours.
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let mut file = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(TABLES).execute(&mut file).await?;
        Ok(Self { file })
    }

    /// When the newest play ended; all older ones are in here, or in a gap.
    pub async fn newest(&mut self) -> Result<Option<i64>, sqlx::Error> {
        let row = sqlx::query("SELECT max(played_at) FROM plays");
        row.fetch_one(&mut self.file).await?.try_get(0)
    }

    /// Adds those plays that are not here yet, and the gap before them, in one transaction; answers how many
    /// plays were new.
    pub async fn add(&mut self, plays: &[Play], gap: Option<Gap>) -> Result<u64, sqlx::Error> {
        let mut transaction = self.file.begin().await?;
        let mut new = 0;
        for play in plays {
            let insert = sqlx::query("INSERT OR IGNORE INTO plays VALUES (?, ?, ?, ?)")
                .bind(play.played_at)
                .bind(&play.uri)
                .bind(&play.track)
                .bind(&play.artists);
            new += insert.execute(&mut *transaction).await?.rows_affected();
        }
        if let Some(Gap { after, before }) = gap {
            let insert = sqlx::query("INSERT OR IGNORE INTO gaps VALUES (?, ?)");
            let insert = insert.bind(after).bind(before);
            insert.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// Closes the file.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.file.close().await
    }
}
