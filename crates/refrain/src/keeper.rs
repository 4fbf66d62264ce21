//! Keeps grants fresh: the only module that calls the provider, and the one that orders the steps.
//!
//! One refresh, from top to bottom (`refresh`): read the row, **arm** (a durable intent), connect, check
//! the lease once more, **present**, **commit** (compare-and-set), publish. It runs in a task of its
//! own: a caller that gives up stops waiting, and nothing else. What a caller gets is only ever opened
//! from a row that is in the store (`live`), so no token is used before it is durable.
//!
//! Promises kept here: durable before used (`commit`), intent before presenting (`refresh`), one
//! refresh per expiry (`flight`), a 401 repaired once (`rejected`), logout and re-login win (`logout`,
//! `login`, and the `feed` of what other processes do).

mod ahead;
#[cfg(feature = "failpoints")]
mod broken;
pub mod carried;
mod caught;
mod cells;
mod commit;
mod contended;
mod counts;
mod error;
mod explain;
mod feed;
mod flight;
pub mod import;
pub mod keys;
mod limits;
pub mod links;
mod live;
pub mod login;
pub mod logout;
mod look;
mod orphans;
mod outcomes;
mod present;
mod refresh;
mod refusal;
mod release;
#[cfg(test)]
mod schedules;
pub mod sessions;
mod sync;
mod tasks;
mod visitor;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::OnceCell;

pub use self::{
    error::{Error, Kind, Problem},
    explain::Explanation,
    live::{Live, Served},
};
use crate::{
    config::{App, Network},
    id::{AppName, DeveloperName, GrantName, InstanceId},
    keeper::{
        ahead::Pace,
        cells::Cells,
        counts::Counts,
        feed::Feed,
        flight::Goal,
        keys::Uses,
        limits::Limits,
        live::Abouts,
        look::Looks,
        outcomes::Outcomes,
        sync::{AtomicBool, spawn},
        tasks::Tasks,
    },
    lifecycle::{Cause, GrantRow, app::AppState, timing},
    oauth::transport::Transport,
    provider::Provider,
    random::Random,
    seal::Sealer,
    secret::AccessToken,
    store::{Store, Versioned, Written},
    time::Clock,
};
pub(crate) use live::Cell;

/// Everything that a keeper is given; nothing in here is a global.
#[derive(Debug)]
pub struct Parts {
    /// Where rows are.
    pub store: Arc<dyn Store>,
    /// What opens them.
    pub sealer: Sealer,
    /// The way to the provider.
    pub transport: Arc<dyn Transport>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Where the provider is.
    pub provider: Provider,
    /// The apps of the configuration.
    pub apps: BTreeMap<AppName, App>,
    /// How API clients leave this machine; the transport has its own copy.
    pub network: Network,
}

impl Parts {
    /// The developer account of an app; one that the configuration has not is its developer's only one.
    pub fn developer(&self, app: &AppName) -> DeveloperName {
        let known = self.apps.get(app);
        known.map_or_else(|| app.into(), |app| app.developer.clone())
    }
}

/// Keeps the grants of one store fresh for one process.
#[derive(Debug)]
pub struct Keeper {
    parts: Parts,
    instance: InstanceId,
    announced: OnceCell<()>,
    cells: Cells,
    feed: Feed,
    looks: Looks,
    abouts: Abouts,
    limits: Limits,
    counts: Counts,
    paces: BTreeMap<AppName, Arc<Pace>>,
    walks: AtomicBool,
    /// Whether grants are refreshed before anybody needs it.
    looks_ahead: bool,
    uses: Uses,
    outcomes: Outcomes,
    /// How often an intent was to be written.
    attempts: AtomicU64,
    tasks: Tasks,
}

impl Keeper {
    /// Starts keeping.
    pub fn new(parts: Parts) -> Result<Arc<Self>, Error> {
        Self::with(parts, true)
    }

    /// The same for grants that others carry; see [`carried`].
    pub(crate) fn carrying(parts: Parts) -> Result<Arc<Self>, Error> {
        Self::with(parts, false)
    }

