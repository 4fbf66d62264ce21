//! Presenting: the token call under a ticket, and what its answer leads to.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    config::App,
    failpoint,
    keeper::{Error, Keeper, Problem, flight::Progress},
    lifecycle::{Before, Evidence, GrantRow, Resolution, Ticket, app::AppState, timing},
    oauth::{
        answer::{self, ErrorResponse, Outcome, Reply, RetryAfter},
        token::TokenRequest,
        transport::{ConnectError, SendError},
    },
    provider::TOKEN_PATH,
    seal::{DataKey, Field},
    secret::RefreshToken,
    time::{Moment, Uptime},
};

/// One refresh token under one ticket, and everything that goes with it.
pub(super) struct Presentation<'a> {
    /// The row as it was armed.
    pub(super) row: &'a GrantRow,
    /// The right to present.
    pub(super) ticket: Ticket,
    /// What is presented.
    pub(super) token: RefreshToken,
    /// What the answer is sealed with; opened beforehand, so that nothing can fail in between.
    pub(super) key: DataKey,
    /// Where the callers wait.
    pub(super) report: &'a watch::Sender<Progress>,
    /// From when the lease is counted, on this machine's own uptime.
    pub(super) counted_from: Uptime,
    /// What came of the tries so far; a [`Before`] as a number, which only grows.
    before: AtomicU8,
}

/// What was opened for a presentation.
pub(super) struct Secrets {
    /// The grant's data key.
    pub(super) key: DataKey,
    /// Its refresh token.
    pub(super) token: RefreshToken,
}

impl Secrets {
    pub(super) fn open(row: &GrantRow, key: DataKey) -> Result<Self, Error> {
        let signed_out = || Problem::SignedOut {
            grant: row.name.clone(),
        };
        let sealed = &row.tokens.as_ref().ok_or_else(signed_out)?.refresh;
        let text = key
            .open(Field::RefreshToken, row.generation.0, sealed)
            .map_err(|source| Problem::sealed(row, "refresh token", source))?;
        let token = RefreshToken::new(text.as_str());
        Ok(Self { key, token })
    }
}

impl<'a> Presentation<'a> {
    pub(super) fn new(
        row: &'a GrantRow,
        ticket: Ticket,
        Secrets { key, token }: Secrets,
        report: &'a watch::Sender<Progress>,
        counted_from: Uptime,
    ) -> Self {
        Self {
            row,
            ticket,
            token,
            key,
            report,
            counted_from,
            before: AtomicU8::new(0),
        }
    }

    fn doubt(&self, before: Before) {
        let level = match before {
            Before::Nothing => 0,
            Before::Fault => 1,
            Before::Missing => 2,
        };
        self.before.fetch_max(level, Ordering::Relaxed);
    }

    fn before(&self) -> Before {
        match self.before.load(Ordering::Relaxed) {
            0 => Before::Nothing,
            1 => Before::Fault,
            _ => Before::Missing,
        }
    }

    /// What giving the intent back means when the last try was not looked at, or never made.
    pub(super) fn not_looked_at(&self) -> Resolution {
        let before = self.before();
        if before == Before::Nothing {
            return Resolution::Untouched;
        }
        Resolution::Unknown {
            http_status: None,
            why: "no answer".to_owned(),
            missing: before == Before::Missing,
            pause: Duration::ZERO,
        }
    }
}

/// What came of a presentation.
pub(super) enum Presented {
    /// An answer is durable; this is the row it is in.
    Committed(Box<GrantRow>),
    /// The row went on: read it again.
    Again,
    /// Somebody else was faster: nothing was presented.
    NotArmed,
}

/// One try at the token endpoint.
enum Try {
    /// With the instant before it was sent: what the provider counts from is no earlier.
    Answered(Reply, Moment),
    NotSent(Error),
    Unknown(SendError),
    /// The lease has not enough time left.
    TooLate,
}

/// What is known after the tries so far about what the provider may have done.
struct Doubt {
    before: Before,
    http_status: Option<u16>,
    why: String,
    retry_after: Option<RetryAfter>,
}

