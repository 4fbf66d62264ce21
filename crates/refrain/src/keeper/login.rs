//! Logging a user in: the attempt, the callback, the exchange, the account.
//!
//! The attempt is in the store, so that any process of this store can finish what another began. It is
//! found by a keyed hash of `state` and taken out before anything else happens: a callback works once.
//! The account is asked for before the commit, because a login as somebody else must not replace a
//! grant; it is the one use of an access token that is not durable yet, and there is no older token
//! that it could endanger.

mod account;
mod error;
mod save;

use std::{sync::Arc, time::Duration};

pub use self::error::LoginError;
use zeroize::Zeroizing;

use crate::{
    config::App,
    hex,
    id::{AppName, Epoch, GrantName},
    keeper::{Error, Keeper, Problem, sync::spawn},
    lifecycle::{
        Origin, Status,
        row::{Account, Consent},
    },
    oauth::{
        answer::{self, Granted, Outcome, printable},
        authorization::{AuthorizationRequest, AuthorizationResponse, CallbackError, RedirectUri},
        pkce,
        scope::Scope,
        token::TokenRequest,
    },
    provider::{AUTHORIZE_PATH, TOKEN_PATH, spotify},
    secret::{AuthorizationState, BrowserSecret, CodeVerifier, RefreshToken},
    session::LocalPath,
    store::attempt::{self, Attempt, FromLink, Terms},
    time::{Moment, UnixMillis},
};

/// How long a person may take at the provider's page; codes live about as long.
pub const ATTEMPT_LIFE: Duration = attempt::LIFE;

/// What a login is to bring.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// The grant to be, or to be renewed.
    pub grant: GrantName,
    /// The app; `default` where there is no other reason.
    pub app: AppName,
    /// What to ask for; the app's own scopes where it is `None`.
    pub scope: Option<Scope>,
    /// The port of the listener, for a redirect URI that was registered without one.
    pub port: Option<u16>,
    /// Whether another Spotify account may take an existing grant over.
    pub other_account: bool,
    /// What ties the answer to the browser that began; `None` where it comes back to the very process
    /// that opened the browser, or is pasted by its user.
    pub browser: Option<BrowserSecret>,
}

/// How a login comes about, where a command does not ask for it.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) link: Option<FromLink>,
    pub(super) session: Option<LocalPath>,
    /// Whether its browser is to carry what it brings.
    pub(super) carries: bool,
    /// Whether the user is to see what they agree to, also where they have agreed to it before.
    pub(super) asks_anew: bool,
}

/// A login that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The URL to open; it holds no secret.
    pub url: String,
    /// Where the answer will come.
    pub redirect_uri: RedirectUri,
    /// What the answer will be known by; the URL has it too.
    pub state: AuthorizationState,
    /// When it is too late.
    pub expires_at: UnixMillis,
}

/// A login that has succeeded.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The grant.
    pub grant: GrantName,
    /// Whose it is; `None` where the API could not be asked.
    pub account: Option<Account>,
    /// What was granted.
    pub scope: Scope,
    /// What was asked for and not granted.
    pub missing: Scope,
    /// When Spotify stops honouring it.
    pub reauthorize_by: UnixMillis,
}

/// What a code was exchanged for.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) granted: Granted,
    /// The instant before it was asked for.
    pub(super) sent: Moment,
    pub(super) refresh: RefreshToken,
    /// Whose it is, or why nobody knows.
    pub(super) account: Result<Account, String>,
    /// Where the user has not consented just now.
    pub(super) earlier: Option<Earlier>,
}

/// A consent that was given to another program.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) consent: Consent,
    pub(super) origin: Origin,
    /// The login that it takes the place of, and of no other.
    pub(super) over: Option<Epoch>,
}

impl Keeper {
    /// Begins a login: keeps the attempt, and answers where to send the user.
    pub async fn begin_login(&self, request: LoginRequest) -> Result<Begun, Error> {
        self.begin(request, Way::default()).await
    }

