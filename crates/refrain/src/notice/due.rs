//! What is to be told of a grant now: how it stands, compared with what was told last.

use std::time::Duration;

use crate::{
    id::Epoch,
    lifecycle::{GrantRow, Status},
    notice::Kind,
    time::UnixMillis,
};

/// So many days ahead, the furthest first.
const DAYS: [u8; 3] = [30, 7, 1];

/// How a grant stands, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It works. What is refused once and verified is nobody's business yet.
    Connected,
    /// It needs a new consent.
    Reauthorize,
    /// It has no token, or none that was accepted here yet.
    SignedOut,
}

impl Standing {
    /// How a grant of this status stands.
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Suspect(suspicion) if suspicion.imported => Self::SignedOut,
            Status::Active | Status::Suspect(_) => Self::Connected,
            Status::Reauthorize { .. } => Self::Reauthorize,
            Status::SignedOut { .. } => Self::SignedOut,
        }
    }

    /// The word for it, as it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Reauthorize => "reauthorize",
            Self::SignedOut => "signed_out",
        }
    }

    /// The standing of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Connected, Self::Reauthorize, Self::SignedOut];
        all.into_iter().find(|it| it.word() == word)
    }
}

/// What was told of a grant last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Of which login.
    pub epoch: Epoch,
    /// How it stood.
    pub standing: Standing,
    /// The nearest of 30, 7 and 1 days ahead that was told of this login.
    pub days: Option<u8>,
}

/// A piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// What it is about.
    pub kind: Kind,
    /// Of [`Kind::ReauthorizeSoon`]: which of 30, 7 and 1 days ahead has come.
    pub days: Option<u8>,
}

/// What is to be told, and what is told from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What is to be told now; most often nothing.
    pub news: Vec<News>,
    /// What has been told then.
    pub told: Told,
    /// When there will be something to tell although nothing changes.
    pub next_at: Option<UnixMillis>,
}

/// Compares a grant with what was told of it last.
///
/// A grant that is seen for the first time may be years old: that it is connected is told only where the
/// user consented after `since`, which is when somebody began to tell. What needs doing is told all the same.
///
/// Of what has changed several times meanwhile the end is told: a login and a logout that nobody has heard of
/// are no news.
pub fn due(row: &GrantRow, told: Option<&Told>, since: UnixMillis, now: UnixMillis) -> Due {
    let standing = Standing::of(&row.status);
    let same = told.filter(|told| told.epoch == row.epoch);
    let mut news = Vec::new();
    news.extend(turn(row, told, since).map(|kind| News { kind, days: None }));

    let before = same.and_then(|told| told.days);
    let ends = row.consent.filter(|_| standing == Standing::Connected);
    let ends = ends.map(|consent| consent.reauthorize_by);
    let reached = ends.and_then(|ends| nearest(ends, now));
    if let Some(days) = reached.filter(|days| before.is_none_or(|before| *days < before)) {
        let kind = Kind::ReauthorizeSoon;
        let days = Some(days);
        news.push(News { kind, days });
    }
    let days = before.into_iter().chain(reached).min();
    let ahead = DAYS
        .into_iter()
        .find(|it| days.is_none_or(|days| *it < days));
    Due {
        news,
        told: Told {
            epoch: row.epoch,
            standing,
            days,
        },
        next_at: ends.zip(ahead).map(|(ends, days)| ends.before(of(days))),
    }
}

/// How it has turned since it was told of.
fn turn(row: &GrantRow, told: Option<&Told>, since: UnixMillis) -> Option<Kind> {
    let same_login = told.is_some_and(|told| told.epoch == row.epoch);
    let before = told.map(|told| told.standing);
    let before_in_this_login = before.filter(|_| same_login);
    match Standing::of(&row.status) {
        // Nobody has left: somebody is about to come.
        _ if row.status.is_imported() => None,
        Standing::Reauthorize => {
            let news = before_in_this_login != Some(Standing::Reauthorize);
            news.then_some(Kind::Reauthorize)
        }
        Standing::SignedOut => {
            let news = before.is_some_and(|before| before != Standing::SignedOut);
            news.then_some(Kind::SignedOut)
        }
        Standing::Connected if same_login => match before {
            Some(Standing::Reauthorize) => Some(Kind::Recovered),
            // Imported, and accepted.
            Some(Standing::SignedOut) => Some(Kind::Connected),
            _ => None,
        },
        Standing::Connected => {
            let young = row
                .consent
                .is_some_and(|it| it.latest.unwrap_or(it.authorized_at) > since);
            (told.is_some() || young).then_some(Kind::Connected)
        }
    }
}

/// The nearest of the days ahead that has come.
fn nearest(ends: UnixMillis, now: UnixMillis) -> Option<u8> {
    let left = ends.since(now);
    let reached = DAYS.into_iter().rev();
    reached.into_iter().find(|days| left <= of(*days))
}

fn of(days: u8) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}