    fn with(parts: Parts, looks_ahead: bool) -> Result<Arc<Self>, Error> {
        let instance = InstanceId::random(parts.random.as_ref())?;
        let paces = ahead::paces(&parts.apps, parts.clock.uptime());
        let limits = Limits::new(&parts.apps, Arc::clone(&parts.clock));
        Ok(Arc::new(Self {
            parts,
            instance,
            announced: OnceCell::new(),
            cells: Cells::new(),
            feed: Feed::new(),
            looks: Looks::default(),
            abouts: Abouts::default(),
            limits,
            counts: Counts::default(),
            paces,
            walks: AtomicBool::new(false),
            looks_ahead,
            uses: Uses::default(),
            outcomes: Outcomes::default(),
            attempts: AtomicU64::new(0),
            tasks: Tasks::default(),
        }))
    }

    /// By what this process is known to others.
    pub(crate) fn instance(&self) -> InstanceId {
        self.instance
    }

    /// What it was given.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// How many refreshes ended in which way, since the process began.
    pub(crate) fn outcomes(&self) -> Vec<(&'static str, u64)> {
        self.outcomes.told()
    }

    /// The handle of a grant; whether the grant exists is found out when it is used.
    pub(crate) fn cell(&self, name: &GrantName) -> Arc<Cell> {
        self.cells.get_or_new(name)
    }

    /// A token that lives at least `min_ttl` from now, where the provider's tokens live that long.
    ///
    /// `None` asks for any token that is not due: one that is due but lives is served at once, while its
    /// successor is fetched behind the caller's back. A refresh that fails does not take away a token
    /// that still works; it is served to its end, with the failure beside it.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the refresh.
    pub(crate) async fn token(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        min_ttl: Option<Duration>,
    ) -> Result<Served, Error> {
        let now = self.parts.clock.uptime();
        let served = |live| {
            cell.note_use();
            let warning = None;
            Ok(Served { live, warning })
        };
        // What the feed vouches for need not be looked at: dead, it is refreshed, and nothing else.
        let vouched = self.vouched(cell, now);
        let held = vouched.then(|| cell.live.load_full()).flatten();
        let live = match held {
            Some(live) => Some(live),
            None => match self.look_together(cell).await {
                Ok(live) => live,
                Err(error) => return self.serve_anyway(cell, error),
            },
        };
        let now = self.parts.clock.uptime();
        match live {
            Some(live) if live.lasts(min_ttl, now) => served(live),
            Some(live) if self.looks_ahead && min_ttl.is_none() && live.lives(now) => {
                if live
                    .about
                    .pace
                    .as_ref()
                    .is_none_or(|pace| pace.may_start(now))
                {
                    let than = Some(Arc::clone(&live));
                    self.board(cell, &Goal::Lasting { min_ttl, than });
                }
                served(live)
            }
            than => match self.refresh(cell, &Goal::Lasting { min_ttl, than }).await {
                Ok(live) => served(live),
                Err(error) => self.serve_anyway(cell, error),
            },
        }
    }

    /// The last resort when a fault is in the way: what is in memory, if it lives.
    fn serve_anyway(&self, cell: &Arc<Cell>, error: Error) -> Result<Served, Error> {
        let live = cell
            .live
            .load_full()
            .filter(|live| live.lives(self.parts.clock.uptime()));
        match live {
            Some(live) if !error.problem().ends_the_grant() => {
                tracing::debug!(grant = %cell.name, code = error.code(), "serving a token that is due");
                Ok(Served {
                    live,
                    warning: Some(error),
                })
            }
            _ => Err(error),
        }
    }