    pub(super) async fn begin(&self, request: LoginRequest, way: Way) -> Result<Begun, Error> {
        let app = self.app(&request.app)?;
        let redirect_uri = redirect(app, request.port)?;
        let random = self.parts.random.as_ref();
        let state = pkce::authorization_state(random)?;
        let verifier = pkce::code_verifier(random)?;
        let scope = request.scope.unwrap_or_else(|| app.scopes.clone());
        let known = self.parts.store.grant(&request.grant).await?;
        // After a logout the user is to see what they agree to, not to be waved through.
        let show_dialog = request.other_account
            || way.asks_anew
            || known.is_some_and(|row| matches!(row.value.status, Status::SignedOut { .. }));
        let url = AuthorizationRequest {
            client_id: &app.client.id,
            redirect_uri: &redirect_uri,
            scope: &scope,
            state: &state,
            verifier: &verifier,
            show_dialog,
        }
        .url(&self.parts.provider.accounts, AUTHORIZE_PATH);
        self.follow_key().await?;
        let id = self.attempt_id(&state, request.browser.as_ref());
        let sealed = self
            .parts
            .sealer
            .seal_attempt(&id, verifier.expose(), random);
        let expires_at = self.parts.clock.wall().after(ATTEMPT_LIFE);
        let attempt = Attempt {
            id,
            expires_at,
            terms: Terms {
                grant: request.grant,
                app: request.app,
                redirect_uri: redirect_uri.as_str().to_owned(),
                scope,
                other_account: request.other_account,
                link: way.link,
                session: way.session,
                carries: way.carries,
                asked_anew: show_dialog,
            },
            verifier: sealed.map_err(Problem::KeyCheck)?,
        };
        self.parts.store.insert_attempt(&attempt).await?;
        Ok(Begun {
            url,
            redirect_uri,
            state,
            expires_at,
        })
    }

    /// Finishes a login with the query of the callback; works once.
    ///
    /// # Cancel safety
    /// Runs in a task of its own: whoever stops waiting does not lose the user's consent.
    pub async fn finish_login(
        self: &Arc<Self>,
        query: &str,
        browser: Option<&BrowserSecret>,
    ) -> Result<LoggedIn, Error> {
        let (keeper, query) = (Arc::clone(self), Zeroizing::new(query.to_owned()));
        let browser = browser.cloned();
        self.uninterrupted(async move {
            let (attempt, response) = keeper.take(&query, browser.as_ref()).await?;
            keeper.finish(attempt, response).await
        })
        .await
    }

