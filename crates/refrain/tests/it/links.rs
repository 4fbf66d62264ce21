//! Connect links: one user, one browser, once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use refrain::{
    Refrain,
    connect::ConnectLink,
    keeper::links::{LinkBegun, NewLink, Returned, USUAL_LIFE},
    secret::BrowserSecret,
    store::{Cause, Store, StoreError},
};
use refrain_sim::{Profile, Sim, User};

use crate::{
    between::{Between, Call, Watched},
    world::{World, signed_in},
};

fn new(grant: &str) -> NewLink {
    NewLink {
        grant: grant.parse().unwrap(),
        app: None,
        scope: None,
        return_to: Some("https://app.example/done".parse().unwrap()),
        reconnect: None,
        lifetime: USUAL_LIFE,
    }
}

async fn link(world: &World, grant: &str) -> ConnectLink {
    world.refrain.create_link(new(grant)).await.unwrap().0
}

/// The code of what keeps a link from being opened or begun with; the same for both.
async fn closed(world: &World, link: &ConnectLink) -> &'static str {
    let opened = world.refrain.open_link(link).await.unwrap_err();
    let begun = world.refrain.begin_link(link, None).await.unwrap_err();
    assert_eq!(opened.code(), begun.code());
    opened.code()
}

/// The user agrees, and the browser comes back.
async fn come_back(refrain: &Refrain, sim: &Sim, begun: &LinkBegun) -> Returned {
    let location = sim.consent(&begun.login.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    refrain.finish_link(query, &begun.browser).await.unwrap()
}

fn code(returned: &Returned) -> &'static str {
    returned.result.as_ref().unwrap_err().code()
}

