//! A user leaves with one browser while another browser of theirs comes, or leaves too: whoever is second does
//! so, whole, between two calls of the first one's to the store, at each of them in turn.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use refrain::{
    Refrain,
    id::GrantName,
    keeper::logout::LoggedOut,
    lifecycle::Status,
    session::{SessionId, Whose},
    store::{Store, StoreError},
    time::BoxFuture,
};
use refrain_sim::{Profile, Sim};

use crate::{
    between::{Between, Call, Watched},
    sessions::new_session,
    world::World,
};

/// Does something before the call of a number, and nothing before any other.
struct Before(Mutex<(u32, Option<BoxFuture<'static, ()>>)>);

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Before")
    }
}

#[async_trait]
impl Between for Before {
    async fn before(&self, _: Call) -> Result<(), StoreError> {
        let due = {
            let mut plan = self.0.lock().unwrap();
            plan.0 = plan.0.saturating_sub(1);
            if plan.0 == 0 { plan.1.take() } else { None }
        };
        if let Some(due) = due {
            due.await;
        }
        Ok(())
    }
}

/// What became of a login.
#[derive(Debug)]
enum Came {
    SignedIn(SessionId),
    /// They are to be asked first.
    NotAsked,
}

/// A browser that has been to Spotify and is on its way back.
struct Coming {
    query: String,
    browser: refrain::secret::BrowserSecret,
}

async fn go_to_spotify(refrain: &Refrain, sim: &Sim, asks_anew: bool) -> Coming {
    let begun = refrain.begin_session(new_session(asks_anew)).await.unwrap();
    let location = sim.consent(&begun.login.url).unwrap();
    Coming {
        query: location.split_once('?').unwrap().1.to_owned(),
        browser: begun.browser,
    }
}

/// As a server does it.
async fn come_back(refrain: &Refrain, coming: &Coming) -> Came {
    let returned = refrain.finish_link(&coming.query, &coming.browser);
    let opened = match returned.await.unwrap().result {
        Ok(done) => refrain.open_session(Whose::User(done.grant)).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok((_, record)) => Came::SignedIn(record.id),
        Err(error) if error.code() == "login_not_asked" => Came::NotAsked,
        Err(error) => panic!("{error:?}"),
    }
}

async fn leave(
    refrain: &Refrain,
    user: &(GrantName, SessionId),
    everywhere: bool,
) -> Option<LoggedOut> {
    let (grant, session) = user;
    refrain.leave(session, grant, everywhere).await.unwrap().1
}

/// A world, one user who is signed in with one browser, and a process whose calls are counted.
struct Place {
    world: World,
    user: (GrantName, SessionId),
}

impl Place {
    async fn new() -> Self {
        let world = World::new(Profile::default()).await;
        let coming = go_to_spotify(&world.refrain, &world.sim, true).await;
        let Came::SignedIn(session) = come_back(&world.refrain, &coming).await else {
            panic!("nobody is in the way");
        };
        let grants = world.refrain.grants().await.unwrap();
        let user = (grants.first().unwrap().name.clone(), session);
        Self { world, user }
    }

    async fn comes(&self) -> SessionId {
        let coming = go_to_spotify(&self.world.refrain, &self.world.sim, false).await;
        match come_back(&self.world.refrain, &coming).await {
            Came::SignedIn(session) => session,
            Came::NotAsked => panic!("nobody is in the way"),
        }
    }

    /// A process before whose call of this number something is done; and whether it has been.
    fn interrupted(&self, nth: u32, by: BoxFuture<'static, ()>) -> (Refrain, Arc<Watched<Before>>) {
        let watched = Arc::new(Watched {
            inner: Arc::clone(&self.world.store),
            between: Before(Mutex::new((nth, Some(by)))),
        });
        let store: Arc<dyn Store> = Arc::clone(&watched) as _;
        (self.world.another_on(&store), watched)
    }

    async fn is_there(&self, session: &SessionId) -> bool {
        self.world.store.session(session).await.unwrap().is_some()
    }

    async fn is_signed_out(&self) -> bool {
        let row = self.world.row(self.user.0.as_str()).await;
        matches!(row.status, Status::SignedOut { .. })
    }