    /// Does something in a task of its own, which goes on when nobody waits for it any more.
    pub(super) async fn uninterrupted<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let task = spawn(self.tasks.track(work));
        let interrupted = |why| LoginError::Interrupted { why };
        task.await
            .map_err(|error| interrupted(printable(&error.to_string(), 100)))?
    }

    /// Takes the attempt out that an answer belongs to.
    pub(super) async fn take(
        &self,
        query: &str,
        browser: Option<&BrowserSecret>,
    ) -> Result<(Attempt, AuthorizationResponse), Error> {
        let response = AuthorizationResponse::from_query(query).map_err(LoginError::from)?;
        let asked = self.parts.provider.accounts.to_string();
        if response
            .issuer
            .as_ref()
            .is_some_and(|issuer| issuer.trim_end_matches('/') != asked)
        {
            return Err(LoginError::from(CallbackError::WrongIssuer).into());
        }
        let id = self.attempt_id(&response.state, browser);
        let now = self.parts.clock.wall();
        let taken = self.parts.store.take_attempt(&id, now).await?;
        Ok((taken.ok_or(LoginError::NoAttempt)?, response))
    }

    /// Turns the code of an answer into a grant.
    pub(super) async fn finish(
        &self,
        attempt: Attempt,
        response: AuthorizationResponse,
    ) -> Result<LoggedIn, Error> {
        let (mut terms, obtained) = self.obtain(attempt, response).await?;
        let app = self.app(&terms.app)?;
        if terms.session.is_some() {
            terms.grant = self.grant_of_session(app, obtained.account.as_ref())?;
        }
        self.save_login(app, terms, obtained).await
    }

    /// Turns the code of an answer into tokens, which are nowhere but here yet.
    pub(super) async fn obtain(
        &self,
        attempt: Attempt,
        response: AuthorizationResponse,
    ) -> Result<(Terms, Obtained), Error> {
        let code = response.result.map_err(|error| match error.as_str() {
            "access_denied" => LoginError::Denied,
            _ => LoginError::Reported {
                error: printable(&error, 100),
            },
        })?;
        let app = self.app(&attempt.terms.app)?;
        let opened = self
            .parts
            .sealer
            .open_attempt(&attempt.id, &attempt.verifier);
        let verifier = CodeVerifier::new(opened.map_err(Problem::KeyCheck)?.as_str());
        // What was sent is what is sent again, whatever the configuration says now.
        let redirect_uri: RedirectUri = attempt
            .terms
            .redirect_uri
            .parse()
            .map_err(|_| LoginError::NoAttempt)?;
        let request = TokenRequest::AuthorizationCode {
            code: &code,
            redirect_uri: &redirect_uri,
            verifier: &verifier,
        };
        let sent = self.parts.clock.now();
        let granted = self.exchange(app, &request).await?;
        let Some(refresh) = granted.refresh_token.clone() else {
            return Err(LoginError::NoRefreshToken.into());
        };
        let account = self.account(&granted.access_token).await?;
        let obtained = Obtained {
            granted,
            sent,
            refresh,
            account,
            earlier: None,
        };
        Ok((attempt.terms, obtained))
    }

    /// Seals with the store's present key from here on: another process may have replaced it.
    /// Where that key is not at hand the one before it goes on: a consent must not be lost over it.
    pub(super) async fn follow_key(&self) -> Result<(), Error> {
        if let Some(identity) = self.parts.store.identity().await?
            && let Err(error) = self.parts.sealer.follow(&identity.key_check)
        {
            tracing::warn!(%error, "the store has a newer master key than this machine");
        }
        Ok(())
    }

    /// Under which an attempt is kept. Whoever has the state and not the browser's secret finds nothing,
    /// and uses nothing up.
    fn attempt_id(&self, state: &AuthorizationState, browser: Option<&BrowserSecret>) -> String {
        let sealer = &self.parts.sealer;
        let hash = match browser {
            None => sealer.fingerprint("state", state.expose()),
            Some(browser) => {
                let both = Zeroizing::new(format!("{} {}", state.expose(), browser.expose()));
                sealer.fingerprint("state and browser", &both)
            }
        };
        hex::text(&hash)
    }

    async fn exchange(&self, app: &App, request: &TokenRequest<'_>) -> Result<Granted, Error> {
        let connection = self.connect_accounts().await?;
        let answer = connection
            .send(request.to_request(&app.client, TOKEN_PATH))
            .await;
        let interrupted = |why| LoginError::Interrupted { why };
        let answer = answer.map_err(|error| interrupted(super::present::chain(&error)))?;
        let reply = answer::classify(&answer, &request.secrets(&app.client));
        match reply.outcome {
            Outcome::Granted(granted) => Ok(granted),
            Outcome::Refused(error) => Err(LoginError::CodeRefused {
                description: error.description,
            }
            .into()),
            Outcome::Misconfigured(error) => {
                let (app, description) = (app.name.clone(), error.description);
                Err(Problem::Misconfigured {
                    app,
                    error: error.code,
                    description,
                }
                .into())
            }
            Outcome::Throttled { .. } | Outcome::Unavailable { .. } => {
                Err(interrupted(format!("HTTP {}", reply.status.as_u16())).into())
            }
            Outcome::Unintelligible { why } => Err(interrupted(why.to_owned()).into()),
            Outcome::Salvaged(_) => Err(interrupted("the answer was damaged".to_owned()).into()),
        }
    }

    /// Checks an app's credentials with a token of its own, which is thrown away; for `doctor`.
    pub async fn check_client(&self, app: &AppName) -> Result<(), Error> {
        let app = self.app(app)?;
        self.exchange(app, &TokenRequest::ClientCredentials)
            .await
            .map(drop)
    }

    /// The same, and asks the Web API with that token whether it answers the app at all: where the owner of
    /// an app in development mode has no Premium, it answers nobody. Any other answer is none.
    pub async fn check_owner(&self, app: &AppName) -> Result<(), Error> {
        let app = self.app(app)?;
        let granted = self.exchange(app, &TokenRequest::ClientCredentials).await?;
        if self.refuses_owner(&granted.access_token).await {
            return Err(LoginError::OwnerNotPremium.into());
        }
        Ok(())
    }

    async fn connect_accounts(
        &self,
    ) -> Result<Box<dyn crate::oauth::transport::Connection>, Error> {
        let connection = self
            .parts
            .transport
            .connect(&self.parts.provider.accounts)
            .await;
        connection.map_err(|error| {
            let why = super::present::chain(&error);
            Problem::Unreachable {
                origin: error.origin,
                why,
            }
            .into()
        })
    }
}

/// The redirect to send: legal at Spotify, and with the listener's port where it has none.
pub(super) fn redirect(app: &App, port: Option<u16>) -> Result<RedirectUri, LoginError> {
    let uri = &app.redirect_uri;
    spotify::check_redirect(uri).map_err(|problem| LoginError::Redirect {
        uri: uri.to_string(),
        problem,
    })?;
    Ok(port
        .and_then(|port| uri.with_port(port))
        .unwrap_or_else(|| uri.clone()))
}
