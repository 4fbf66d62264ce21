//! What a program holds: [`Refrain`], one open store, and [`Grant`], one user's authorization in it.

mod carried;
mod keys;
mod links;
mod page;
mod sessions;
mod why;

use std::{sync::Arc, time::Duration};

pub use self::why::{Next, Why};
use crate::{
    id::{AppName, Epoch, GrantName},
    keeper::{
        Cell, Error, Keeper, Live, Parts, Problem, Served,
        import::{ImportRequest, TakenOver},
        login::{Begun, LoggedIn, LoginRequest},
        logout::LoggedOut,
    },
    lifecycle::{
        Event, GrantRow,
        row::{Account, Consent, Status, Trouble},
    },
    limit::{Gate, Gates},
    oauth::{origin::Origin, scope::Scope},
    secret::{AccessToken, BrowserSecret},
    store::Versioned,
    time::{Moment, UnixMillis},
};

/// How many events of a grant's story are told.
const STORY: u32 = 200;

/// So many grants are read at once.
const PAGE: u32 = 500;
/// So many are looked at to find the only one, and named where it is not.
const SEVERAL: usize = 500;

/// An open store and the grants in it. Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example() -> Result<(), refrain::Error> {
/// use refrain::{Config, Refrain};
///
/// let refrain = Refrain::open(Config::load()?).await?;
/// let alice = refrain.grant("alice").await?;
/// let token = alice.access_token().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Refrain {
    keeper: Arc<Keeper>,
}