    /// What has to hold when both are through: there is a grant where there is a session, and none where there
    /// is none; and with a grant that has gone, the next login asks.
    async fn check(&self, came: &Came, round: &str) {
        assert!(!self.is_there(&self.user.1).await, "{round}: it has left");
        let signed_in = match came {
            Came::SignedIn(session) => self.is_there(session).await,
            Came::NotAsked => false,
        };
        assert_eq!(signed_in, !self.is_signed_out().await, "{round}: {came:?}");
        let left = self
            .world
            .store
            .sessions_of(&self.user.0, None, self.world.clock_wall());
        assert_eq!(left.await.unwrap(), u64::from(signed_in), "{round}");
        if !signed_in {
            let coming = go_to_spotify(&self.world.refrain, &self.world.sim, false).await;
            let next = come_back(&self.world.refrain, &coming).await;
            assert!(matches!(next, Came::NotAsked), "{round}: {next:?}");
        }
    }
}

fn was_done(watched: &Watched<Before>) -> bool {
    watched.between.0.lock().unwrap().1.is_none()
}

#[tokio::test]
async fn whoever_leaves_while_another_browser_comes_has_left_and_that_one_is_in_or_is_asked() {
    for (asks_anew, everywhere) in [(false, false), (false, true), (true, false), (true, true)] {
        for nth in 1.. {
            let round = format!("asks {asks_anew}, everywhere {everywhere}, before call {nth}");
            let place = Place::new().await;
            let coming = go_to_spotify(&place.world.refrain, &place.world.sim, asks_anew).await;
            let (leaving, user) = (place.world.another(), place.user.clone());
            let gone = Arc::new(Mutex::new(None));
            let told = Arc::clone(&gone);
            let by = Box::pin(async move {
                let done = leave(&leaving, &user, everywhere).await;
                *told.lock().unwrap() = Some(done.is_some());
            });
            let (node, watched) = place.interrupted(nth, by);
            let came = come_back(&node, &coming).await;
            if !was_done(&watched) {
                assert!(nth > 4, "{round}: {nth} calls are too few to mean anything");
                break;
            }
            place.check(&came, &round).await;
            let signed_out = gone.lock().unwrap().unwrap();
            if let Came::SignedIn(session) = &came
                && place.is_there(session).await
            {
                assert!(asks_anew || !signed_out, "{round}: waved through");
            }
        }
    }
}

#[tokio::test]
async fn whoever_comes_while_another_browser_leaves_is_in_or_is_asked() {
    for (asks_anew, everywhere) in [(false, false), (false, true), (true, false), (true, true)] {
        for nth in 1.. {
            let round = format!("asks {asks_anew}, everywhere {everywhere}, before call {nth}");
            let place = Place::new().await;
            let coming = go_to_spotify(&place.world.refrain, &place.world.sim, asks_anew).await;
            let (node, came) = (place.world.another(), Arc::new(Mutex::new(None)));
            let told = Arc::clone(&came);
            let by = Box::pin(async move {
                let done = come_back(&node, &coming).await;
                *told.lock().unwrap() = Some(done);
            });
            let (leaving, watched) = place.interrupted(nth, by);
            leave(&leaving, &place.user, everywhere).await;
            if !was_done(&watched) {
                assert!(nth > 3, "{round}: {nth} calls are too few to mean anything");
                break;
            }
            let came = came.lock().unwrap().take().unwrap();
            place.check(&came, &round).await;
        }
    }
}

#[tokio::test]
async fn whoever_leaves_twice_takes_nobody_else_along() {
    for nth in 1.. {
        let place = Place::new().await;
        let other = place.comes().await;
        let (again, user) = (place.world.another(), place.user.clone());
        let by = Box::pin(async move {
            assert!(leave(&again, &user, false).await.is_none());
        });
        let (leaving, watched) = place.interrupted(nth, by);
        assert!(leave(&leaving, &place.user, false).await.is_none(), "{nth}");
        assert!(!place.is_there(&place.user.1).await, "{nth}");
        assert!(place.is_there(&other).await, "before call {nth}");
        assert!(!place.is_signed_out().await, "before call {nth}");
        if !was_done(&watched) {
            assert!(nth > 2, "{nth} calls are too few to mean anything");
            break;
        }
    }
}

#[tokio::test]
async fn of_two_who_leave_at_once_the_last_takes_everything_along() {
    for nth in 1.. {
        let place = Place::new().await;
        let other = (place.user.0.clone(), place.comes().await);
        let (leaving, user) = (place.world.another(), other.clone());
        let by = Box::pin(async move {
            leave(&leaving, &user, false).await;
        });
        let (node, watched) = place.interrupted(nth, by);
        leave(&node, &place.user, false).await;
        if !was_done(&watched) {
            assert!(!place.is_signed_out().await, "the other is there still");
            break;
        }
        assert!(place.is_signed_out().await, "before call {nth}");
        for session in [&place.user.1, &other.1] {
            assert!(!place.is_there(session).await, "before call {nth}");
        }
    }
}
