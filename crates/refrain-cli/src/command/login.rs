//! `refrain login`: a user's consent, from the first page to the sealed token.
//!
//! The answer can come in two ways, and whichever is first counts: the browser reaches the listener on
//! this machine, or a person pastes the address that the browser ended on. What is not the answer to
//! this very login (another one's, a guess of some page) is turned away, and the waiting goes on.

pub(super) mod browser;
mod paste;
mod tell;

use std::{io::IsTerminal as _, time::Duration};

use refrain::{
    Error, Refrain,
    config::App,
    id::{AppName, GrantName},
    keeper::{
        Problem,
        login::{LoggedIn, LoginError, LoginRequest},
    },
    oauth::{authorization::AuthorizationResponse, scope::Scope},
    secret::AuthorizationState,
};
use refrain_server::page::login as page;
use tokio::sync::mpsc;

use self::tell::Tell;
use crate::{
    args::{GlobalArgs, LoginArgs},
    callback::{
        BindError, CallbackListener, Callbacks,
        answers::{self, Answers},
    },
    report::Explanation,
};

/// What comes in while the user is away.
enum Input {
    /// A line on standard input.
    Line(String),
    /// There will be no more lines.
    End,
    /// No browser could be opened.
    NoBrowser,
}

/// What is waited for.
struct Login<'a> {
    refrain: &'a Refrain,
    state: AuthorizationState,
    tell: Tell,
    /// None where nobody can listen, so that pasting is the only way.
    callbacks: Option<Callbacks>,
    inputs: mpsc::Receiver<Input>,
}

pub(super) async fn run(global: &GlobalArgs, args: &LoginArgs) -> Result<(), Explanation> {
    let scope = asked_scope(&args.scopes)?;
    let refrain = super::open_or_make(global).await?;
    let done = login(&refrain, global, args, scope).await;
    super::close(&refrain).await;
    let (done, tell) = done?;
    tell.result(&done, refrain.parts().clock.wall())
}

/// Opens the socket of the callback; where somebody has it, says whether that is refrain's server.
async fn listen(refrain: &Refrain, app: &App) -> Result<CallbackListener, BindError> {
    let uri = &app.redirect_uri;
    let bound = CallbackListener::bind(uri).await;
    let Err(BindError::InUse { address }) = bound else {
        return bound;
    };
    let transport = refrain.parts().transport.as_ref();
    Err(match answers::ask(transport, uri).await {
        Answers::Refrain => BindError::OwnServer { address },
        Answers::Other | Answers::Nobody(_) => BindError::InUse { address },
    })
}

