//! `refrain why`: one grant's story, for the person who asks why it is as it is.

use refrain::{
    Next, Why,
    json::LimitJson,
    lifecycle::{
        Event,
        row::{Account, Consent, Reason},
    },
    words::{self, consent as consents, limit, standing, story},
};
use serde::Serialize;
use serde_json::Value;

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
    /// Where nobody knows when the user consented: when at the latest.
    authorized_at_latest: Option<String>,
    reauthorize_by_latest: Option<String>,
    days_left: Option<u64>,
    token_expires_at: Option<String>,
    next: NextJson,
    /// What keeps its requests from being sent at the moment.
    limit: Option<LimitJson>,
    /// Oldest first.
    events: Vec<Value>,
}

/// What happens next.
#[derive(Serialize)]
struct NextJson {
    what: String,
    at: Option<String>,
}

/// What the library knows, in the words of this command.
struct Subject(Why);

pub(super) async fn run(global: &GlobalArgs, args: &GrantArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let subject = async {
        let grant = super::grant(&refrain, args.grant.as_ref()).await?;
        grant.why().await
    }
    .await;
    super::close(&refrain).await;
    let subject = Subject(subject?);
    if global.json {
        output::json(&subject.to_json())
    } else {
        output::text(&subject.to_text())
    }
}

// === impl Subject ===

impl Subject {
    fn to_json(&self) -> Json {
        let row = &self.0.row;
        let consent = row.consent.as_ref();
        let Next { what, at } = self.0.next();
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
            reason: row.status.reason().map(Reason::word),
            since: row.status.since().map(|at| at.to_string()),
            authorized_at: consent.map(|consent| consent.authorized_at.to_string()),
            reauthorize_by: consent.map(|consent| consent.reauthorize_by.to_string()),
            authorized_at_latest: consent
                .and_then(|consent| consent.latest)
                .map(|at| at.to_string()),
            reauthorize_by_latest: consent
                .and_then(Consent::reauthorize_by_latest)
                .map(|at| at.to_string()),
            days_left: consent.map(|consent| consent.reauthorize_by.days_since(self.0.now.wall)),
            token_expires_at: self.0.token_end().map(|at| at.to_string()),
            next: NextJson {
                what,
                at: at.map(|at| at.to_string()),
            },
            limit: self
                .0
                .limit
                .as_ref()
                .map(|gate| LimitJson::of(gate, &self.0.now)),
            events: self.0.events.iter().map(Event::to_json).collect(),
        }
    }

    fn to_text(&self) -> String {
        let (row, now) = (&self.0.row, self.0.now.wall);
        let none = || "-".to_owned();
        let status = standing::sentence(&row.status, row.trouble.as_ref());
        let consent = row.consent.as_ref();
        let Next { what, at } = self.0.next();
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
                consent.map_or_else(none, |consent| consents::given(consent, now)),
            ),
            (
                "reauthorize by",
                consent.map_or_else(none, |consent| consents::end(consent, now)),
            ),
            (
                "access token",
                self.0.token_end().map_or_else(none, |at| {
                    let word = if at > now { "expires" } else { "expired" };
                    format!("{word} {}", words::when(at, now))
                }),
            ),
            ("next", next),
        ];
        let limit = self.0.limit.as_ref();
        let limit = limit.map(|gate| ("requests", limit::sentence(gate, &self.0.now)));
        let lines = lines.into_iter().chain(limit);
        let head = lines.map(|(name, value)| format!("{name:<15} {}", report::plain(&value)));
        let story = story::lines(&self.0.events).into_iter();
        let story = story.map(|line| report::plain(&format!("{}  {}", line.at, line.text)));
        let lines: Vec<String> = head.chain([String::new()]).chain(story).collect();
        lines.join(
            "
",
        ) + "
"
    }
}

fn user(account: &Account) -> String {
    match &account.display_name {
        Some(name) => format!("{name} ({})", account.id),
        None => account.id.clone(),
    }
}