impl Keeper {
    /// Presents under a ticket, up to three times, and never without time left on the lease.
    pub(super) async fn present(&self, on: &Presentation<'_>) -> Result<Presented, Error> {
        let app = self.app_of(on.row)?;
        let mut doubt: Option<Doubt> = None;
        let mut unsent = None;
        for attempt in 0..timing::ATTEMPTS {
            if attempt > 0 {
                let pause = timing::FIRST_PAUSE.saturating_mul(attempt);
                self.parts.clock.sleep(self.jittered(pause)).await;
            }
            if !self.lease_lasts(on) {
                break;
            }
            match self.try_once(app, on).await? {
                None => return Ok(Presented::Again),
                Some(Try::TooLate) => break,
                Some(Try::NotSent(error)) => unsent = Some(error),
                Some(Try::Unknown(error)) => {
                    tracing::warn!(grant = %on.row.name, %error, "no answer to a token request");
                    on.doubt(Before::Missing);
                    let why = chain(&error);
                    doubt = Some(Doubt {
                        before: Before::Missing,
                        http_status: None,
                        why,
                        retry_after: None,
                    });
                }
                Some(Try::Answered(reply, sent)) => match self.judge(app, on, reply, sent).await? {
                    Ok(presented) => return Ok(presented),
                    Err(new) => {
                        on.doubt(new.before);
                        doubt = Some(new);
                    }
                },
            }
        }
        self.give_up(on, doubt, unsent).await
    }

    /// Whether enough of the lease is left, by this machine's own uptime.
    pub(super) fn lease_lasts(&self, on: &Presentation<'_>) -> bool {
        let used = self.parts.clock.uptime().since(on.counted_from);
        used + timing::LEASE_MARGIN <= timing::LEASE
    }

    /// Connects, checks that the ticket still holds, and only then presents. `None`: it does not.
    async fn try_once(&self, app: &App, on: &Presentation<'_>) -> Result<Option<Try>, Error> {
        let accounts = &self.parts.provider.accounts;
        failpoint::at!(self.parts.clock, NetBeforeConnect, broken => Ok(Some(broken.no_connection(accounts))));
        let connection = match self.parts.transport.connect(accounts).await {
            Ok(connection) => connection,
            Err(error) => return Ok(Some(Try::NotSent(unreachable(error)))),
        };
        failpoint::at!(self.parts.clock, NetAfterConnect, broken => Ok(Some(broken.no_connection(accounts))));
        failpoint::at!(self.parts.clock, CheckLease, broken => Err(broken.into()));
        let current = self.read(&on.row.name).await?;
        let held = on.ticket.holds(&current.value);
        // A late answer has come since: the token in hand is superseded, and its own comes first.
        if !held || self.promote_successor(&current).await? {
            return Ok(None);
        }
        if !self.lease_lasts(on) {
            return Ok(Some(Try::TooLate));
        }
        let request = TokenRequest::RefreshToken(&on.token);
        let secrets = request.secrets(&app.client);
        let request = request.to_request(&app.client, TOKEN_PATH);
        let sent = self.parts.clock.now();
        Ok(Some(match connection.send(request).await {
            Ok(answer) => Try::Answered(answer::classify(&answer, &secrets), sent),
            Err(error) if error.unsent => {
                let SendError { origin, source, .. } = error;
                Try::NotSent(unreachable(ConnectError { origin, source }))
            }
            Err(error) => Try::Unknown(error),
        }))
    }

