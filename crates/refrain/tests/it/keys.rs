//! refrain's own API keys: who gets in, who does not, and who learns why.

use std::{sync::Arc, time::Duration};

use refrain::{
    Error, Kind, Refrain,
    access::{ApiKey, Grants, Permission, Refused, Standing},
    keeper::{
        Problem,
        keys::{KeyError, NewKey},
    },
    random::SystemRandom,
    store::{Store, StoreError},
};
use refrain_sim::Profile;

use crate::{
    between::{Between, Call, Watched},
    world::{DAY, World, signed_in},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A key for everybody's tokens.
fn new(name: &str) -> NewKey {
    NewKey {
        name: name.parse().unwrap(),
        grants: Grants::All,
        permissions: [Permission::Token].into_iter().collect(),
        rewrite_links: false,
        lifetime: None,
    }
}

fn only(grants: &[&str]) -> Grants {
    grants.iter().map(|name| name.parse().unwrap()).collect()
}

fn key_error(error: &Error) -> &KeyError {
    match error.problem() {
        Problem::ApiKey(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn refusal(refrain: &Refrain, key: &ApiKey) -> Refused {
    let error = refrain.verify_key(key).await.unwrap_err();
    // Whoever presented it learns nothing but this.
    assert_eq!(error.code(), "api_key_refused");
    assert_eq!(error.kind(), Kind::NotPermitted);
    assert_eq!(error.explain().what, "the API key is not valid");
    match key_error(&error) {
        KeyError::Refused { why } => *why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_key_gets_in_on_every_process_until_it_is_revoked() {
    let (world, _alice) = signed_in(Profile::default()).await;
    let other = world.another();
    let (key, record) = world
        .refrain
        .create_key(NewKey {
            grants: only(&["alice"]),
            rewrite_links: true,
            ..new("phone")
        })
        .await
        .unwrap();
    assert_eq!(other.verify_key(&key).await.unwrap(), record);
    assert_eq!(other.keys().await.unwrap(), std::slice::from_ref(&record));
    let presented = ApiKey::parse(key.expose()).unwrap();
    let by_id = other.key(&presented.id()).await.unwrap();
    assert_eq!(by_id.as_ref(), Some(&record));

    let revoked = other.revoke_key("phone").await.unwrap();
    assert!(revoked.news && revoked.key.id == record.id);
    assert_eq!(refusal(&world.refrain, &key).await, Refused::Revoked);
    let again = world.refrain.revoke_key("phone").await.unwrap();
    assert!(!again.news && again.key == revoked.key);
}

#[tokio::test]
async fn a_key_ends_with_its_lifetime() {
    let world = World::new(Profile::default()).await;
    let lifetime = Some(90 * DAY);
    let (key, record) = world
        .refrain
        .create_key(NewKey {
            lifetime,
            ..new("phone")
        })
        .await
        .unwrap();
    assert_eq!(record.expires_at, Some(record.created_at.after(90 * DAY)));
    world.pass(89 * DAY);
    world.refrain.verify_key(&key).await.unwrap();
    world.pass(DAY);
    assert_eq!(refusal(&world.refrain, &key).await, Refused::Expired);
    assert_eq!(record.standing(world.clock_wall()), Standing::Expired);
}

#[tokio::test]
async fn a_key_of_another_store_or_of_none_is_unknown() {
    let (here, there) = (
        World::new(Profile::default()).await,
        World::new(Profile::default()).await,
    );
    let (key, record) = here.refrain.create_key(new("phone")).await.unwrap();
    assert_eq!(refusal(&there.refrain, &key).await, Refused::Unknown);
    // Also where somebody has copied the row: the hash is of another store.
    there.store.insert_api_key(&record).await.unwrap();
    assert_eq!(refusal(&there.refrain, &key).await, Refused::Unknown);
    let nobodys = ApiKey::random(&SystemRandom).unwrap();
    assert_eq!(refusal(&here.refrain, &nobodys).await, Refused::Unknown);
}

#[tokio::test]
async fn two_keys_live_side_by_side_and_a_name_is_free_once_its_key_is_revoked() {
    let world = World::new(Profile::default()).await;
    let (old, _) = world.refrain.create_key(new("phone-1")).await.unwrap();
    let (next, _) = world.refrain.create_key(new("phone-2")).await.unwrap();
    let taken = world.refrain.create_key(new("phone-1")).await.unwrap_err();
    assert_eq!(taken.code(), "key_name_taken");
    assert!(taken.explain().fix.contains("key revoke phone-1"));
    for key in [&old, &next] {
        world.refrain.verify_key(key).await.unwrap();
    }
    world.refrain.revoke_key("phone-1").await.unwrap();
    world.refrain.verify_key(&next).await.unwrap();
    let (newest, _) = world.refrain.create_key(new("phone-1")).await.unwrap();
    world.refrain.verify_key(&newest).await.unwrap();
    assert_eq!(refusal(&world.refrain, &old).await, Refused::Revoked);
}

#[tokio::test]
async fn a_key_is_revoked_by_its_name_its_id_or_itself() {
    let world = World::new(Profile::default()).await;
    for by in 0..3 {
        let (key, record) = world.refrain.create_key(new("phone")).await.unwrap();
        let given = match by {
            0 => "phone",
            1 => record.id.as_str(),
            _ => key.expose(),
        };
        let revoked = world.refrain.revoke_key(given).await.unwrap();
        assert!(revoked.news && revoked.key.id == record.id, "{by}");
    }
    let error = world.refrain.revoke_key("nobody").await.unwrap_err();
    assert_eq!(error.code(), "unknown_api_key");
    assert!(error.to_string().contains("nobody"));
    // Mistyped, it still is most of a key.
    let nobodys = ApiKey::random(&SystemRandom).unwrap();
    for text in [nobodys.expose(), &nobodys.expose()[..40]] {
        let error = world.refrain.revoke_key(text).await.unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.explain());
        assert!(!told.contains(&text[14..]), "{told}");
    }
}

#[tokio::test]
async fn a_key_that_could_do_nothing_is_not_made() {
    let (world, _alice) = signed_in(Profile::default()).await;
    let create = |new| world.refrain.create_key(new);
    let nothing = NewKey {
        permissions: [].into_iter().collect(),
        ..new("phone")
    };
    let nowhere = NewKey {
        grants: Grants::none(),
        ..new("phone")
    };
    let stranger = NewKey {
        grants: only(&["alice", "bob"]),
        ..new("phone")
    };
    let error = create(nothing).await.unwrap_err();
    assert_eq!(error.code(), "key_without_permission");
    let error = create(nowhere).await.unwrap_err();
    assert_eq!(error.code(), "key_without_grant");
    let error = create(stranger).await.unwrap_err();
    assert_eq!(error.code(), "unknown_grant");
    assert_eq!(error.kind(), Kind::Usage);
    assert!(!error.to_string().contains("alice"), "{error}");
    assert!(error.explain().fix.contains("alice"));
    assert_eq!(world.refrain.keys().await.unwrap(), []);
    // One that manages needs no grant.
    let manager = NewKey {
        grants: Grants::none(),
        permissions: [Permission::Manage].into_iter().collect(),
        ..new("manager")
    };
    let (key, _) = create(manager).await.unwrap();
    let record = world.refrain.verify_key(&key).await.unwrap();
    assert!(record.permissions.allows(Permission::Manage));
    assert!(!record.grants.reach(&"alice".parse().unwrap()));
}

/// Counts what is written.
#[derive(Debug, Default)]
struct Writes(std::sync::atomic::AtomicU32, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Between for Writes {
    async fn before(&self, call: Call) -> Result<(), StoreError> {
        use std::sync::atomic::Ordering::Relaxed;
        if call == Call::Write {
            self.0.fetch_add(1, Relaxed);
            if self.1.load(Relaxed) {
                return Err(StoreError::Unavailable {
                    place: "here".to_owned(),
                    source: refrain::store::cause("a test has it so"),
                });
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute_however_many_there_are() {
    use std::sync::atomic::Ordering::Relaxed;
    let world = World::new(Profile::default()).await;
    let (key, record) = world.refrain.create_key(new("phone")).await.unwrap();
    assert_eq!(record.last_used_at, None);
    let watched = Arc::new(Watched {
        inner: Arc::clone(&world.store),
        between: Writes::default(),
    });
    let refrain = world.another_on(&(Arc::clone(&watched) as Arc<dyn Store>));
    let begin = world.clock_wall();
    for (noted, writes) in [(0, 1), (1, 2)] {
        for second in 0..60 {
            refrain.verify_key(&key).await.unwrap();
            assert!(refrain.idle(MINUTE).await);
            let read = world.refrain.key(&record.id).await.unwrap().unwrap();
            let last = begin.after(noted * MINUTE);
            assert_eq!(read.last_used_at, Some(last), "{noted} {second}");
            world.pass(Duration::from_secs(1));
        }
        assert_eq!(watched.between.0.load(Relaxed), writes);
    }
    // A store that takes no note does not keep anybody out.
    watched.between.1.store(true, Relaxed);
    refrain.verify_key(&key).await.unwrap();
    assert!(refrain.idle(MINUTE).await);
    assert_eq!(watched.between.0.load(Relaxed), 3);
}

#[tokio::test]
async fn a_store_that_is_gone_is_a_fault_and_no_refusal() {
    #[derive(Debug)]
    struct Gone;
    #[async_trait::async_trait]
    impl Between for Gone {
        async fn before(&self, _: Call) -> Result<(), StoreError> {
            Err(StoreError::Unavailable {
                place: "here".to_owned(),
                source: refrain::store::cause("a test has it so"),
            })
        }
    }
    let world = World::new(Profile::default()).await;
    let (key, _) = world.refrain.create_key(new("phone")).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(Watched {
        inner: Arc::clone(&world.store),
        between: Gone,
    });
    let error = world.another_on(&store).verify_key(&key).await.unwrap_err();
    assert_eq!(error.code(), "storage_unavailable");
}
