//! What the server says, told apart; and no password in any of it.

use std::{fmt::Write as _, io};

use sqlx::Executor as _;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[tokio::test]
async fn every_state_has_its_code() {
    let cluster = Cluster::shared();
    let store = open(&cluster.database()).await;
    for (state, code) in [
        ("53100", "storage_full"),
        ("25006", "storage_read_only"),
        ("28000", "storage_refused"),
        ("28P01", "storage_refused"),
        ("42501", "storage_refused"),
        ("3D000", "storage_refused"),
        ("42P01", "storage_damaged"),
        ("3F000", "storage_damaged"),
        ("22021", "storage_damaged"),
        ("23505", "storage_damaged"),
        ("58P01", "storage_damaged"),
        ("XX001", "storage_damaged"),
        ("54000", "storage_unsuitable"),
        ("0A000", "storage_unsuitable"),
        ("26000", "storage_unsuitable"),
        ("42P05", "storage_unsuitable"),
        ("40001", "storage_unavailable"),
        ("40P01", "storage_unavailable"),
        ("53200", "storage_unavailable"),
        ("53300", "storage_unavailable"),
        ("55P03", "storage_unavailable"),
        ("57014", "storage_unavailable"),
        ("57P01", "storage_unavailable"),
        ("57P02", "storage_unavailable"),
        ("57P03", "storage_unavailable"),
        ("58030", "storage_unavailable"),
        ("08006", "storage_unavailable"),
        ("XX000", "storage_unavailable"),
    ] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$");
        let raise: Arc<str> = raise.into();
        let told = tell!(store, |c| c
            .execute(sqlx::AssertSqlSafe(Arc::clone(&raise))));
        assert_eq!(told.await.unwrap_err().code(), code, "{state}");
    }
    // None of it has broken anything.
    store.insert(&change("alice")).await.unwrap();
}

#[tokio::test]
async fn what_two_transactions_have_undone_is_done_again() {
    let cluster = Cluster::shared();
    let store = open(&cluster.database()).await;
    let tries = "CREATE SEQUENCE refrain.tries";
    tell!(store, |c| c.execute(tries)).await.unwrap();
    let twice = "DO $$ BEGIN IF nextval('refrain.tries') < 3 THEN \
                 RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END IF; END $$";
    tell!(store, |c| c.execute(twice)).await.unwrap();
}

/// Looks at everything that is logged, at every level and by every library; keeps what it should not see.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<(usize, String)>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let mut seen = self.0.lock().unwrap();
        seen.0 += 1;
        if line.contains("canary-") {
            seen.1.push_str(&line);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_password_is_in_an_error_or_in_the_log_at_any_level() {
    let log = Log::default();
    // Of the whole process: what is logged by way of `log` comes to no other.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .init();
    let cluster = Cluster::start_on_tcp(&[]);
    cluster.sql(
        "postgres",
        "CREATE ROLE guarded LOGIN PASSWORD 'canary-right'",
    );
    let address = cluster.tcp_url("guarded:canary-wrong", "postgres");
    let socket = cluster
        .url("postgres")
        .replace("refrain@", "u:canary-wrong@");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let mut said = String::new();
    for (address, code) in [
        (address.clone(), "storage_refused"),
        (
            format!("{address}?password=canary-other"),
            "storage_refused",
        ),
        (address.replace("/postgres", "/canary"), "storage_refused"),
        (socket, "storage_refused"),
        (format!("{address}?sslmode=verify-full"), "storage_refused"),
        (
            format!("{address}?sslrootcert=/canary-file&sslmode=verify-ca"),
            "storage_unsuitable",
        ),
        (
            "postgres://u:canary-wrong@127.0.0.1:1/x".to_owned(),
            "storage_unavailable",
        ),
        (
            "postgres://u:canary-wrong@nowhere.invalid/x".to_owned(),
            "storage_unavailable",
        ),
        (
            format!("postgres://u:canary-wrong@{silent}/x"),
            "storage_unavailable",
        ),
    ] {
        let error = connect(&address).await.unwrap_err();
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = source {
            write!(said, "{cause} {cause:?} ").unwrap();
            source = cause.source();
        }
        assert_eq!(error.code(), code, "{error:?}");
    }
    // One that works, and is then shut down below it.
    let store = connect(&cluster.tcp_url("guarded:canary-right", "postgres"))
        .await
        .unwrap();
    write!(said, "{store:?} {}", store.place()).unwrap();
    cluster.end_sessions();
    store.now().await.unwrap();
    cluster.stop("fast");
    write!(said, "{:?}", store.now().await.unwrap_err()).unwrap();
    assert!(!said.contains("canary-"), "{said}");
    tracing::trace!("something is heard");
    let logged = log.0.lock().unwrap();
    assert!(logged.0 > 0 && logged.1.is_empty(), "{}", logged.1);
}
