//! Lists, a page at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use refrain::{
    access::{Grants, Permission},
    id::GrantName,
    store::Store,
};
use refrain_sim::Profile;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    between::{Between, Watched},
    world::{World, client, only},
};

/// A page: its members, and where the next one is.
struct Page {
    body: Value,
    next: Option<String>,
}

async fn get(world: &World, key: &str, path: &str) -> (StatusCode, Page) {
    let answer = client().get(world.url(path)).bearer_auth(key).send().await;
    let answer = answer.unwrap();
    let link = answer.headers().get("link").cloned();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    let next = body["next"].as_str().map(str::to_owned);
    let linked = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
    let link = link.map(|link| link.to_str().unwrap().to_owned());
    assert_eq!(link, linked, "{path}");
    (status, Page { body, next })
}

/// The pages of a list from a path on, as the names on them.
async fn pages(
    world: &World,
    key: &str,
    path: &str,
    members: &str,
    name: &str,
) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(at) = path {
        let (status, page) = get(world, key, &at).await;
        assert_eq!(status, StatusCode::OK, "{at}: {}", page.body);
        let members = page.body[members].as_array().unwrap();
        let names = members.iter().map(|it| it[name].as_str().unwrap());
        pages.push(names.map(str::to_owned).collect());
        path = page.next;
        assert!(pages.len() < 20, "{pages:?}");
    }
    pages
}

