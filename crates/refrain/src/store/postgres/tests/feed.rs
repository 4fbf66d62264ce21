//! The feed of changes beside transactions of every length, and rows that nobody can read.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    process::{Child, Stdio},
};

use super::*;
use crate::store::{Changes, Mark};

/// What a node hears, that has heard up to a mark; and on from there.
async fn told(store: &PostgresStore, mark: &mut Mark) -> BTreeSet<String> {
    let (changes, next) = store.changes(Some(mark), 1000).await.unwrap();
    *mark = next;
    let Changes::These(told) = changes else {
        panic!("there were fewer");
    };
    told.into_iter().map(|it| it.name.to_string()).collect()
}

/// Somebody's session, in a transaction that has a number and does not end.
struct Idler(Child);

impl Idler {
    fn begin(cluster: &Cluster, database: &str, statements: &str) -> Self {
        let mut child = cluster
            .psql(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("BEGIN; {statements} SELECT pg_current_xact_id();\n");
        let input = child.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        let mut answer = [0; 1];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut answer)
            .unwrap();
        Self(child)
    }

    fn end(mut self) {
        let mut input = self.0.stdin.take().unwrap();
        input.write_all(b"COMMIT;\n").unwrap();
        drop(input);
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_does_not_end_hides_no_change_and_none_is_told_over_and_over() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let (one, other) = (open(&address).await, open(&address).await);
    let (_, mut mark) = other.changes(None, 1000).await.unwrap();
    let (mut heard, mut made) = (BTreeSet::new(), BTreeSet::new());
    let mut idlers = vec![];
    for round in 0..30 {
        if round % 5 == 0 {
            idlers.push(Idler::begin(&cluster, database(&address), ""));
        }
        if round % 7 == 6 {
            idlers.remove(0).end();
        }
        let name = format!("grant-{round}");
        one.insert(&change(&name)).await.unwrap();
        made.insert(name);
        if round % 3 == 0 {
            heard.extend(told(&other, &mut mark).await);
        }
    }
    heard.extend(told(&other, &mut mark).await);
    assert_eq!(heard, made);
    // Some are open yet, and it is quiet all the same.
    assert!(!idlers.is_empty() && !mark.open.is_empty());
    assert_eq!(told(&other, &mut mark).await, BTreeSet::new());
    for idler in idlers {
        idler.end();
    }
    assert_eq!(told(&other, &mut mark).await, BTreeSet::new());
    assert_eq!(mark.open, [0_i64; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_commits_after_many_others_is_told() {
    let cluster = Cluster::start();
    let address = cluster.database();
    let (one, other) = (open(&address).await, open(&address).await);
    one.insert(&change("slow")).await.unwrap();
    let (_, mut mark) = other.changes(None, 1000).await.unwrap();
    // Written before all the others, and to be seen after them.
    let statement = "UPDATE refrain.grants SET minting = 77, \
        changed = pg_current_xact_id()::text::bigint WHERE name = 'slow';";
    let slow = Idler::begin(&cluster, database(&address), statement);
    for number in 0..10 {
        one.insert(&change(&format!("grant-{number}")))
            .await
            .unwrap();
        assert!(!told(&other, &mut mark).await.contains("slow"));
    }
    slow.end();
    let (changes, _) = other.changes(Some(&mark), 1000).await.unwrap();
    let Changes::These(told) = changes else {
        panic!("there were fewer");
    };
    let slow = told.iter().find(|it| it.name.as_str() == "slow");
    assert_eq!(slow.unwrap().minting.0, 77);
}

#[tokio::test]
async fn of_a_server_that_has_taken_over_nobody_knows_what_has_changed() {
    let cluster = Cluster::shared();
    let store = open(&cluster.database()).await;
    store.insert(&change("alice")).await.unwrap();
    let (_, mark) = store.changes(None, 1000).await.unwrap();
    assert_eq!(mark.upto >> 48, 1, "the first timeline");
    let of_another = Mark::at(mark.upto + (1 << 48) + 1000);
    let (changes, mut next) = store.changes(Some(&of_another), 1000).await.unwrap();
    assert_eq!(changes, Changes::Any);
    assert!(next.upto >= mark.upto && next.upto >> 48 == 1);
    // From there on it does.
    store.insert(&change("bob")).await.unwrap();
    assert!(told(&store, &mut next).await.contains("bob"));
}

#[tokio::test]
async fn a_name_that_nobody_can_read_keeps_no_other_from_being_told() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let store = open(&address).await;
    let (_, mut mark) = store.changes(None, 1000).await.unwrap();
    for name in ["alice", "bob"] {
        store.insert(&change(name)).await.unwrap();
    }
    let odd = "UPDATE refrain.grants SET name = 'b o b' WHERE name = 'bob'";
    cluster.sql(database(&address), odd);
    let heard = told(&store, &mut mark).await;
    assert_eq!(heard, BTreeSet::from(["alice".to_owned()]));
}