    /// Acts on an answer; a fault that may pass within this refresh comes back as doubt.
    async fn judge(
        &self,
        app: &App,
        on: &Presentation<'_>,
        reply: Reply,
        sent: Moment,
    ) -> Result<Result<Presented, Doubt>, Error> {
        let http_status = Some(reply.status.as_u16());
        // A success that cannot be read may have rotated the token; a fault that was answered seldom has.
        let damaged = reply.status.is_success();
        let before = if damaged {
            Before::Missing
        } else {
            Before::Fault
        };
        let doubt = |why: String, retry_after| {
            Ok(Err(Doubt {
                before,
                http_status,
                why,
                retry_after,
            }))
        };
        let tries = on.before();
        if damaged {
            // Should it not even come to be sealed, an answer is missing from here on.
            on.doubt(Before::Missing);
        }
        match reply.outcome {
            Outcome::Granted(granted) => {
                let committing = self.commit_granted(on, granted, reply.request_id, tries, sent);
                let presented = committing.await?;
                self.close_breaker(&app.name).await;
                Ok(Ok(presented))
            }
            Outcome::Salvaged(salvaged) => {
                Ok(Ok(self.commit_salvaged(on, salvaged, tries).await?))
            }
            Outcome::Refused(error) => {
                let evidence = Evidence {
                    description: error.description,
                    request_id: reply.request_id,
                    before: on.before(),
                };
                Ok(Ok(self.refused(on, &evidence).await?))
            }
            Outcome::Misconfigured(error) => Err(self.misconfigured(on, error).await?),
            Outcome::Throttled { retry_after } => {
                let now = self.parts.clock.now();
                let wait = retry_after.map_or(timing::BACK_OFF.0, |retry| retry.wait(now.wall));
                self.update_app(&app.name, |state: &AppState| {
                    Some(state.throttled(wait, &now))
                })
                .await?;
                self.give_back(on, on.not_looked_at()).await?;
                Ok(Ok(Presented::Again))
            }
            Outcome::Unavailable { retry_after } => {
                doubt(format!("HTTP {}", reply.status.as_u16()), retry_after)
            }
            Outcome::Unintelligible { why } => doubt(why.to_owned(), None),
        }
    }

    async fn misconfigured(
        &self,
        on: &Presentation<'_>,
        error: ErrorResponse,
    ) -> Result<Error, Error> {
        self.give_back(on, on.not_looked_at()).await?;
        tracing::error!(app = %on.row.app, error = error.code, "the provider refuses the app itself");
        let ErrorResponse { code, description } = error;
        let app = on.row.app.clone();
        Ok(Problem::Misconfigured {
            app,
            error: code,
            description,
        }
        .into())
    }

    /// After the last try: the intent is given back, and the caller told what stands in the way.
    async fn give_up(
        &self,
        on: &Presentation<'_>,
        doubt: Option<Doubt>,
        unsent: Option<Error>,
    ) -> Result<Presented, Error> {
        let Some(doubt) = doubt else {
            self.give_back(on, Resolution::Untouched).await?;
            return unsent.map_or(Ok(Presented::Again), Err);
        };
        let failures = on
            .row
            .trouble
            .as_ref()
            .map_or(0, |trouble| trouble.failures);
        let wall = self.parts.clock.wall();
        let asked = doubt
            .retry_after
            .map_or(Duration::ZERO, |retry| retry.wait(wall));
        let pause = self
            .jittered(timing::back_off(failures.saturating_add(1)))
            .max(asked);
        let Doubt {
            before,
            http_status,
            why,
            ..
        } = doubt;
        let resolution = Resolution::Unknown {
            http_status,
            why: why.clone(),
            missing: before == Before::Missing || on.before() == Before::Missing,
            pause,
        };
        let trouble = self
            .give_back(on, resolution)
            .await?
            .and_then(|row| row.trouble);
        let Some(trouble) = trouble else {
            return Ok(Presented::Again);
        };
        let (since, retry_at) = (trouble.since, trouble.retry.wall);
        tracing::warn!(grant = %on.row.name, why, %retry_at, "the provider gave no proper answer");
        Err(Problem::Unavailable {
            since,
            retry_at,
            http_status,
            why,
        }
        .into())
    }
}

#[cfg(feature = "failpoints")]
impl failpoint::Broken {
    fn no_connection(self, to: &crate::oauth::origin::Origin) -> Try {
        let (origin, source) = (to.to_string(), Box::new(self));
        Try::NotSent(unreachable(ConnectError { origin, source }))
    }
}

fn unreachable(error: ConnectError) -> Error {
    let why = chain(&error);
    Problem::Unreachable {
        origin: error.origin,
        why,
    }
    .into()
}

/// An error and its causes on one line; transport errors hold no secret, and no URL with a query.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    answer::printable(&text, 300)
}