#[tokio::test]
async fn a_user_consents_by_a_link_once() {
    let world = World::new(Profile::default()).await;
    let (link, record) = world.refrain.create_link(new("alice")).await.unwrap();
    assert!(!format!("{record:?}{link:?}").contains(&link.expose()[10..]));
    for _ in 0..3 {
        // To look at it uses nothing up.
        let read = world.another().open_link(&link).await.unwrap();
        assert_eq!(read, record);
    }
    assert!(!record.terms.reconnect);
    let begun = world.refrain.begin_link(&link, None).await.unwrap();
    let returned = come_back(&world.another(), &world.sim, &begun).await;
    assert_eq!(returned.link, Some(record.id));
    let place = returned.return_to.unwrap().to_string();
    assert_eq!(place, "https://app.example/done");
    let done = returned.result.unwrap();
    assert_eq!(
        (&done.grant, &done.scope),
        (&returned.grant, &record.terms.scope)
    );
    let alice = world.refrain.grant("alice").await.unwrap();
    alice.access_token().await.unwrap();
    assert_eq!(closed(&world, &link).await, "link_used");
    // What was used stays so when the user is gone.
    alice.logout().await.unwrap();
    assert_eq!(closed(&world, &link).await, "link_used");
    world.pass(USUAL_LIFE);
    assert_eq!(closed(&world, &link).await, "link_used");
    assert_eq!(world.sim.counts().exchanges, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_browsers_that_begin_at_once_one_does() {
    let world = World::new(Profile::default()).await;
    let link = link(&world, "alice").await;
    let mut browsers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (refrain, link) = (world.another(), link.clone());
        browsers.spawn(async move { refrain.begin_link(&link, None).await });
    }
    let (begun, refused): (Vec<_>, Vec<_>) = browsers
        .join_all()
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!(begun.len(), 1);
    let codes = refused.iter().map(|it| it.as_ref().unwrap_err().code());
    assert!(codes.clone().all(|code| code == "link_used"));
    let begun = begun.into_iter().next().unwrap().unwrap();
    let returned = come_back(&world.refrain, &world.sim, &begun).await;
    assert!(returned.result.is_ok());
}

#[tokio::test]
async fn the_browser_that_began_is_the_one_that_comes_back() {
    let world = World::new(Profile::default()).await;
    let begun = {
        let link = link(&world, "alice").await;
        world.refrain.begin_link(&link, None).await.unwrap()
    };
    let location = world.sim.consent(&begun.login.url).unwrap();
    let query = location.split_once('?').unwrap().1;
    let other = BrowserSecret::new("of another browser");
    let stranger = world.refrain.finish_link(query, &other).await.unwrap_err();
    assert_eq!(stranger.code(), "login_over");
    let nobody = world.refrain.finish_login(query).await.unwrap_err();
    assert_eq!(nobody.code(), "login_over");
    assert_eq!(world.sim.counts().token_calls, 0);
    let returned = world.refrain.finish_link(query, &begun.browser).await;
    assert!(returned.unwrap().result.is_ok());
    let again = world.refrain.finish_link(query, &begun.browser).await;
    assert_eq!(again.unwrap_err().code(), "login_over");
}

#[tokio::test]
async fn a_link_is_over_after_its_time() {
    let world = World::new(Profile::default()).await;
    let short = NewLink {
        lifetime: Duration::from_secs(60),
        ..new("alice")
    };
    let (early, _) = world.refrain.create_link(short).await.unwrap();
    let late = link(&world, "bob").await;
    world.pass(Duration::from_secs(59));
    world.refrain.open_link(&early).await.unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(closed(&world, &early).await, "link_expired");
    // It goes when the next one is made or used.
    world.refrain.begin_link(&late, None).await.unwrap();
    assert_eq!(closed(&world, &early).await, "link_unknown");
    let other = ConnectLink::random(&refrain::random::SystemRandom).unwrap();
    assert_eq!(closed(&world, &other).await, "link_unknown");
    let forged = format!("{}{}", late.id(), "0".repeat(27));
    let forged = ConnectLink::parse(&forged).unwrap();
    assert_eq!(closed(&world, &forged).await, "link_unknown");
}

#[tokio::test]
async fn a_logout_or_a_login_ends_the_links_that_were_made_before() {
    let (world, alice) = signed_in(Profile::default()).await;
    let (waiting, begun) = (link(&world, "alice").await, link(&world, "alice").await);
    let begun = world.refrain.begin_link(&begun, None).await.unwrap();
    alice.logout().await.unwrap();
    assert_eq!(closed(&world, &waiting).await, "link_overtaken");
    let returned = come_back(&world.refrain, &world.sim, &begun).await;
    assert_eq!(code(&returned), "link_overtaken");
    assert_eq!(alice.access_token().await.unwrap_err().code(), "signed_out");
    // One that is made afterwards is as good as any; of two for the same new grant the first counts.
    let (one, two) = (link(&world, "alice").await, link(&world, "alice").await);
    let one = world.refrain.begin_link(&one, None).await.unwrap();
    let two = world.refrain.begin_link(&two, None).await.unwrap();
    let first = come_back(&world.refrain, &world.sim, &two).await;
    assert!(first.result.is_ok(), "{first:?}");
    let second = come_back(&world.refrain, &world.sim, &one).await;
    assert_eq!(code(&second), "link_overtaken");
}

#[tokio::test]
async fn a_reconnect_is_for_the_same_account() {
    let profile = Profile {
        users: vec![User::new("alice"), User::new("mallory")],
        ..Profile::default()
    };
    let (world, alice) = signed_in(profile).await;
    let before = world.row("alice").await;
    let (again, record) = world.refrain.create_link(new("alice")).await.unwrap();
    assert!(record.terms.reconnect);
    assert!(world.sim.sign_in_as("mallory"));
    let begun = world.refrain.begin_link(&again, None).await.unwrap();
    let returned = come_back(&world.refrain, &world.sim, &begun).await;
    assert_eq!(code(&returned), "login_other_account");
    assert_eq!(world.row("alice").await, before);
    alice.access_token().await.unwrap();
    assert!(world.sim.sign_in_as("alice"));
    let again = link(&world, "alice").await;
    let begun = world.refrain.begin_link(&again, None).await.unwrap();
    let returned = come_back(&world.refrain, &world.sim, &begun).await;
    assert!(returned.result.is_ok(), "{returned:?}");
    assert_eq!(world.row("alice").await.epoch, before.epoch.next());
}

#[tokio::test]
async fn what_a_link_is_for_has_to_be_possible() {
    let (world, alice) = signed_in(Profile::default()).await;
    let refused = async |new: NewLink| {
        let refused = world.refrain.create_link(new).await;
        refused.unwrap_err().code()
    };
    let asked = |grant: &str, reconnect| NewLink {
        reconnect: Some(reconnect),
        ..new(grant)
    };
    assert_eq!(refused(asked("alice", false)).await, "grant_exists");
    assert_eq!(refused(asked("bob", true)).await, "unknown_grant");
    alice.logout().await.unwrap();
    assert_eq!(refused(asked("alice", true)).await, "signed_out");
    world
        .refrain
        .create_link(asked("alice", false))
        .await
        .unwrap();
    let of_app = NewLink {
        app: Some("other".parse().unwrap()),
        ..new("alice")
    };
    assert_eq!(refused(of_app).await, "unknown_app");
    for seconds in [0, 3601] {
        let new = NewLink {
            lifetime: Duration::from_secs(seconds),
            ..new("alice")
        };
        assert_eq!(refused(new).await, "link_lifetime", "{seconds}");
    }
}

/// Does what it is told to write, and says that nobody knows: from the armed call on, once.
#[derive(Debug)]
struct Doubtful(AtomicU32);

#[async_trait]
impl Between for Arc<Doubtful> {
    async fn after(&self, call: Call) -> Result<(), StoreError> {
        if call == Call::Write && self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            let source: Cause = Arc::new(std::io::Error::other("the answer is lost"));
            let place = "memory".to_owned();
            return Err(StoreError::Unavailable { place, source });
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_login_whose_write_was_not_heard_of_is_not_taken_for_anothers() {
    let world = World::new(Profile::default()).await;
    let doubtful = Arc::new(Doubtful(AtomicU32::new(u32::MAX)));
    let store: Arc<dyn Store> = Arc::new(Watched {
        inner: Arc::clone(&world.store),
        between: Arc::clone(&doubtful),
    });
    let refrain = world.another_on(&store);
    let link = link(&world, "alice").await;
    let begun = world.refrain.begin_link(&link, None).await.unwrap();
    // The attempt is taken out, then the grant is written.
    doubtful.0.store(2, Ordering::Relaxed);
    let returned = world.in_time(come_back(&refrain, &world.sim, &begun)).await;
    assert!(returned.result.is_ok(), "{returned:?}");
    let alice = refrain.grant("alice").await.unwrap();
    alice.access_token().await.unwrap();
}