    /// The API rejected this token: answers a newer one, refreshing at most once for however many
    /// callers hold the same dead one. The same token comes back where another refresh would not help.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the refresh.
    pub(crate) async fn rejected(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        token: &AccessToken,
    ) -> Result<Arc<Live>, Error> {
        let goal = Goal::NotThis(token.clone());
        if self.vouched(cell, self.parts.clock.uptime())
            && let Some(live) = cell.live.load_full()
            && goal.met_by(&live, self.parts.clock.uptime())
        {
            return Ok(live);
        }
        match self.refresh(cell, &goal).await {
            Err(error) if matches!(error.problem(), Problem::ForcedRecently { .. }) => {
                self.reload(cell).await?.ok_or(error)
            }
            result => result,
        }
    }

    /// Refreshes now, because a person asks; also where refrain itself would wait or has given up.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the refresh.
    pub(crate) async fn refresh_now(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
    ) -> Result<Arc<Live>, Error> {
        let row = self.read(&cell.name).await?.value;
        self.refresh(cell, &Goal::After(row.epoch, row.minting, Cause::Asked))
            .await
    }

    /// Reads a grant, which has to be there.
    pub(crate) async fn read(&self, name: &GrantName) -> Result<Versioned<GrantRow>, Error> {
        let row = self.parts.store.grant(name).await?;
        row.ok_or_else(|| Problem::UnknownGrant { name: name.clone() }.into())
    }

    /// Waits until no refresh is in flight, or until `most` has passed; answers whether all have ended.
    pub async fn idle(self: &Arc<Self>, most: Duration) -> bool {
        let ended = async {
            self.tasks.ended().await;
            // The feed may end with this process. In a task: a caller who has stopped polling this, and has
            // not dropped it, would keep all others from their step.
            let keeper = Arc::clone(self);
            drop(spawn(async move { keeper.keep_gates().await }).await);
        };
        tokio::select! {
            () = ended => true,
            () = self.parts.clock.sleep(most) => false,
        }
    }

    /// The same, with none begun from now on.
    pub async fn close(self: &Arc<Self>, most: Duration) -> bool {
        self.tasks.close();
        self.idle(most).await
    }

    /// The app that a row belongs to, as long as the configuration still means the same client.
    fn app_of(&self, row: &GrantRow) -> Result<&App, Error> {
        let app = self.app(&row.app)?;
        if app.client.id == row.client_id {
            return Ok(app);
        }
        let (grant, app) = (row.name.clone(), row.app.clone());
        Err(Problem::ClientChanged { grant, app }.into())
    }

    /// An app of the configuration.
    pub(crate) fn app(&self, name: &AppName) -> Result<&App, Error> {
        self.parts.apps.get(name).ok_or_else(|| {
            let configured = self.parts.apps.keys().cloned().collect();
            Problem::UnknownApp {
                name: name.clone(),
                configured,
            }
            .into()
        })
    }

    /// Changes what is known about an app, however many processes do so at the same time.
    async fn update_app(
        &self,
        app: &AppName,
        change: impl Fn(&AppState) -> Option<AppState> + Send + Sync,
    ) -> Result<Option<AppState>, Error> {
        loop {
            let seen = self.parts.store.app_state(app).await?;
            let Some(next) = change(&seen.value) else {
                return Ok(None);
            };
            match self
                .parts
                .store
                .replace_app_state(app, seen.version, &next)
                .await?
            {
                Written::Durably(_) => return Ok(Some(next)),
                Written::Conflict => {}
            }
        }
    }

    /// A pause with ±20 % of jitter, so that many processes do not come back as one.
    fn jittered(&self, pause: Duration) -> Duration {
        let random =
            crate::random::bytes::<1>(self.parts.random.as_ref()).map_or(128, |[byte]| byte);
        pause.mul_f64(0.8 + 0.4 * f64::from(random) / 255.0)
    }
}

impl Goal {
    /// Which cause a row is armed for.
    fn cause(&self) -> Cause {
        match self {
            Self::Lasting { .. } => Cause::Due,
            Self::NotThis(_) => Cause::Rejected,
            Self::After(_, _, cause) => *cause,
        }
    }
}

const _: () = assert!(timing::PATIENCE.as_secs() > timing::TOKEN_CALL.as_secs());