async fn world_of(names: &[&str]) -> World {
    let world = World::new(Profile::default()).await;
    for name in names {
        world.sign_in(name).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_told_by_name_and_a_page_at_a_time() {
    let world = world_of(&["bob", "Zoe", "b-2", "b.1", "carol"]).await;
    let key = world.key_for(Grants::All, &[Permission::Manage]).await;
    let all = ["Zoe", "alice", "b-2", "b.1", "bob", "carol"];
    for (query, sizes) in [
        ("", vec![6]),
        ("?limit=6", vec![6]),
        ("?limit=5", vec![5, 1]),
        ("?limit=3", vec![3, 3]),
        ("?limit=1", vec![1; 6]),
        ("?limit=4&after=alice", vec![4]),
        ("?after=carol", vec![0]),
        ("?after=aaa", vec![5]),
    ] {
        let path = format!("/refrain/v1/grants{query}");
        let pages = pages(&world, &key, &path, "grants", "grant").await;
        let told: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(told, sizes, "{query}");
        let names = pages.concat();
        assert!(all.ends_with(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_reaches_some_grants_has_pages_of_those_alone() {
    let world = world_of(&["bob", "carol", "dave", "erin"]).await;
    let some = only(["erin", "alice", "carol"]);
    let key = world.key_for(some, &[Permission::Manage]).await;
    let path = "/refrain/v1/grants?limit=2";
    let told = pages(&world, &key, path, "grants", "grant").await;
    assert_eq!(told, [vec!["alice", "carol"], vec!["erin"]]);
    // A name in between that it does not reach is a place like any other.
    let path = "/refrain/v1/grants?after=bob";
    let told = pages(&world, &key, path, "grants", "grant").await;
    assert_eq!(told, [["carol", "erin"]]);
    let none = world.key_for(Grants::none(), &[Permission::Manage]).await;
    let told = pages(&world, &none, "/refrain/v1/grants", "grants", "grant").await;
    assert_eq!(told, [[""; 0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_told_the_oldest_first_and_a_page_at_a_time() {
    let world = world_of(&["bob"]).await;
    let manage = [Permission::Manage];
    let all = world.key_for(Grants::All, &manage).await;
    world.pass(Duration::from_millis(1));
    let (alice, bob) = (only(["alice"]), only(["bob"]));
    let of_alice = world.key_for(alice.clone(), &manage).await;
    for _ in 0..4 {
        world.pass(Duration::from_millis(1));
        world.key_for(bob.clone(), &manage).await;
        world.key_for(alice.clone(), &manage).await;
    }
    let path = |limit: u32| format!("/refrain/v1/keys?limit={limit}");
    let whole = pages(&world, &all, &path(1000), "keys", "id").await;
    assert_eq!(whole.concat().len(), 10);
    let told = pages(&world, &all, &path(3), "keys", "id").await;
    let sizes: Vec<_> = told.iter().map(Vec::len).collect();
    assert_eq!((sizes, told.concat()), (vec![3, 3, 3, 1], whole.concat()));
    let told = pages(&world, &of_alice, &path(2), "keys", "id").await;
    let sizes: Vec<_> = told.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 1]);
    // Whether there is a key that one may not see is not to be found out here either.
    let hidden = whole.concat().into_iter().next().unwrap();
    for after in [hidden.as_str(), "0000000000"] {
        let path = format!("/refrain/v1/keys?after={after}");
        let (status, page) = get(&world, &of_alice, &path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{after}");
        assert_eq!(page.body["title"], "after is no id of a key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_refused() {
    let world = World::new(Profile::default()).await;
    let key = world.key_for(Grants::All, &[Permission::Manage]).await;
    for (list, after) in [
        ("grants", "a%20b"),
        ("keys", "short"),
        ("events", ""),
        ("notices", "x"),
    ] {
        let mut bad = vec![
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=x",
            "limit=",
            "page=2",
        ];
        let after = format!("after={after}");
        // A place among the events may be another process's, whatever it looks like.
        if list != "events" {
            bad.extend([after.as_str(), "after="]);
        }
        bad.push("after=alice&after=alice");
        for query in bad {
            let path = format!("/refrain/v1/{list}?{query}");
            let (status, page) = get(&world, &key, &path).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(page.body["code"], "bad_query", "{path}");
        }
    }
}

/// Spoils the row of `bob` from some moment on.
#[derive(Debug, Clone, Default)]
struct Spoiler(Arc<AtomicBool>);

impl Between for Spoiler {
    fn spoils(&self, name: &GrantName) -> bool {
        name.as_str() == "bob" && self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_read_is_named_and_the_others_are_told() {
    let spoiler = Spoiler::default();
    let between = spoiler.clone();
    let watched = |inner| Arc::new(Watched { inner, between }) as Arc<dyn Store>;
    let world = World::behind(Profile::default(), watched)
        .await
        .with_bob()
        .await;
    world.sign_in("carol").await;
    let manage = [Permission::Manage];
    let keys = [
        world.key_for(Grants::All, &manage).await,
        world
            .key_for(only(["alice", "bob", "carol"]), &manage)
            .await,
    ];
    let of_alice = world.key_for(only(["alice"]), &manage).await;
    spoiler.0.store(true, Ordering::SeqCst);
    for key in &keys {
        let (status, page) = get(&world, key, "/refrain/v1/grants").await;
        assert_eq!(status, StatusCode::OK);
        let unreadable = json!([{"grant": "bob", "code": "storage_value"}]);
        assert_eq!(page.body["unreadable"], unreadable);
        let names = |page: &Page| -> Vec<String> {
            let grants = page.body["grants"].as_array().unwrap();
            grants
                .iter()
                .map(|it| it["grant"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&page), ["alice", "carol"]);
        // It has its place in the order of names, and is where the next page begins.
        let (_, page) = get(&world, key, "/refrain/v1/grants?limit=2").await;
        assert_eq!(
            (names(&page), &page.body["unreadable"]),
            (vec!["alice".into()], &unreadable)
        );
        let (_, page) = get(&world, key, &page.next.unwrap()).await;
        assert_eq!((names(&page), page.next), (vec!["carol".into()], None));
        let (status, _) = get(&world, key, "/refrain/v1/grants/bob").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    let metrics = client()
        .get(world.url("/metrics"))
        .bearer_auth(&of_alice)
        .send()
        .await;
    let metrics = metrics.unwrap().text().await.unwrap();
    for line in [r#"{status="active"} 2"#, r#"{status="unreadable"} 1"#] {
        assert!(
            metrics.contains(&format!("refrain_grants{line}")),
            "{metrics}"
        );
    }
    let (_, page) = get(&world, &of_alice, "/refrain/v1/grants").await;
    assert_eq!(page.body["unreadable"], json!([]), "it is none of his");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_signed_in_the_lists_are_empty() {
    let world = World::empty().await;
    let key = world.key_for(Grants::All, &[Permission::Manage]).await;
    let (status, page) = get(&world, &key, "/refrain/v1/grants").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page.body["grants"], json!([]), "{}", page.body);
    assert_eq!(page.next, None);
}
