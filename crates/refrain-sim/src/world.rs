//! Everything the simulated Spotify knows: apps, users, consents, tokens, and what happened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::chain::{Chain, DeathCause};
use crate::clock::{self, UnixMs};
use crate::fault::Script;
use crate::history::{EventKind, History};
use crate::mint;
use crate::model::{App, User};
use crate::profile::Profile;

/// An authorization code and what it was given for.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) user: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: BTreeSet<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) issued_at: UnixMs,
    /// The chain that the code opened, once it was exchanged.
    pub(crate) chain: Option<u64>,
}

/// An access token and what it allows.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) client_id: String,
    /// The chain and link that it was issued with; none for client credentials.
    pub(crate) origin: Option<(u64, usize)>,
    pub(crate) scope: BTreeSet<String>,
    pub(crate) ends_at: UnixMs,
}

/// The whole state, behind one lock.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) profile: Profile,
    pub(crate) accounts_url: String,
    pub(crate) api_url: String,
    pub(crate) signed_in: String,
    pub(crate) script: Script,
    pub(crate) history: History,
    pub(crate) rotation_script: VecDeque<bool>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) chains: BTreeMap<u64, Chain>,
    pub(crate) refresh_tokens: HashMap<String, (u64, usize)>,
    pub(crate) access_tokens: HashMap<String, AccessToken>,
    /// What each user has ever allowed each app, until they remove it.
    pub(crate) consents: HashMap<(String, String), BTreeSet<String>>,
    /// Open token calls per chain.
    pub(crate) in_flight: HashMap<u64, u32>,
    /// The times of recent calls per app, for the 30 s window.
    pub(crate) rate: HashMap<String, VecDeque<UnixMs>>,
    /// The times of recent calls per app owner, for the quota.
    pub(crate) quota: HashMap<String, VecDeque<UnixMs>>,
    pub(crate) player_calls: u32,
    /// Whether music plays; if not, the player answers 204.
    pub(crate) playing: bool,
    pub(crate) playlists: Vec<(String, String)>,
    secrets: HashSet<String>,
    now: UnixMs,
    real_us: u64,
}

// === impl World ===

impl World {
    pub(crate) fn new(profile: Profile) -> Self {
        let signed_in = profile
            .users
            .first()
            .map(|user| user.id.clone())
            .unwrap_or_default();
        let mut world = Self {
            accounts_url: String::new(),
            api_url: String::new(),
            signed_in,
            script: Script::default(),
            history: History::default(),
            rotation_script: VecDeque::new(),
            codes: HashMap::new(),
            chains: BTreeMap::new(),
            refresh_tokens: HashMap::new(),
            access_tokens: HashMap::new(),
            consents: HashMap::new(),
            in_flight: HashMap::new(),
            rate: HashMap::new(),
            quota: HashMap::new(),
            player_calls: 0,
            playing: true,
            playlists: vec![],
            secrets: HashSet::new(),
            profile: Profile::default(),
            now: 0,
            real_us: 0,
        };
        world.set_profile(profile);
        world
    }

    /// Takes over a profile, its scripts included.
    pub(crate) fn set_profile(&mut self, mut profile: Profile) {
        self.rotation_script = std::mem::take(&mut profile.rotation_sequence).into();
        self.profile = profile;
        self.secrets = self
            .profile
            .apps
            .iter()
            .filter_map(|app| app.client_secret.clone())
            .collect();
    }

    /// Sets the time of everything that happens until the next call.
    pub(crate) fn at(&mut self, now: UnixMs, real_us: u64) {
        self.now = now;
        self.real_us = real_us;
    }

    pub(crate) fn now(&self) -> UnixMs {
        self.now
    }

    pub(crate) fn record(&mut self, kind: EventKind) {
        self.history.record(self.now, self.real_us, kind);
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.profile
            .apps
            .iter()
            .find(|app| app.client_id == client_id)
    }

    /// Adds an app, or replaces the one with the same id.
    pub(crate) fn put_app(&mut self, app: App) {
        self.secrets.extend(app.client_secret.clone());
        self.profile
            .apps
            .retain(|known| known.client_id != app.client_id);
        self.profile.apps.push(app);
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.profile.users.iter().find(|user| user.id == id)
    }

    /// Adds a user, or replaces the one with the same id.
    pub(crate) fn put_user(&mut self, user: User) {
        self.profile.users.retain(|known| known.id != user.id);
        self.profile.users.push(user);
    }

    /// What kind of credential this text is, if it is one.
    pub(crate) fn credential_kind(&self, text: &str) -> Option<&'static str> {
        if self.access_tokens.contains_key(text) {
            Some("access_token")
        } else if self.refresh_tokens.contains_key(text) {
            Some("refresh_token")
        } else if self.secrets.contains(text) {
            Some("client_secret")
        } else {
            None
        }
    }

    /// Issues an access token.
    pub(crate) fn issue_access(
        &mut self,
        client_id: &str,
        origin: Option<(u64, usize)>,
        scope: BTreeSet<String>,
    ) -> String {
        let token = mint::access_token();
        let ends_at = self
            .now
            .saturating_add(clock::millis(self.profile.access_ttl));
        let client_id = client_id.to_owned();
        self.access_tokens.insert(
            token.clone(),
            AccessToken {
                client_id,
                origin,
                scope,
                ends_at,
            },
        );
        token
    }

    /// Makes the access tokens that match answer 401 from now on.
    pub(crate) fn end_access(&mut self, which: impl Fn(&AccessToken) -> bool) {
        let now = self.now;
        for token in self.access_tokens.values_mut().filter(|token| which(token)) {
            token.ends_at = token.ends_at.min(now);
        }
    }

    /// The user removes the app: the refresh tokens die, the access tokens live to their end.
    pub(crate) fn remove_app(&mut self, client_id: &str, user: &str) {
        let seq = self.history.next_seq();
        for chain in self.chains.values_mut() {
            if chain.client_id == client_id && chain.user == user {
                chain.kill(DeathCause::RevokedByUser, seq);
            }
        }
        self.consents
            .remove(&(client_id.to_owned(), user.to_owned()));
        self.record(EventKind::Control {
            what: format!("{user} removed app {client_id}"),
        });
    }
}