async fn login(
    refrain: &Refrain,
    global: &GlobalArgs,
    args: &LoginArgs,
    scope: Option<Scope>,
) -> Result<(LoggedIn, Tell), Explanation> {
    let (grant, app) = names(refrain, args).await?;
    let patience = Duration::from_secs(args.wait.into());
    let listener = match refrain.parts().apps.get(&app) {
        Some(app) => Some(listen(refrain, app).await),
        None => None, // The library says which apps there are.
    };
    let port = match &listener {
        Some(Ok(listener)) => listener.redirect_uri().url().port(),
        Some(Err(_)) | None => None,
    };
    let request = LoginRequest {
        grant: grant.clone(),
        app: app.clone(),
        scope,
        port,
        other_account: args.other_account,
        browser: None,
    };
    let begun = refrain.begin_login(request).await?;
    let state = begun.state.clone();
    let tell = Tell::new(global.json, args.no_browser, begun, patience);
    let (listener, bind_error) = match listener {
        Some(Ok(listener)) => (Some(listener), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let can_paste = args.no_browser || listener.is_none() || std::io::stdin().is_terminal();
    let (sender, inputs) = mpsc::channel(4);
    if can_paste {
        paste::listen(sender.clone());
    }
    let callbacks = listener.map(|listener| listener.start(patience));
    tell.begin(&grant, &app, can_paste, bind_error.as_ref())?;
    if !args.no_browser {
        browser::open(tell.begun().url.clone(), sender);
    }
    let mut login = Login {
        refrain,
        state,
        tell,
        callbacks,
        inputs,
    };
    let done = login.wait(patience).await?;
    Ok((done, login.tell))
}

// === impl Login ===

impl Login<'_> {
    async fn wait(&mut self, patience: Duration) -> Result<LoggedIn, Explanation> {
        let clock = &self.refrain.parts().clock;
        let end = clock.uptime().after(patience);
        let mut ctrl_c = std::pin::pin!(tokio::signal::ctrl_c());
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            let left = end.since(clock.uptime());
            if left.is_zero() {
                self.tell.clear();
                return Err(self.tell.nothing_came());
            }
            let callback = async {
                match &mut self.callbacks {
                    Some(callbacks) => callbacks.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = &mut ctrl_c => {
                    self.tell.clear();
                    return Err(Explanation::interrupted(
                        "interrupted: nobody was logged in, and nothing was changed",
                    ));
                }
                callback = callback => {
                    // Its patience is ours: the loop finds that the time is over.
                    let Some(callback) = callback else {
                        self.callbacks = None;
                        continue;
                    };
                    self.tell.clear();
                    if !self.is_ours(callback.query()) {
                        callback.refuse(page::not_ours());
                        continue;
                    }
                    // From here on an interruption would lose the consent: it waits until this is done.
                    let done = self.refrain.finish_login(callback.query()).await;
                    match &done {
                        Ok(done) => callback.accept(page::success(done)),
                        Err(error) => callback.fail(tell::failure(error)),
                    }
                    if let Some(callbacks) = self.callbacks.take() {
                        callbacks.finish().await;
                    }
                    return Ok(done?);
                }
                Some(input) = self.inputs.recv() => {
                    if let Some(done) = self.input(input).await? {
                        return Ok(done);
                    }
                }
                _ = second.tick() => self.tell.waiting(left),
            }
        }
    }

    async fn input(&mut self, input: Input) -> Result<Option<LoggedIn>, Explanation> {
        let line = match input {
            Input::NoBrowser => {
                self.tell.no_browser();
                return Ok(None);
            }
            Input::End => {
                return if self.callbacks.is_some() {
                    Ok(None)
                } else {
                    Err(self.tell.no_way_back())
                };
            }
            Input::Line(line) => line,
        };
        if line.trim().is_empty() {
            return Ok(None);
        }
        self.tell.clear();
        let Some(query) = paste::query(&line).filter(|query| self.is_ours(query)) else {
            self.tell.not_this(&line);
            return Ok(None);
        };
        match self.refrain.finish_login(&query).await {
            // Nothing was used up: what was pasted is no answer.
            Err(error) if is_no_answer(&error) => {
                self.tell.not_this(&line);
                Ok(None)
            }
            done => Ok(Some(done?)),
        }
    }

    /// Whether an answer has the state that this login was begun with. Others could belong to a login
    /// that runs beside this one, and would be used up.
    fn is_ours(&self, query: &str) -> bool {
        AuthorizationResponse::from_query(query)
            .is_ok_and(|response| response.state.ct_eq(&self.state))
    }
}

fn is_no_answer(error: &Error) -> bool {
    matches!(error.problem(), Problem::Login(LoginError::Callback(_)))
}

fn asked_scope(scopes: &[String]) -> Result<Option<Scope>, Explanation> {
    if scopes.is_empty() {
        return Ok(None);
    }
    let scope = scopes.join(" ").parse().map_err(|error| {
        let fix = "scopes are words such as user-read-recently-played";
        Explanation::usage(format!("{error}"), fix)
    })?;
    tell::warn_of_unknown(&scope);
    Ok(Some(scope))
}

/// Which grant, and of which app: what is there already is renewed.
async fn names(refrain: &Refrain, args: &LoginArgs) -> Result<(GrantName, AppName), Explanation> {
    let grants = refrain.grants().await?;
    let grant = match (&args.grant, grants.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.name.clone(),
        (None, _) => named("default")?,
    };
    if let Some(app) = &args.app {
        return Ok((grant, app.clone()));
    }
    let app = refrain.app_for(&grant).await?;
    Ok((grant, app))
}

fn named<T: std::str::FromStr>(name: &str) -> Result<T, Explanation> {
    name.parse()
        .map_err(|_| Explanation::usage(format!("{name} is not a name"), "name it"))
}
