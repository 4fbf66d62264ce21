//! The contract on SQLite, and what only a file can suffer.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::{
    connect::LinkId,
    random::SystemRandom,
    store::{ApiKeys as _, Limits as _, Links as _, contract},
    time::SystemClock,
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

async fn open(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path, clock()).await.unwrap();
    assert!(store.identity().await.unwrap().is_none());
    store.prepare().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    contract::run(|| async {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        let pair: (Arc<dyn Store>, Arc<dyn Store>) =
            (Arc::new(open(&path).await), Arc::new(open(&path).await));
        pair
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/refrain.db");
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let path = path.clone();
        openers.spawn(async move { SqliteStore::open(&path, clock()).await?.prepare().await });
    }
    while let Some(opened) = openers.join_next().await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_are_durable_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/refrain.db");
    let store = open(&path).await;
    let settings = store.settings().await.unwrap();
    assert_eq!(
        (settings.journal.as_str(), settings.synchronous),
        ("wal", 2)
    );
    let version: Vec<u32> = settings
        .version
        .split('.')
        .map(|it| it.parse().unwrap())
        .collect();
    assert!(version >= vec![3, 51, 3], "{}", settings.version);
    store
        .insert(&Change {
            row: contract::full_row("a"),
            events: vec![],
            forgets: false,
        })
        .await
        .unwrap();
    assert_eq!(
        std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
        0o700
    );
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
    }
}

#[tokio::test]
async fn a_dead_process_is_told_from_a_living_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let (one, other) = (open(&path).await, open(&path).await);
    let instance = InstanceId::random(&SystemRandom).unwrap();
    one.announce(instance).await.unwrap();
    assert_eq!(other.liveness(instance).await.unwrap(), Liveness::MayRun);
    // What a killed process leaves: its file, and no lock on it.
    let dead = InstanceId::random(&SystemRandom).unwrap();
    let instances = folder
        .path()
        .canonicalize()
        .unwrap()
        .join("refrain.db-instances");
    let boot = clock().boot().0;
    std::fs::write(instances.join(format!("{boot:032x}-{dead}")), "").unwrap();
    assert_eq!(other.liveness(dead).await.unwrap(), Liveness::Dead);
    // Without a file nothing is proven.
    let stranger = InstanceId::random(&SystemRandom).unwrap();
    assert_eq!(other.liveness(stranger).await.unwrap(), Liveness::MayRun);
    // Another name of the same file is the same store.
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let linked = SqliteStore::open(&link, clock()).await.unwrap();
    assert_eq!(linked.liveness(instance).await.unwrap(), Liveness::MayRun);
    assert_eq!(linked.liveness(dead).await.unwrap(), Liveness::Dead);
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    std::fs::write(
        &path,
        "this is no database, it is a letter to a friend".repeat(100),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path, clock()).await.unwrap_err();
    assert_eq!(error.code(), "storage_damaged", "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_store_of_the_first_layout_gets_the_rest_and_keeps_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let store = SqliteStore::open(&path, clock()).await.unwrap();
    let writer = store.connections.writer().await.unwrap();
    for statement in [open::MIGRATIONS[0], "PRAGMA user_version = 1"] {
        sqlx::raw_sql(statement).execute(writer).await.unwrap();
    }
    let row = contract::full_row("alice");
    let written = Change {
        row: row.clone(),
        events: vec![],
        forgets: false,
    };
    store.insert(&written).await.unwrap();
    assert!(store.limits().await.is_err());
    store.prepare().await.unwrap();
    assert_eq!(store.limits().await.unwrap(), []);
    let link = LinkId::parse("NobodysLnk").unwrap();
    assert_eq!(store.link(&link).await.unwrap(), None);
    let kept = store.grant(&row.name).await.unwrap().unwrap();
    assert_eq!(kept.value, row);
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let store = open(&path).await;
    sqlx::raw_sql("PRAGMA user_version = 99")
        .execute(store.connections.writer().await.unwrap())
        .await
        .unwrap();
    let store = SqliteStore::open(&path, clock()).await.unwrap();
    let error = store.prepare().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_first_layout_is_brought_up_with_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    // A store as the first refrain has left it.
    let store = SqliteStore::open(&path, clock()).await.unwrap();
    sqlx::raw_sql(include_str!("../../../migrations/sqlite/0001_initial.sql"))
        .execute(store.connections.writer().await.unwrap())
        .await
        .unwrap();
    sqlx::raw_sql("PRAGMA user_version = 1")
        .execute(store.connections.writer().await.unwrap())
        .await
        .unwrap();
    let change = Change {
        row: contract::full_row("alice"),
        events: vec![],
        forgets: false,
    };
    store.insert(&change).await.unwrap();
    let keys = store.api_keys().await.unwrap_err();
    assert!(keys.to_string().contains("refrain.db"), "{keys:?}");
    // Several who come at once, and once more.
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let path = path.clone();
        openers.spawn(async move { SqliteStore::open(&path, clock()).await?.prepare().await });
    }
    while let Some(opened) = openers.join_next().await {
        opened.unwrap().unwrap();
    }
    store.prepare().await.unwrap();
    assert_eq!(store.layout().await.unwrap(), open::known());
    assert_eq!(store.api_keys().await.unwrap(), []);
    let alice = store.grant(&change.row.name).await.unwrap().unwrap();
    assert_eq!(alice.value, change.row);
}

