//! A provider in a few lines, which counts what is presented to it: the judge of these tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use shuttle::rand::{Rng as _, thread_rng};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::{
    keeper::schedules::explore::step,
    oauth::{
        origin::Origin,
        transport::{Answer, ConnectError, Connection, Request, SendError, Transport},
    },
    provider::{ME_PATH, TOKEN_PATH},
    time::{Clock as _, ManualClock},
};

/// What it does with a refresh token that was replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Takes it for theft: every token of the login dies.
    #[default]
    FamilyKill,
    /// Replaces none.
    Static,
    /// Accepts it.
    Grace,
}

/// The provider, and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Provider(Arc<Mutex<State>>, Arc<ManualClock>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rotation: Rotation,
    /// How often each refresh token was presented.
    pub(super) presented: BTreeMap<String, u32>,
    pub(super) refused: u32,
    /// How many calls break off, by a mistake in refrain, and whether before the provider has decided.
    pub(super) breaks: u32,
    pub(super) breaks_early: bool,
    /// How many calls at most are stopped on their way, for longer than a lease or not.
    pub(super) stops: u32,
    logins: Vec<Login>,
}

#[derive(Debug, Default)]
struct Login {
    generation: u32,
    minting: u32,
    ended: bool,
}

impl Provider {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self(Arc::default(), clock)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many refreshes it has been asked for.
    pub(super) fn refreshes(&self) -> u32 {
        self.state().presented.values().sum()
    }

    /// How often a refresh token was presented that had been before.
    pub(super) fn again(&self) -> u32 {
        let state = self.state();
        state.presented.values().map(|times| times - 1).sum()
    }
}

impl Provider {
    async fn underway(&self) {
        step().await;
        let stops = self.state().stops;
        if stops > 0 && thread_rng().r#gen() {
            self.state().stops = stops - 1;
            let seconds = [5, 20, 45][thread_rng().gen_range(0..3)];
            self.1.sleep(Duration::from_secs(seconds)).await;
        }
    }
}

impl State {
    fn token_call(&mut self, body: &[u8]) -> (StatusCode, String) {
        let form: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let Some(token) = form.get("refresh_token") else {
            self.logins.push(Login::default());
            return (StatusCode::OK, self.minted(self.logins.len() - 1));
        };
        *self.presented.entry(token.clone()).or_default() += 1;
        let (rotation, (number, generation)) = (self.rotation, numbers(token));
        let login = &mut self.logins[number as usize];
        if rotation == Rotation::FamilyKill && generation != login.generation {
            login.ended = true;
        }
        if login.ended {
            self.refused += 1;
            let refusal = r#"{"error":"invalid_grant"}"#.to_owned();
            return (StatusCode::BAD_REQUEST, refusal);
        }
        login.minting += 1;
        login.generation += u32::from(rotation != Rotation::Static);
        (StatusCode::OK, self.minted(number as usize))
    }

    fn minted(&self, number: usize) -> String {
        let Login {
            generation,
            minting,
            ..
        } = self.logins[number];
        format!(
            r#"{{"access_token":"at.{number}.{minting}","refresh_token":"rt.{number}.{generation}",
            "token_type":"Bearer","expires_in":3600,"scope":"user-read-private"}}"#
        )
    }
}

/// Which login a token is of, and its number within it.
pub(super) fn numbers(token: &str) -> (u32, u32) {
    let mut numbers = token.split('.').skip(1).map(|part| part.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[async_trait]
impl Transport for Provider {
    async fn connect(&self, _: &Origin) -> Result<Box<dyn Connection>, ConnectError> {
        step().await;
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Connection for Provider {
    async fn send(self: Box<Self>, request: Request) -> Result<Answer, SendError> {
        self.underway().await;
        let (status, body) = match request.path.as_str() {
            TOKEN_PATH => {
                let mut state = self.state();
                let breaks = state.breaks > 0;
                if breaks && state.breaks_early {
                    break_off(state);
                }
                let answer = state.token_call(&request.body);
                if breaks {
                    break_off(state);
                }
                answer
            }
            ME_PATH => (StatusCode::OK, r#"{"id":"alice"}"#.to_owned()),
            other => unreachable!("{other}"),
        };
        self.underway().await;
        Ok(Answer {
            status,
            headers: HeaderMap::new(),
            body: Zeroizing::new(body.into_bytes()),
            complete: true,
        })
    }
}

/// A panic that no hook reports: this one is meant.
fn break_off(mut state: MutexGuard<'_, State>) -> ! {
    state.breaks -= 1;
    drop(state);
    std::panic::resume_unwind(Box::new("a mistake"))
}
