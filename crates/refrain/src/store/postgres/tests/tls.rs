//! The way to the server, encrypted: whom it is talked to is proven, or nothing is said.

use super::{cluster::certificates::Certificates, *};

fn cluster_for(certificates: &Certificates) -> Cluster {
    let settings = certificates.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Cluster::start_on_tcp(&settings)
}

fn verifying(cluster: &Cluster, authority: &Certificates) -> String {
    let address = cluster.tcp_url("refrain", "postgres");
    let file = authority.authority();
    format!(
        "{address}?sslmode=verify-full&sslrootcert={}",
        file.display()
    )
}

#[tokio::test]
async fn a_server_is_believed_by_its_own_authority_and_name_alone() {
    let certificates = Certificates::for_name("IP:127.0.0.1");
    let cluster = cluster_for(&certificates);
    let store = open(&verifying(&cluster, &certificates)).await;
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let encrypted = ask!(store, |c| sqlx::query_scalar::<_, bool>(encrypted)
        .fetch_one(c));
    assert!(encrypted.await.unwrap());
    store.insert(&change("alice")).await.unwrap();

    let stranger = Certificates::for_name("IP:127.0.0.1");
    let error = connect(&verifying(&cluster, &stranger)).await.unwrap_err();
    assert_eq!(error.code(), "storage_refused", "{error:?}");
    let why = format!("{:?}", std::error::Error::source(&error));
    assert!(
        why.contains("UnknownIssuer") || why.contains("BadSignature"),
        "{why}"
    );
}

#[tokio::test]
async fn a_server_by_another_name_is_not_believed() {
    let certificates = Certificates::for_name("DNS:elsewhere.example");
    let cluster = cluster_for(&certificates);
    let error = connect(&verifying(&cluster, &certificates))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "storage_refused", "{error:?}");
    let why = format!("{:?}", std::error::Error::source(&error));
    assert!(why.contains("NotValidForName"), "{why}");
    // The authority alone is another question.
    let address = verifying(&cluster, &certificates).replace("verify-full", "verify-ca");
    connect(&address).await.unwrap();
}

#[tokio::test]
async fn a_server_without_encryption_is_not_talked_to_where_it_is_asked_for() {
    let cluster = Cluster::start_on_tcp(&[]);
    let address = cluster.tcp_url("refrain", "postgres") + "?sslmode=require";
    let error = connect(&address).await.unwrap_err();
    assert_eq!(error.code(), "storage_refused", "{error:?}");
}