impl Refrain {
    /// Starts on parts of the caller's own: another store, transport, clock or randomness.
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        Ok(Self {
            keeper: Keeper::new(parts)?,
        })
    }

    /// Takes up, in the background, refreshes that processes have died over; `open` does so by itself.
    pub fn take_up_orphans(&self) {
        self.keeper.take_up_orphans();
    }

    /// The handle of one grant.
    ///
    /// # Errors
    /// Where there is no grant of this name, or it is no name.
    pub async fn grant(&self, name: &str) -> Result<Grant, Error> {
        let name: GrantName = name.parse().map_err(Problem::Name)?;
        let row = self.keeper.read(&name).await?.value;
        Ok(self.handle(&row))
    }

    /// The handle of one grant, without asking the store whether it exists: that is found out when the
    /// handle is used.
    pub fn grant_named(&self, name: &GrantName) -> Grant {
        Grant {
            keeper: Arc::clone(&self.keeper),
            cell: self.keeper.cell(name),
        }
    }

    /// The handle of the only grant.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub async fn only_grant(&self) -> Result<Grant, Error> {
        let mut rows = self.rows(SEVERAL).await?;
        if rows.len() > 1 {
            rows.retain(|row| !matches!(row.value.status, Status::SignedOut { .. }));
        }
        let names: Vec<_> = rows.iter().map(|row| row.value.name.clone()).collect();
        match (rows.pop(), names.len()) {
            (Some(row), 1) => Ok(self.handle(&row.value)),
            (None, _) => Err(Problem::NoGrant.into()),
            (Some(_), _) => Err(Problem::SeveralGrants { names }.into()),
        }
    }

    /// All grants, by name.
    pub async fn grants(&self) -> Result<Vec<Summary>, Error> {
        let rows = self.rows(usize::MAX).await?;
        let now = self.keeper.parts().clock.now();
        Ok(rows
            .into_iter()
            .map(|row| Summary::of(row.value, &now))
            .collect())
    }

    /// Reads grants by name, page after page, until there are enough.
    async fn rows(&self, most: usize) -> Result<Vec<Versioned<GrantRow>>, Error> {
        let mut rows: Vec<Versioned<GrantRow>> = Vec::new();
        while rows.len() < most {
            let after = rows.last().map(|row| &row.value.name);
            let page = self.keeper.parts().store.grants(after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        Ok(rows)
    }

    /// Begins a login; see [`Begun::url`].
    pub async fn begin_login(&self, request: LoginRequest) -> Result<Begun, Error> {
        self.keeper.begin_login(request).await
    }

    /// Finishes a login with the query of the callback, in whatever process it began; works once.
    pub async fn finish_login(&self, query: &str) -> Result<LoggedIn, Error> {
        self.keeper.finish_login(query, None).await
    }

    /// The same for a login that began with a [`BrowserSecret`]: only the browser that holds it can
    /// finish it.
    pub async fn finish_login_in(
        &self,
        query: &str,
        browser: &BrowserSecret,
    ) -> Result<LoggedIn, Error> {
        self.keeper.finish_login(query, Some(browser)).await
    }

    /// Takes over a refresh token that another program holds: verifies it by a refresh, and finds out whose
    /// it is.
    pub async fn import(&self, request: ImportRequest) -> Result<TakenOver, Error> {
        self.keeper.import(request).await
    }

    /// Asks the provider whether an app's credentials are good.
    pub async fn check_client(&self, app: &AppName) -> Result<(), Error> {
        self.keeper.check_client(app).await
    }

    /// The same, and asks the Web API whether it answers the app: one request, with a token of the app's own.
    ///
    /// # Errors
    /// [`OwnerNotPremium`](crate::keeper::login::LoginError::OwnerNotPremium) beside those of [`check_client`](Self::check_client).
    pub async fn check_owner(&self, app: &AppName) -> Result<(), Error> {
        self.keeper.check_owner(app).await
    }

    /// The gates of the Web API's limits, for whoever sends requests to it: to be asked before each, and
    /// told of each 429. Those that the store has are among them from the first call on, and from then on
    /// all processes on the store hear of one another's within two seconds.
    ///
    /// # Errors
    /// Where the store cannot be read for the first time. Later this process goes by what it knows.
    pub async fn gates(&self) -> Result<Gates, Error> {
        self.keeper.gates().await
    }

    /// The gates that the store has, for people to look at.
    pub async fn limits(&self) -> Result<Vec<Gate>, Error> {
        let gates = self.keeper.parts().store.limits().await?;
        Ok(gates.into_iter().map(|gate| gate.value).collect())
    }

    /// How many refreshes of this process ended in which way: `renewed`, whoever asked for it and also
    /// where another process was faster, or the [word](crate::Kind::word) of what has to be done.
    pub fn refreshes(&self) -> Vec<(&'static str, u64)> {
        self.keeper.outcomes()
    }

    /// How many other processes refresh grants of this store, as far as this machine can tell; `None` where
    /// the store keeps no list of them.
    pub async fn processes(&self) -> Result<Option<usize>, Error> {
        let running = self.keeper.parts().store.running().await?;
        let own = self.keeper.instance();
        let others = running.map(|all| all.into_iter().filter(|it| *it != own).count());
        Ok(others)
    }

    /// The parts it runs on, for diagnosis.
    pub fn parts(&self) -> &Parts {
        self.keeper.parts()
    }

    /// Waits until no refresh is in flight, `most` at most; answers whether all have ended.
    pub async fn idle(&self, most: Duration) -> bool {
        self.keeper.idle(most).await
    }

    /// Begins no refresh any more, and waits until those in flight have ended, `most` at most; answers whether
    /// all have. What one that has not is worth depends on the provider: its intent is in the store, and the
    /// next process presents the same token again. A gate that has just closed is written too.
    ///
    /// From then on whoever needs a refresh is told `closing`; tokens that live are served.
    pub async fn close(&self, most: Duration) -> bool {
        self.keeper.close(most).await
    }

    fn handle(&self, row: &GrantRow) -> Grant {
        self.grant_named(&row.name)
    }
}

/// A grant in a list.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its name.
    pub name: GrantName,
    /// Which login of it this is.
    pub epoch: Epoch,
    /// The app it belongs to.
    pub app: AppName,
    /// Whose it is.
    pub account: Option<Account>,
    /// What was granted.
    pub scope: Scope,
    /// When, and until when; `None` once signed out.
    pub consent: Option<Consent>,
    /// Where it stands.
    pub status: Status,
    /// The fault that its last refreshes met.
    pub trouble: Option<Trouble>,
    /// When its newest access token expires, or expired just now.
    pub token_expires_at: Option<UnixMillis>,
}

impl Summary {
    fn of(row: GrantRow, now: &Moment) -> Self {
        let access = row
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.access.as_ref());
        Self {
            token_expires_at: access.map(|access| now.wall.after(access.expires.remaining(now))),
            name: row.name,
            epoch: row.epoch,
            app: row.app,
            account: row.account,
            scope: row.scope,
            consent: row.consent,
            status: row.status,
            trouble: row.trouble,
        }
    }
}

