//! Connect links: made for a program, opened by its user, used once, and finished by the browser that began.
//!
//! A link is used up when the browser is sent to the provider, not when it is looked at: programs that look
//! into messages open every URL that they find. What is used up last is the link, so that a fault before
//! does not cost the user a new one.

mod error;

use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

pub use self::error::LinkError;
use crate::{
    config::ReturnTo,
    connect::{ConnectLink, LinkHash, LinkId, LinkRecord, LinkStanding, LinkTerms},
    id::{AppName, GrantName},
    keeper::{
        Error, Keeper, Problem,
        carried::Carried,
        login::{self, Begun, LoggedIn, LoginRequest, Way},
    },
    lifecycle::{GrantRow, row::Status},
    oauth::{authorization::RedirectUri, pkce, scope::Scope},
    secret::BrowserSecret,
    session::LocalPath,
    store::{Written, attempt::FromLink},
};

/// How long a link lives of which nothing is said.
pub const USUAL_LIFE: Duration = Duration::from_secs(10 * 60);
/// And at most: it waits in messages and histories, for whoever is first.
pub const LONGEST_LIFE: Duration = Duration::from_secs(60 * 60);

/// A link that is to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The grant to be, or to be renewed.
    pub grant: GrantName,
    /// The app that asks; the grant's own, or the only one, where it is `None`.
    pub app: Option<AppName>,
    /// What it asks for; the app's own scopes where it is `None`.
    pub scope: Option<Scope>,
    /// Where the user goes afterwards. Whether he may be sent there is for the caller to ask.
    pub return_to: Option<ReturnTo>,
    /// Whether somebody has to be signed in under the name (`true`), or nobody may be (`false`).
    pub reconnect: Option<bool>,
    /// How long it lives, an hour at most.
    pub lifetime: Duration,
}

/// A link that a browser has begun with.
#[derive(Debug, Clone)]
pub struct LinkBegun {
    /// The login; its URL is where the browser goes.
    pub login: Begun,
    /// What the browser has to hold until it comes back.
    pub browser: BrowserSecret,
}

/// A browser that has come back.
#[derive(Debug)]
pub struct Returned {
    /// The grant that it was about.
    pub grant: GrantName,
    /// The link that it began with; `None` where it began otherwise.
    pub link: Option<LinkId>,
    /// Where the user goes now.
    pub return_to: Option<ReturnTo>,
    /// Where the user goes whose session begins with it.
    pub session: Option<LocalPath>,
    /// What the browser is to carry: nothing of it is in the store.
    pub carried: Option<Carried>,
    /// What came of it.
    pub result: Result<LoggedIn, Error>,
}

impl Keeper {
    pub(crate) async fn create_link(
        &self,
        new: NewLink,
    ) -> Result<(ConnectLink, LinkRecord), Error> {
        if new.lifetime.is_zero() || new.lifetime > LONGEST_LIFE {
            return Err(LinkError::Lifetime.into());
        }
        let read = self.parts.store.grant(&new.grant).await?;
        let row = read.map(|read| read.value);
        let reconnect = reconnects(&new, row.as_ref())?;
        let name = match new.app {
            Some(name) => name,
            None => self.usual_app(row.as_ref())?,
        };
        let app = self.app(&name)?;
        let terms = LinkTerms {
            scope: new.scope.unwrap_or_else(|| app.scopes.clone()),
            epoch: row.map(|row| row.epoch),
            grant: new.grant,
            app: name,
            return_to: new.return_to,
            reconnect,
        };
        loop {
            let link = ConnectLink::random(self.parts.random.as_ref())?;
            let made_at = self.parts.clock.wall();
            let record = LinkRecord {
                id: link.id(),
                hash: LinkHash::of(&link, &self.parts.sealer),
                terms: terms.clone(),
                made_at,
                expires_at: made_at.after(new.lifetime),
                used_at: None,
            };
            // Two ids may be the same by chance.
            if let Written::Durably(_) = self.parts.store.insert_link(&record).await? {
                return Ok((link, record));
            }
        }
    }

    /// The record of a link that waits for its user.
    pub(crate) async fn open_link(&self, link: &ConnectLink) -> Result<LinkRecord, Error> {
        let record = self.parts.store.link(&link.id()).await?;
        // Hashed whether there is a record or not: the time tells nobody.
        let shown = LinkHash::of(link, &self.parts.sealer);
        let record = record.filter(|record| record.hash == shown);
        let record = record.ok_or(LinkError::Unknown)?;
        match record.standing(self.parts.clock.wall()) {
            LinkStanding::Open => {}
            LinkStanding::Used => return Err(LinkError::Used.into()),
            LinkStanding::Expired => return Err(LinkError::Expired.into()),
        }
        let grant = &record.terms.grant;
        let row = self.parts.store.grant(grant).await?;
        if row.map(|row| row.value.epoch) != record.terms.epoch {
            let grant = grant.clone();
            return Err(LinkError::Overtaken { grant }.into());
        }
        Ok(record)
    }

