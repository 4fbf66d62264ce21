//! The running simulator, as a test holds it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::accounts::authorize::PageError;
use crate::accounts::token::grants;
use crate::fault::Fault;
use crate::history::{Counts, Event, EventKind, TokenCall};
use crate::model::{self, App, User};
use crate::oracle::{self, GrantVerdict};
use crate::profile::{Profile, Rotation};
use crate::service::{self, Inner, Side};
use crate::steer;
use crate::wire::{ConnectionHandle, FaultyStream};
use crate::world::World;

/// A running simulator. Clones share it; dropping the last one shuts it down.
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
}

/// A grant made by [`Sim::seed_grant`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededGrant {
    /// The number of the consent chain, as in the history and the oracle.
    pub grant: u64,
    /// Its first refresh token.
    pub refresh_token: String,
    /// Its first access token.
    pub access_token: String,
}

struct Shared {
    inner: Arc<Inner>,
    accounts_url: String,
    api_url: String,
    // Dropping it is the signal that ends every listener and connection.
    _running: watch::Sender<()>,
}

// === impl Sim ===

impl Sim {
    /// Starts on free loopback ports.
    pub async fn start(profile: Profile) -> io::Result<Self> {
        Self::start_on(profile, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Starts with the Accounts service on this address.
    ///
    /// With [`Profile::separate_api`] the Web API gets the next port, or a free one if the port
    /// given is 0.
    pub async fn start_on(profile: Profile, addr: SocketAddr) -> io::Result<Self> {
        let separate = profile.separate_api;
        let accounts = TcpListener::bind(addr).await?;
        let accounts_url = format!("http://{}", accounts.local_addr()?);
        let api = if separate {
            let port = if addr.port() == 0 {
                0
            } else {
                addr.port().saturating_add(1)
            };
            Some(TcpListener::bind((addr.ip(), port)).await?)
        } else {
            None
        };
        let api_url = match &api {
            Some(listener) => format!("http://{}", listener.local_addr()?),
            None => accounts_url.clone(),
        };
        let mut world = World::new(profile);
        world.accounts_url.clone_from(&accounts_url);
        world.api_url.clone_from(&api_url);
        let inner = Arc::new(Inner::new(world));
        let (running, stop) = watch::channel(());
        let side = if api.is_some() {
            Side::Accounts
        } else {
            Side::Both
        };
        tokio::spawn(listen(accounts, side, Arc::clone(&inner), stop.clone()));
        if let Some(api) = api {
            tokio::spawn(listen(api, Side::Api, Arc::clone(&inner), stop));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                inner,
                accounts_url,
                api_url,
                _running: running,
            }),
        })
    }

    /// The origin of the Accounts service, such as `http://127.0.0.1:40001`, without a final slash.
    pub fn accounts_url(&self) -> &str {
        &self.shared.accounts_url
    }

    /// The origin of the Web API, without `/v1`.
    pub fn api_url(&self) -> &str {
        &self.shared.api_url
    }

    /// The first app of the profile.
    pub fn default_app(&self) -> App {
        self.inner()
            .world()
            .profile
            .apps
            .first()
            .cloned()
            .unwrap_or_default()
    }

    /// Adds an app, or replaces the one with the same client id.
    pub fn register_app(&self, app: App) {
        self.inner().world().put_app(app);
    }

    /// Adds a user, or replaces the one with the same id.
    pub fn add_user(&self, user: User) {
        self.inner().world().put_user(user);
    }

    /// Chooses who agrees and cancels from now on; false if there is no such user.
    pub fn sign_in_as(&self, user: &str) -> bool {
        steer::sign_in(&mut self.inner().world(), user)
    }

    /// The signed-in user opens this authorization URL and agrees: where the browser goes next.
    ///
    /// # Errors
    ///
    /// When Spotify would show an error on its own page.
    pub fn consent(&self, authorize_url: &str) -> Result<String, PageError> {
        steer::decide(&mut self.inner().world(), authorize_url, true)
    }

    /// The signed-in user opens this authorization URL and cancels: where the browser goes next.
    ///
    /// # Errors
    ///
    /// When Spotify would show an error on its own page.
    pub fn deny(&self, authorize_url: &str) -> Result<String, PageError> {
        steer::decide(&mut self.inner().world(), authorize_url, false)
    }

    /// Makes a grant without any HTTP, as if the user had agreed just now and the app had exchanged
    /// the code. Scopes that do not exist are left out.
    pub fn seed_grant(&self, client_id: &str, user: &str, scope: &str) -> SeededGrant {
        let scope = scope
            .split(' ')
            .filter_map(|one| model::parse_scope(one).ok())
            .flatten();
        let (grant, refresh_token, access_token) =
            grants::seed(&mut self.inner().world(), client_id, user, scope.collect());
        SeededGrant {
            grant,
            refresh_token,
            access_token,
        }
    }

    /// Makes every access token issued so far answer 401.
    pub fn expire_access_tokens(&self) {
        steer::expire_access_tokens(&mut self.inner().world());
    }

    /// Makes one access token answer 401; false if there is no such token.
    pub fn reject_access_token(&self, token: &str) -> bool {
        steer::reject_access_token(&mut self.inner().world(), token)
    }

    /// The user removes the app: its refresh tokens die, access tokens live to their end.
    pub fn revoke_user(&self, client_id: &str, user: &str) {
        self.inner().world().remove_app(client_id, user);
    }

    /// Moves the simulator's clock forward.
    pub fn advance(&self, by: Duration) {
        steer::advance(self.inner(), by);
    }

    /// The simulator's clock, in milliseconds since the Unix epoch.
    pub fn now_unix_ms(&self) -> i64 {
        self.inner().clock.now()
    }

    /// Scripts a fault for the next matching request.
    pub fn script(&self, fault: Fault) {
        self.inner().world().script.push(fault);
    }

    /// Scripts several faults, which fire in this order.
    pub fn script_many(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut world = self.inner().world();
        for fault in faults {
            world.script.push(fault);
        }
    }

    /// Forgets the scripted faults.
    pub fn clear_scripts(&self) {
        self.inner().world().script.clear();
    }

    /// How many scripted faults have not been used up; those with a share do not count.
    pub fn unread_scripts(&self) -> usize {
        self.inner().world().script.unread()
    }

    /// For the end of a test: every scripted fault must have met its request.
    ///
    /// # Panics
    ///
    /// When a scripted fault still waits.
    #[track_caller]
    pub fn assert_scripts_consumed(&self) {
        let unread = self.unread_scripts();
        assert_eq!(unread, 0, "{unread} scripted faults never met a request");
    }

    /// Changes what happens to refresh tokens from now on.
    pub fn set_rotation(&self, rotation: Rotation) {
        steer::set_rotation(&mut self.inner().world(), rotation);
    }

    /// The profile in force.
    pub fn profile(&self) -> Profile {
        steer::profile(&self.inner().world())
    }

    /// Changes the profile; the listeners stay as they are.
    pub fn update_profile(&self, change: impl FnOnce(&mut Profile)) {
        let mut world = self.inner().world();
        let mut profile = steer::profile(&world);
        change(&mut profile);
        world.set_profile(profile);
    }

    /// Lets every request go on that [`Hold`](crate::Action::Hold) or
    /// [`HoldAnswer`](crate::Action::HoldAnswer) holds.
    pub fn release(&self) {
        self.inner().release();
    }

    /// Waits for the first event after number `since` that matches.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future: the events stay in the history.
    pub async fn wait_for(&self, since: u64, matches: impl Fn(&Event) -> bool) -> Event {
        let mut newest = self.inner().world().history.watch();
        let mut since = since;
        loop {
            newest.borrow_and_update();
            for event in self.history_since(since) {
                if matches(&event) {
                    return event;
                }
                since = event.seq;
            }
            // It cannot close while this handle keeps the history alive.
            newest.changed().await.ok();
        }
    }

    /// Everything that happened, oldest first.
    pub fn history(&self) -> Vec<Event> {
        self.history_since(0)
    }

    /// What happened after event number `seq`.
    pub fn history_since(&self, seq: u64) -> Vec<Event> {
        self.inner().world().history.since(seq).to_vec()
    }

    /// The token calls of the history, oldest first.
    pub fn token_calls(&self) -> Vec<TokenCall> {
        let world = self.inner().world();
        let calls = world
            .history
            .since(0)
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::TokenCall(call) => Some(call.clone()),
                _ => None,
            });
        calls.collect()
    }

    /// How often things happened.
    pub fn counts(&self) -> Counts {
        self.inner().world().history.counts().clone()
    }

    /// What a correct client can still do with each consent, oldest first.
    pub fn oracle(&self) -> Vec<GrantVerdict> {
        oracle::judge(&self.inner().world())
    }

    fn inner(&self) -> &Inner {
        &self.shared.inner
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("accounts_url", &self.shared.accounts_url)
            .field("api_url", &self.shared.api_url)
            .finish_non_exhaustive()
    }
}

async fn listen(
    listener: TcpListener,
    side: Side,
    inner: Arc<Inner>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, side, Arc::clone(&inner), stop.clone()));
            }
            // Out of file descriptors, say: it passes, and spinning would not help.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn converse(stream: TcpStream, side: Side, inner: Arc<Inner>, mut stop: watch::Receiver<()>) {
    // Without it small answers wait for delayed acknowledgements; failing is only slower.
    stream.set_nodelay(true).ok();
    let handle = ConnectionHandle::default();
    let io = TokioIo::new(FaultyStream::new(stream, handle.clone()));
    let service = service_fn(move |request| {
        service::serve(Arc::clone(&inner), side, handle.clone(), request)
    });
    // Without a timer hyper waits for the next request as long as the client likes.
    let connection = http1::Builder::new().serve_connection(io, service);
    tokio::select! {
        // A broken connection is the client's business, or a fault that the history tells of.
        _ = connection => {}
        _ = stop.changed() => {}
    }
}
