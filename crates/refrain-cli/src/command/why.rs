//! `refrain why`: one grant's story, for the person who asks why it is as it is.

mod story;

use refrain::{
    Grant, Refrain,
    lifecycle::{
        Event, GrantRow, Status,
        app::AppState,
        row::{Account, Reason},
        timing,
    },
    limit::Gate,
    time::{Moment, UnixMillis},
};
use serde::Serialize;
use serde_json::Value;

use super::{limit, words};
use crate::{
    args::{GlobalArgs, GrantArgs},
    output,
    report::{self, Explanation},
};

#[derive(Serialize)]
struct Json {
    grant: String,
    app: String,
    client_id: String,
    account_id: Option<String>,
    user: Option<String>,
    scopes: Vec<String>,
    status: &'static str,
    /// Why a new login is needed.
    reason: Option<&'static str>,
    /// Since when the status has been what it is, where it is not `active`.
    since: Option<String>,
    authorized_at: Option<String>,
    reauthorize_by: Option<String>,
    days_left: Option<u64>,
    token_expires_at: Option<String>,
    next: Next,
    /// What keeps its requests from being sent at the moment.
    limit: Option<limit::Json>,
    /// Oldest first.
    events: Vec<Value>,
}

/// What happens next.
#[derive(Serialize)]
struct Next {
    what: String,
    at: Option<String>,
}

/// Everything that is told, as it is stored.
struct Subject {
    row: GrantRow,
    events: Vec<Event>,
    app: AppState,
    /// The limit that holds its requests up.
    limit: Option<Gate>,
    now: Moment,
}

pub(super) async fn run(global: &GlobalArgs, args: &GrantArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let subject = async {
        let grant = super::grant(&refrain, args.grant.as_ref()).await?;
        Subject::read(&refrain, &grant).await
    }
    .await;
    super::close(&refrain).await;
    let subject = subject?;
    if global.json {
        output::json(&subject.to_json())
    } else {
        output::text(&subject.to_text())
    }
}

// === impl Subject ===

impl Subject {
    async fn read(refrain: &Refrain, grant: &Grant) -> Result<Self, refrain::Error> {
        let row = grant.row().await?;
        let parts = refrain.parts();
        let app = parts.store.app_state(&row.app).await?.value;
        let now = parts.clock.now();
        let gates = limit::closed(refrain.limits().await?, &now);
        Ok(Self {
            events: grant.story().await?,
            app,
            limit: limit::of_app(&gates, refrain, &row.app, &now).cloned(),
            now,
            row,
        })
    }

    fn to_json(&self) -> Json {
        let row = &self.row;
        let (_, reason, since) = self.status();
        let consent = row.consent.as_ref();
        let (what, at) = self.next();
        Json {
            grant: row.name.to_string(),
            app: row.app.to_string(),
            client_id: row.client_id.to_string(),
            account_id: row.account.as_ref().map(|account| account.id.clone()),
            user: row
                .account
                .as_ref()
                .and_then(|account| account.display_name.clone()),
            scopes: row.scope.iter().map(str::to_owned).collect(),
            status: row.status.word(),
            reason: reason.map(Reason::word),
            since: since.map(|at| at.to_string()),
            authorized_at: consent.map(|consent| consent.authorized_at.to_string()),
            reauthorize_by: consent.map(|consent| consent.reauthorize_by.to_string()),
            days_left: consent
                .map(|consent| words::days_left(consent.reauthorize_by, self.now.wall)),
            token_expires_at: self.token_end().map(|at| at.to_string()),
            next: Next {
                what,
                at: at.map(|at| at.to_string()),
            },
            limit: self
                .limit
                .as_ref()
                .map(|gate| limit::to_json(gate, &self.now)),
            events: self.events.iter().map(story::to_json).collect(),
        }
    }

    fn to_text(&self) -> String {
        let (row, now) = (&self.row, self.now.wall);
        let none = || "-".to_owned();
        let (status, _, _) = self.status();
        let consent = row.consent.as_ref();
        let (what, at) = self.next();
        let next = at.map_or_else(
            || what.clone(),
            |at| format!("{what} {}", words::when(at, now)),
        );
        let scopes = if row.scope.is_empty() {
            none()
        } else {
            row.scope.to_string()
        };
        let lines = [
            ("grant", row.name.to_string()),
            ("app", format!("{} (client id {})", row.app, row.client_id)),
            ("user", row.account.as_ref().map_or_else(none, user)),
            ("scopes", scopes),
            ("status", status),
            (
                "consent",
                consent.map_or_else(none, |consent| words::when(consent.authorized_at, now)),
            ),
            (
                "reauthorize by",
                consent.map_or_else(none, |consent| words::when(consent.reauthorize_by, now)),
            ),
            (
                "access token",
                self.token_end().map_or_else(none, |at| {
                    let word = if at > now { "expires" } else { "expired" };
                    format!("{word} {}", words::when(at, now))
                }),
            ),
            ("next", next),
        ];
        let limit = self.limit.as_ref();
        let limit = limit.map(|gate| ("requests", limit::sentence(gate, &self.now)));
        let lines = lines.into_iter().chain(limit);
        let head = lines.map(|(name, value)| format!("{name:<15} {}", report::plain(&value)));
        let story = story::to_lines(&self.events);
        let story = story.iter().map(|line| report::plain(line));
        let lines: Vec<String> = head.chain([String::new()]).chain(story).collect();
        lines.join(
            "
",
        ) + "
"
    }