    /// Begins the login of a link, in one browser; of several that try, one does.
    pub(crate) async fn begin_link(
        &self,
        link: &ConnectLink,
        port: Option<u16>,
    ) -> Result<LinkBegun, Error> {
        let LinkRecord { id, terms, .. } = self.open_link(link).await?;
        let browser = pkce::browser_secret(self.parts.random.as_ref())?;
        let request = LoginRequest {
            grant: terms.grant,
            app: terms.app,
            scope: Some(terms.scope),
            port,
            other_account: false,
            browser: Some(browser.clone()),
        };
        let from = FromLink {
            id: id.clone(),
            return_to: terms.return_to,
            epoch: terms.epoch,
        };
        let way = Way {
            link: Some(from),
            ..Way::default()
        };
        let login = self.begin(request, way).await?;
        // Whoever loses here has an attempt that no browser knows of; it lapses.
        let now = self.parts.clock.wall();
        if !self.parts.store.use_link(&id, now).await? {
            return Err(LinkError::Used.into());
        }
        Ok(LinkBegun { login, browser })
    }

    /// Finishes a login that began in a browser, and tells where its user is to go.
    ///
    /// # Cancel safety
    /// As [`finish_login`](Self::finish_login).
    pub(crate) async fn finish_link(
        self: &Arc<Self>,
        query: &str,
        browser: &BrowserSecret,
    ) -> Result<Returned, Error> {
        let (keeper, query) = (Arc::clone(self), Zeroizing::new(query.to_owned()));
        let browser = browser.clone();
        self.uninterrupted(async move {
            let (attempt, response) = keeper.take(&query, Some(&browser)).await?;
            let terms = &attempt.terms;
            let (grant, link) = (terms.grant.clone(), terms.link.clone());
            let (session, by_browser) = (terms.session.clone(), terms.carries);
            let (id, return_to) = link.map(|link| (link.id, link.return_to)).unzip();
            let (carried, result) = if by_browser {
                match keeper.finish_carried(attempt, response).await {
                    Ok((carried, done)) => (Some(carried), Ok(done)),
                    Err(error) => (None, Err(error)),
                }
            } else {
                (None, keeper.finish(attempt, response).await)
            };
            Ok(Returned {
                grant,
                link: id,
                return_to: return_to.flatten(),
                session,
                carried,
                result,
            })
        })
        .await
    }

    /// The app that a login under this name is for: its grant's own as long as it is configured, the only
    /// one, or `default`.
    pub(crate) async fn app_for(&self, grant: &GrantName) -> Result<AppName, Error> {
        let row = self.parts.store.grant(grant).await?;
        self.usual_app(row.map(|row| row.value).as_ref())
    }

    fn usual_app(&self, row: Option<&GrantRow>) -> Result<AppName, Error> {
        let apps = &self.parts.apps;
        // An app that is gone from the configuration does not bind anybody.
        let own = row
            .map(|row| &row.app)
            .filter(|app| apps.contains_key(*app));
        match (own, apps.keys().next(), apps.len()) {
            (Some(app), ..) | (None, Some(app), 1) => Ok(app.clone()),
            _ => Ok("default".parse().map_err(Problem::Name)?),
        }
    }

    /// Where an app's answers come, if the listener is at this port.
    pub(crate) fn redirect_of(
        &self,
        app: &AppName,
        port: Option<u16>,
    ) -> Result<RedirectUri, Error> {
        Ok(login::redirect(self.app(app)?, port)?)
    }
}

/// Whether somebody is signed in under the name, as the caller has it.
fn reconnects(new: &NewLink, row: Option<&GrantRow>) -> Result<bool, Problem> {
    let grant = || new.grant.clone();
    let there = row.is_some_and(|row| !matches!(row.status, Status::SignedOut { .. }));
    match (new.reconnect, there, row) {
        (Some(false), true, _) => Err(LinkError::GrantThere { grant: grant() }.into()),
        (Some(true), false, None) => Err(Problem::UnknownGrant { name: grant() }),
        (Some(true), false, Some(_)) => Err(Problem::SignedOut { grant: grant() }),
        _ => Ok(there),
    }
}
