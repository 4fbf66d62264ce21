//! A store with its configuration, and what the judge reads in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use refrain_sim::Sim;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use crate::{
    postgres::Cluster,
    tools::{tell, until, write_private},
};

/// An engine of stores.
#[derive(Clone)]
pub enum Engine {
    Sqlite,
    Postgres(Arc<Cluster>),
}

impl Engine {
    pub fn both() -> [Self; 2] {
        [Self::Sqlite, Self::Postgres(Cluster::shared())]
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// One store, its key and its configuration.
pub struct Place {
    folder: TempDir,
    pub config: PathBuf,
    engine: Engine,
    sim: Sim,
    /// The file, or the address.
    store: String,
}

/// What the store has of a grant, as far as the judge looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub epoch: i64,
    pub generation: i64,
    pub minting: i64,
    pub fence: i64,
    pub status: String,
    pub armed: bool,
    /// Whether a token stands by that was current before.
    pub set_aside: bool,
}

const ROWS: &str = "SELECT name, epoch, generation, minting, fence, status, \
                    CAST(armed AS integer) AS armed, \
                    CAST(rest LIKE '%set_aside%' AS integer) AS set_aside FROM";

impl Place {
    /// An empty store; its apps are the simulator's, by the names `app0`, `app1` and so on.
    pub fn new(engine: &Engine, sim: &Sim) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("torture")
            .tempdir()
            .unwrap();
        let path = folder.path().to_owned();
        let store = match engine {
            Engine::Sqlite => format!("sqlite:{}", path.join("refrain.db").display()),
            Engine::Postgres(cluster) => cluster.database(),
        };
        let mut text = format!(
            "store = \"{store}\"\n[sealing]\nkey_file = \"{}\"\n\
             [spotify]\naccounts_url = \"{}\"\napi_url = \"{}\"\nrevocation_url = \"\"\n",
            path.join("master.key").display(),
            sim.accounts_url(),
            sim.api_url(),
        );
        for (nth, app) in sim.profile().apps.iter().enumerate() {
            let secret = path.join(format!("secret{nth}"));
            write_private(&secret, app.client_secret.as_ref().unwrap());
            let app = format!(
                "[apps.app{nth}]\nclient_id = \"{}\"\nclient_secret_file = \"{}\"\n\
                 redirect_uri = \"http://127.0.0.1:4280/callback\"\n\
                 scopes = [\"user-read-private\"]\n",
                app.client_id,
                secret.display(),
            );
            text.push_str(&app);
        }
        let config = path.join("refrain.toml");
        write_private(&config, &text);
        Self {
            folder,
            config,
            engine: engine.clone(),
            sim: sim.clone(),
            store,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The rows while no process has the store open. SQLite's files are copied first, so that the next
    /// process finds them exactly as the dead one left them.
    pub fn rows_at_rest(&self) -> BTreeMap<String, Row> {
        match &self.engine {
            Engine::Sqlite => {
                let copy = self.path().join("copy.db");
                let database = self.path().join("refrain.db");
                fs::copy(&database, &copy).unwrap();
                let (log, log_copy) = (beside(&database, "-wal"), beside(&copy, "-wal"));
                match fs::copy(log, &log_copy) {
                    Ok(_) => {}
                    Err(_) => fs::remove_file(&log_copy).unwrap_or_default(),
                }
                let rows = crate::judge::block_on(sqlite_rows(&copy));
                fs::remove_file(beside(&copy, "-shm")).unwrap_or_default();
                rows
            }
            Engine::Postgres(_) => {
                let url = &self.store;
                let mut rows = BTreeMap::new();
                // What a dead process had sent may still be on its way to the disk.
                until("the server ends the sessions of the dead", || {
                    let (others, found) = crate::judge::block_on(postgres_rows(url));
                    rows = found;
                    others == 0
                });
                rows
            }
        }
    }

    /// The rows while processes work on them.
    pub fn rows(&self) -> BTreeMap<String, Row> {
        match &self.engine {
            Engine::Sqlite => crate::judge::block_on(sqlite_rows(&self.path().join("refrain.db"))),
            Engine::Postgres(_) => crate::judge::block_on(postgres_rows(&self.store)).1,
        }
    }

    /// Whether somebody is in the middle of a write, for which SQLite lets all others wait.
    pub fn write_locked(&self) -> bool {
        let Engine::Sqlite = self.engine else {
            return false;
        };
        let options = SqliteConnectOptions::new()
            .filename(self.path().join("refrain.db"))
            .busy_timeout(Duration::from_millis(50));
        crate::judge::block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let begun = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK")
                .execute(&mut connection)
                .await;
            connection.close().await.unwrap();
            begun.is_err()
        })
    }

