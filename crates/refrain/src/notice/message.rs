//! A message as it goes out.

use std::fmt;

use serde::Serialize;

use crate::{
    access::base62,
    id::{GrantId, GrantName},
    lifecycle::{
        GrantRow,
        row::{Reason, Status},
    },
    notice::{Kind, News},
    random::{Random, RandomError},
    time::UnixMillis,
};

const PREFIX: &str = "msg_";
/// 142 bits: no two messages have one.
const DIGITS: usize = 24;

/// Names a message to those who hear of it: whoever gets one twice knows it by this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Box<str>);

impl MessageId {
    /// A fresh one.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        let mut text = PREFIX.to_owned();
        base62::draw(&mut text, DIGITS, random)?;
        Ok(Self(text.into()))
    }

    /// Reads one back from the store; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let legal = digits.len() == DIGITS && base62::is_base62(digits);
        legal.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is told, once, to however many places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// What it is about.
    pub kind: Kind,
    /// The grant that it is about, if any.
    pub grant: Option<(GrantId, GrantName)>,
    /// JSON: `type`, `timestamp` and `data`.
    pub body: String,
    /// When it was made.
    pub made_at: UnixMillis,
}

#[derive(Serialize)]
struct Body<T> {
    r#type: &'static str,
    timestamp: String,
    data: T,
}

/// What is told of a grant.
#[derive(Serialize)]
struct OfGrant<'a> {
    grant: &'a str,
    app: &'a str,
    status: &'static str,
    reason: Option<&'static str>,
    since: Option<String>,
    authorized_at: Option<String>,
    reauthorize_by: Option<String>,
    authorized_at_latest: Option<String>,
    reauthorize_by_latest: Option<String>,
    days: Option<u8>,
}

#[derive(Serialize)]
struct Nothing {}

impl Message {
    /// A piece of news about a grant.
    ///
    /// # Errors
    /// Where there is no randomness for its name.
    pub fn about(
        row: &GrantRow,
        news: News,
        now: UnixMillis,
        random: &dyn Random,
    ) -> Result<Self, RandomError> {
        let text = |at: UnixMillis| at.to_string();
        let of_grant = OfGrant {
            grant: row.name.as_str(),
            app: row.app.as_str(),
            status: row.status.word(),
            reason: row.status.reason().map(Reason::word),
            since: row.status.since().map(text),
            authorized_at: row.consent.map(|it| text(it.authorized_at)),
            reauthorize_by: row.consent.map(|it| text(it.reauthorize_by)),
            authorized_at_latest: row.consent.and_then(|it| it.latest).map(text),
            reauthorize_by_latest: row
                .consent
                .and_then(|it| it.reauthorize_by_latest())
                .map(text),
            days: news.days,
        };
        let body = body(news.kind, happened(row, news.kind).unwrap_or(now), of_grant);
        Ok(Self {
            id: MessageId::random(random)?,
            kind: news.kind,
            grant: Some((row.id.clone(), row.name.clone())),
            body,
            made_at: now,
        })
    }

    /// A message about nothing.
    ///
    /// # Errors
    /// Where there is no randomness for its name.
    pub fn test(now: UnixMillis, random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self {
            id: MessageId::random(random)?,
            kind: Kind::Test,
            grant: None,
            body: body(Kind::Test, now, Nothing {}),
            made_at: now,
        })
    }
}

/// When it happened, where the grant knows.
fn happened(row: &GrantRow, kind: Kind) -> Option<UnixMillis> {
    match (kind, &row.status) {
        (Kind::Connected, _) => row
            .consent
            .filter(|consent| consent.latest.is_none())
            .map(|consent| consent.authorized_at),
        (
            Kind::Reauthorize | Kind::SignedOut,
            Status::Reauthorize { since, .. } | Status::SignedOut { since },
        ) => Some(*since),
        _ => None,
    }
}

/// Our own types, whose serialization cannot fail.
fn body(kind: Kind, at: UnixMillis, data: impl Serialize) -> String {
    let body = Body {
        r#type: kind.word(),
        timestamp: at.to_string(),
        data,
    };
    serde_json::to_string(&body).unwrap_or_default()
}