    fn token_end(&self) -> Option<UnixMillis> {
        let access = self.row.tokens.as_ref()?.access.as_ref()?;
        let remaining = access.expires.remaining(&self.now);
        Some(if remaining.is_zero() {
            access.expires.wall.min(self.now.wall)
        } else {
            self.now.wall.after(remaining)
        })
    }

    /// The status in words, its reason, and since when.
    fn status(&self) -> (String, Option<Reason>, Option<UnixMillis>) {
        match &self.row.status {
            Status::Active => match &self.row.trouble {
                Some(trouble) => (
                    format!(
                        "active; refreshing has met a fault at Spotify or on the way {} since {}, which \
                         is no verdict",
                        words::count(trouble.failures.into(), "time"),
                        trouble.since
                    ),
                    None,
                    None,
                ),
                None => ("active: refreshes work".to_owned(), None, None),
            },
            Status::Suspect(suspicion) if suspicion.restored => (
                format!(
                    "suspect: restored from a backup at {}, and Spotify may have replaced its token since; \
                     nothing was deleted, and nobody presents it unasked",
                    suspicion.since,
                ),
                None,
                Some(suspicion.since),
            ),
            Status::Suspect(suspicion) => (
                format!(
                    "suspect: Spotify refused it at {}, earlier than it should ({} so far); nothing was \
                     deleted, and it is asked again",
                    suspicion.since,
                    words::count(suspicion.refusals.into(), "refusal"),
                ),
                None,
                Some(suspicion.since),
            ),
            Status::Reauthorize { reason, since } => (
                format!(
                    "needs a new login since {since}: {}",
                    story::reason(*reason)
                ),
                Some(*reason),
                Some(*since),
            ),
            Status::SignedOut { since } => (
                format!("signed out since {since}; no token is left here"),
                None,
                Some(*since),
            ),
        }
    }

    /// What happens next, and when.
    fn next(&self) -> (String, Option<UnixMillis>) {
        let row = &self.row;
        let login = || format!("nothing, until somebody runs `refrain login {}`", row.name);
        let at = |deadline: &refrain::time::Deadline| {
            Some(self.now.wall.after(deadline.remaining(&self.now)))
        };
        match &row.status {
            Status::SignedOut { .. } | Status::Reauthorize { .. } => return (login(), None),
            Status::Suspect(suspicion) if suspicion.restored => {
                let what = format!(
                    "nothing, until somebody runs `refrain refresh {}`",
                    row.name
                );
                return (what, None);
            }
            Status::Active | Status::Suspect(_) => {}
        }
        if let Some(intent) = &row.intent {
            let owner = intent.owner;
            return (
                format!(
                    "process {owner} is refreshing it (since {}), or was interrupted and its work is taken over",
                    intent.armed_at
                ),
                None,
            );
        }
        if let Some(throttled) = self
            .app
            .throttled
            .as_ref()
            .filter(|end| !end.passed(&self.now))
        {
            let what = "Spotify wants this app to wait; no refresh before";
            return (what.to_owned(), at(throttled));
        }
        if let Status::Suspect(suspicion) = &row.status {
            let what = "the same token is presented again, when a token is asked for, from";
            return (what.to_owned(), at(&suspicion.next_probe));
        }
        if let Some(breaker) = &self.app.breaker {
            let what = "Spotify is refusing many logins; one grant asks whether it is over, from";
            return (what.to_owned(), at(&breaker.next_canary));
        }
        if let Some(trouble) = row
            .trouble
            .as_ref()
            .filter(|trouble| !trouble.retry.passed(&self.now))
        {
            let what = "the refresh is tried again, when a token is asked for, from";
            return (what.to_owned(), at(&trouble.retry));
        }
        let access = row
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.access.as_ref());
        let due = access.and_then(|access| {
            let life = std::time::Duration::from_millis(access.life_millis.unsigned_abs());
            let left = access.expires.remaining(&self.now);
            let until_due = left.saturating_sub(timing::ahead(life));
            (!until_due.is_zero()).then(|| self.now.wall.after(until_due))
        });
        match due {
            Some(at) => (
                "the access token is served from here; it is refreshed, when asked for, from"
                    .to_owned(),
                Some(at),
            ),
            None => (
                "it is refreshed as soon as a token is asked for".to_owned(),
                None,
            ),
        }
    }
}

fn user(account: &Account) -> String {
    match &account.display_name {
        Some(name) => format!("{name} ({})", account.id),
        None => account.id.clone(),
    }
}