    /// Keeps the store and the history for whoever looks into a failure; answers where.
    pub fn keep(&mut self) -> PathBuf {
        let path = self.path().to_owned();
        if let Engine::Postgres(cluster) = &self.engine {
            let address = self.store.split_once('?').unwrap().0;
            let database = address.rsplit_once('/').unwrap().1;
            for table in ["grants", "events", "apps"] {
                let select = format!("SELECT row_to_json(t) FROM refrain.{table} AS t");
                let text = cluster.sql(database, &select);
                fs::write(path.join(format!("{table}.jsonl")), text).unwrap();
            }
        }
        self.keep_files();
        path
    }

    fn keep_files(&mut self) {
        self.folder.disable_cleanup(true);
        let history = serde_json::to_vec(&self.sim.history()).unwrap();
        fs::write(self.path().join("history.json"), history).unwrap();
        let oracle = serde_json::to_vec(&self.sim.oracle()).unwrap();
        fs::write(self.path().join("oracle.json"), oracle).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_files();
            tell(&format!("kept in {}", self.path().display()));
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

async fn sqlite_rows(path: &Path) -> BTreeMap<String, Row> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let query = sqlx::query(AssertSqlSafe(format!("{ROWS} grants")));
    let rows = query.fetch_all(&mut connection).await.unwrap();
    let rows = rows
        .iter()
        .map(|row| {
            let armed: i64 = row.get("armed");
            let set_aside: i64 = row.get("set_aside");
            let found = Row {
                epoch: row.get("epoch"),
                generation: row.get("generation"),
                minting: row.get("minting"),
                fence: row.get("fence"),
                status: row.get("status"),
                armed: armed != 0,
                set_aside: set_aside != 0,
            };
            (row.get("name"), found)
        })
        .collect();
    connection.close().await.unwrap();
    rows
}

/// A session, as soon as the server has the time: on a busy machine its queue of callers is full now and
/// then, and the socket says so by EAGAIN.
async fn connected(url: &str) -> PgConnection {
    let mut tries = 0;
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) if tries == 100 => panic!("{url}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        tries += 1;
    }
}

/// The rows, and how many other sessions there are.
async fn postgres_rows(url: &str) -> (i64, BTreeMap<String, Row>) {
    let mut connection = connected(url).await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let others = sqlx::query_scalar(others).fetch_one(&mut connection).await;
    let query = sqlx::query(AssertSqlSafe(format!("{ROWS} refrain.grants")));
    let rows = query.fetch_all(&mut connection).await.unwrap();
    let rows = rows
        .iter()
        .map(|row| {
            let armed: i32 = row.get("armed");
            let set_aside: i32 = row.get("set_aside");
            let found = Row {
                epoch: row.get("epoch"),
                generation: row.get("generation"),
                minting: row.get("minting"),
                fence: row.get("fence"),
                status: row.get("status"),
                armed: armed != 0,
                set_aside: set_aside != 0,
            };
            (row.get("name"), found)
        })
        .collect();
    connection.close().await.unwrap();
    (others.unwrap(), rows)
}