#[tokio::test]
async fn a_value_that_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let store = open(&path).await;
    let row = contract::full_row("alice");
    store
        .insert(&Change {
            row,
            events: vec![],
            forgets: false,
        })
        .await
        .unwrap();
    sqlx::raw_sql("UPDATE grants SET rest = '{\"is\":\"asleep\"}'")
        .execute(store.connections.writer().await.unwrap())
        .await
        .unwrap();
    let error = store.grant(&"alice".parse().unwrap()).await.unwrap_err();
    let StoreError::Value {
        table: "grants",
        column: "rest",
        row,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(row.starts_with("grt_"));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_listed_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refrain.db");
    let store = open(&path).await;
    for name in ["alice", "bob", "carol"] {
        let change = Change {
            row: contract::full_row(name),
            events: vec![],
            forgets: false,
        };
        store.insert(&change).await.unwrap();
    }
    let spoil = async |statement| {
        let writer = store.connections.writer().await.unwrap();
        sqlx::raw_sql(statement).execute(writer).await.unwrap();
    };
    spoil("UPDATE grants SET rest = '' WHERE name = 'bob'").await;
    assert!(store.grants(None, 9).await.is_err());
    let listed = store.list(None, 9).await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|it| match it {
            Ok(row) => (row.value.name.as_str(), "read"),
            Err(unreadable) => (unreadable.name.as_str(), unreadable.why.code()),
        })
        .collect();
    let expected = [
        ("alice", "read"),
        ("bob", "storage_value"),
        ("carol", "read"),
    ];
    assert_eq!(told, expected);
    spoil("UPDATE grants SET name = '-' WHERE name = 'bob'").await;
    let nameless = store.list(None, 9).await;
    assert!(nameless.is_err(), "there is nothing to call it by");
}

#[tokio::test]
async fn a_name_that_nobody_can_read_keeps_no_other_from_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("refrain.db")).await;
    let (_, mark) = store.changes(None, 1000).await.unwrap();
    for name in ["alice", "bob", "carol"] {
        let row = contract::full_row(name);
        let (events, forgets) = (vec![], false);
        let change = Change {
            row,
            events,
            forgets,
        };
        store.insert(&change).await.unwrap();
    }
    // One is no name, and one not even text.
    let odd = "UPDATE grants SET name = 'a l' WHERE name = 'alice';
               UPDATE grants SET name = CAST(x'ff62' AS TEXT) WHERE name = 'bob'";
    let writer = store.connections.writer().await.unwrap();
    sqlx::raw_sql(odd).execute(writer).await.unwrap();
    let (changes, _) = store.changes(Some(&mark), 1000).await.unwrap();
    let Changes::These(told) = changes else {
        panic!("there were fewer");
    };
    let names: Vec<&str> = told.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["carol"]);
}

#[tokio::test]
async fn a_database_is_replaced_while_nobody_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("refrain.db");
    let clock = clock();
    // Also where there is no database yet.
    drop(Closed::close(&path, clock.as_ref()).await.unwrap().unwrap());
    let store = open(&path).await;
    let now = UnixMillis(1_000);
    assert_eq!(store.unsettled(now).await.unwrap(), None);
    let other = SqliteStore::open(&path, Arc::clone(&clock)).await.unwrap();
    let until = store.unsettled(now).await.unwrap();
    assert_eq!(until, Some(now.after(attempt::LIFE)), "it may write yet");
    assert!(
        Closed::close(&path, clock.as_ref())
            .await
            .unwrap()
            .is_none()
    );
    drop((store, other));
    let closed = Closed::close(&path, clock.as_ref()).await.unwrap();
    let waiting = tokio::spawn(async move { SqliteStore::open(&path, clock).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(closed);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_value_of_a_key_that_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("refrain.db")).await;
    for (column, value) in [
        ("id", "'phone'"),
        ("name", "'a b'"),
        ("hash", "x'00'"),
        ("permissions", "'token,all'"),
        ("grants", "'alice'"),
    ] {
        let row = "DELETE FROM api_keys; INSERT INTO api_keys VALUES \
             ('R3fra1nKey', 'phone', zeroblob(32), 'token', '[\"alice\"]', 0, 1, NULL, NULL, NULL)";
        let spoiled = format!("{row}; UPDATE api_keys SET {column} = {value}");
        for (statement, good) in [(row.to_owned(), true), (spoiled, false)] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(store.connections.writer().await.unwrap())
                .await
                .unwrap();
            match store.api_keys().await {
                Ok(keys) => assert!(good && keys.len() == 1, "{column}"),
                Err(StoreError::Value { column: named, .. }) => {
                    assert!(!good && named == column, "{column}");
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// A page ends with what was asked for, however much is due: nothing is sorted, and nothing is gone through.
#[tokio::test]
async fn what_is_to_be_told_and_what_was_is_found_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("refrain.db")).await;
    for (statement, index) in [
        (
            notices::NEWS,
            "g USING INDEX grants_look_at ((look_at,name)>(?,?) AND look_at<?)",
        ),
        (
            notices::DELIVERIES_OF,
            "notices USING INDEX notices_about (grant_name=? AND number<?)",
        ),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = store.fetch(sqlx::query(explain)).await.unwrap();
        let details = rows.iter().map(|row| row.get::<String, _>("detail"));
        let plan = details.collect::<Vec<_>>().join("\n");
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN g"), "{plan}");
        let sorts = plan.contains("TEMP B-TREE");
        assert_eq!(sorts, statement == notices::DELIVERIES_OF, "{plan}");
    }
}