/// One user's authorization. Cheap to clone; clones share the token in memory.
#[derive(Debug, Clone)]
pub struct Grant {
    keeper: Arc<Keeper>,
    cell: Arc<Cell>,
}

impl Grant {
    /// Its name.
    pub fn name(&self) -> &GrantName {
        &self.cell.name
    }

    /// An access token that works: from memory without lock or allocation while it is not due, else
    /// after one refresh for however many ask.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the refresh.
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        if let Some(token) = self.keeper.fresh(&self.cell) {
            return Ok(token);
        }
        let served = self.keeper.token(&self.cell, None).await?;
        Ok(served.live.token().clone())
    }

    /// The token in memory, as long as it is not due: no lock, no allocation, no I/O. `None` says nothing
    /// about the grant; [`current`](Self::current) finds out.
    pub fn at_hand(&self) -> Option<Arc<Live>> {
        self.keeper.fresh_live(&self.cell, Arc::clone)
    }

    /// As [`access_token`](Self::access_token), with what is known about the token, and with the reason
    /// where it is not a fresh one.
    ///
    /// # Cancel safety
    /// As [`access_token`](Self::access_token).
    pub async fn current(&self) -> Result<Served, Error> {
        if let Some(live) = self.at_hand() {
            let warning = None;
            return Ok(Served { live, warning });
        }
        self.keeper.token(&self.cell, None).await
    }

    /// A token that lives at least `min_ttl`, where the provider's tokens live that long, with what is
    /// known about it. If no new one can be had, the old one as long as it works, with the reason.
    ///
    /// # Cancel safety
    /// As [`access_token`](Self::access_token).
    pub async fn access_token_for(&self, min_ttl: Duration) -> Result<Served, Error> {
        self.keeper.token(&self.cell, Some(min_ttl)).await
    }

    /// Says that the API rejected this token (401), and answers the one to use instead. The same one
    /// comes back where a refresh would not help; then the 401 is to be passed on.
    ///
    /// # Cancel safety
    /// As [`access_token`](Self::access_token).
    pub async fn report_rejected(&self, token: &AccessToken) -> Result<AccessToken, Error> {
        Ok(self
            .keeper
            .rejected(&self.cell, token)
            .await?
            .token()
            .clone())
    }

    /// Refreshes now.
    ///
    /// # Cancel safety
    /// As [`access_token`](Self::access_token).
    pub async fn refresh(&self) -> Result<Arc<Live>, Error> {
        self.keeper.refresh_now(&self.cell).await
    }

    /// Destroys its tokens here, wins over any refresh in flight, and says what that does not reach.
    pub async fn logout(&self) -> Result<LoggedOut, Error> {
        self.keeper.logout(&self.cell.name).await
    }

    /// What is stored about it; the secrets in it are sealed.
    pub async fn row(&self) -> Result<GrantRow, Error> {
        Ok(self.keeper.read(&self.cell.name).await?.value)
    }

    /// It as it stands in the list of all.
    pub async fn summary(&self) -> Result<Summary, Error> {
        let row = self.row().await?;
        Ok(Summary::of(row, &self.keeper.parts().clock.now()))
    }

    /// What happened to it, oldest first.
    pub async fn story(&self) -> Result<Vec<Event>, Error> {
        let row = self.row().await?;
        Ok(self.keeper.parts().store.story(&row.id, STORY).await?)
    }

    /// The gates of the Web API's limits.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(crate) async fn gates(&self) -> Result<Gates, Error> {
        self.keeper.gates().await
    }

    /// The clock that it was given.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(crate) fn clock(&self) -> &Arc<dyn crate::time::Clock> {
        &self.keeper.parts().clock
    }

    /// How connections leave this machine.
    #[cfg(feature = "reqwest")]
    pub(crate) fn network(&self) -> &crate::config::Network {
        &self.keeper.parts().network
    }

    /// The origin that its access token may be sent to, and no other.
    pub fn api(&self) -> &Origin {
        &self.keeper.parts().provider.api
    }
}
