//! Who has done what: a line in the log, and the last of it in memory for `GET /refrain/v1/events`.
//!
//! Tokens that are given out are noted once for each connection and token. Whoever reads the same token a
//! thousand times on one connection has learnt it once, and a line each time would be most of the work of
//! answering; how often tokens were read is counted in the metrics. Whoever reads two in turn is noted each
//! time all the same, so they have a place of their own: no number of them pushes out who signed out whom, or
//! who made a key.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use refrain::{
    Grant,
    access::{ApiKeyId, Grants, KeyRecord},
    connect::{LinkId, LinkRecord},
    id::GrantName,
    keeper::Live,
    time::UnixMillis,
};
use serde::Serialize;

use crate::{caller::Caller, connection::Connection, request_id::RequestId};

/// So many are kept of tokens that were given out, and so many of everything else.
const KEPT: usize = 1000;

/// What was done, or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    TokenGiven,
    Refresh,
    Logout,
    KeyCreated,
    KeyRevoked,
    LinkCreated,
    Connected,
    SignedIn,
    SignedOut,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::TokenGiven => "token_given",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::LinkCreated => "link_created",
            Self::Connected => "connected",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
        }
    }
}

/// What it was done to.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Grant(GrantName),
    /// A key; and which grants it reaches, which says who may hear of it.
    Key(ApiKeyId, Grants),
    /// A connect link, and the grant that it is for.
    Link(LinkId, GrantName),
    /// The server as a whole.
    Server,
}

impl Subject {
    pub(crate) fn key(record: &KeyRecord) -> Self {
        Self::Key(record.id.clone(), record.grants.clone())
    }

    pub(crate) fn link(record: &LinkRecord) -> Self {
        Self::Link(record.id.clone(), record.terms.grant.clone())
    }

    fn grant(&self) -> Option<&str> {
        match self {
            Self::Grant(name) | Self::Link(_, name) => Some(name.as_str()),
            Self::Key(..) | Self::Server => None,
        }
    }

    fn key_id(&self) -> Option<&str> {
        match self {
            Self::Key(id, _) => Some(id.as_str()),
            Self::Grant(_) | Self::Link(..) | Self::Server => None,
        }
    }

    fn link_id(&self) -> Option<&str> {
        match self {
            Self::Link(id, _) => Some(id.as_str()),
            Self::Grant(_) | Self::Key(..) | Self::Server => None,
        }
    }

    fn is_for(&self, caller: &Caller) -> bool {
        match self {
            Self::Grant(name) | Self::Link(_, name) => caller.reaches(name),
            Self::Key(_, grants) => caller.reaches_all_of(grants),
            Self::Server => caller.reaches_all_of(&Grants::All),
        }
    }
}

/// One thing that was done, or tried.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    number: u64,
    at: UnixMillis,
    action: Action,
    caller: String,
    subject: Subject,
    /// `done`, or the code of what stood in the way.
    result: &'static str,
    request_id: String,
}

/// How it is told.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    id: String,
    at: String,
    action: Action,
    caller: String,
    grant: Option<String>,
    key: Option<String>,
    link: Option<String>,
    result: &'static str,
    request_id: String,
}

/// A part of what happened.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    events: Vec<Told>,
    /// Where the next part begins.
    next: String,
    /// Whether something is missing between the last part and this one.
    missed: bool,
}

/// What was done lately, by this process.
#[derive(Debug)]
pub(crate) struct Audit {
    process: String,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    last: u64,
    /// The newest of those that are no longer kept.
    dropped: u64,
    given: VecDeque<Event>,
    others: VecDeque<Event>,
}

impl Ring {
    fn push(&mut self, event: Event) {
        let events = match event.action {
            Action::TokenGiven => &mut self.given,
            _ => &mut self.others,
        };
        let oldest = (events.len() >= KEPT).then(|| events.pop_front()).flatten();
        events.push_back(event);
        let dropped = oldest.map_or(0, |oldest| oldest.number);
        self.dropped = self.dropped.max(dropped);
    }

    /// Those behind a number, oldest first.
    fn after(&self, number: u64) -> Vec<&Event> {
        let all = self.given.iter().chain(&self.others);
        let mut news: Vec<_> = all.filter(|event| event.number > number).collect();
        news.sort_unstable_by_key(|event| event.number);
        news
    }
}

impl Audit {
    pub(crate) fn new(process: String) -> Self {
        let ring = Mutex::default();
        Self { process, ring }
    }

    /// Notes what was done.
    pub(crate) fn note(
        &self,
        action: Action,
        caller: String,
        subject: Subject,
        (result, request_id, at): (&'static str, &str, UnixMillis),
    ) {
        tracing::info!(
            target: "audit",
            action = action.word(),
            %caller,
            grant = subject.grant(),
            key = subject.key_id(),
            link = subject.link_id(),
            result,
            request_id,
            "audit",
        );
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.last = ring.last.saturating_add(1);
        let event = Event {
            number: ring.last,
            at,
            action,
            caller,
            subject,
            result,
            request_id: request_id.to_owned(),
        };
        ring.push(event);
    }

    /// What a caller may hear of, oldest first, behind a place that an earlier answer named. A place that
    /// is not of this process is that of another run: all that is here is news.
    pub(crate) fn after(&self, place: Option<&str>, most: usize, caller: &Caller) -> Page {
        let seen = place.and_then(|place| {
            let (process, number) = place.split_once('-')?;
            let number = u64::from_str_radix(number, 16).ok()?;
            (process == self.process).then_some(number)
        });
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = match (place, seen) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(_), Some(seen)) => seen < ring.dropped,
        };
        let (mut events, mut next) = (Vec::new(), ring.last);
        for event in ring.after(seen.unwrap_or(0)) {
            if events.len() == most {
                break;
            }
            next = event.number;
            if event.subject.is_for(caller) {
                events.push(self.told(event));
            }
        }
        let next = self.id(next);
        Page {
            events,
            next,
            missed,
        }
    }

    fn told(&self, event: &Event) -> Told {
        Told {
            id: self.id(event.number),
            at: event.at.to_string(),
            action: event.action,
            caller: event.caller.clone(),
            grant: event.subject.grant().map(str::to_owned),
            key: event.subject.key_id().map(str::to_owned),
            link: event.subject.link_id().map(str::to_owned),
            result: event.result,
            request_id: event.request_id.clone(),
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number:x}", self.process)
    }
}

/// Counts a token that is given out, and notes it where it is another one than the last on its connection.
pub(crate) fn token_given(
    connection: &Connection,
    caller: &Caller,
    grant: &Grant,
    live: &Live,
    id: &RequestId<'_>,
) {
    let (shared, name) = (connection.shared(), grant.name());
    shared.metrics().token_given();
    let (epoch, generation) = live.line();
    let token = (epoch.0, generation.0, live.expires_at().0);
    if connection.gives_news((caller.mark(), name, token)) {
        let told = ("done", id.text(), shared.clock().wall());
        let subject = Subject::Grant(name.clone());
        let audit = shared.audit();
        audit.note(Action::TokenGiven, caller.name(), subject, told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Caller = Caller::Peer { uid: 0 };

    fn audit(events: u64) -> Audit {
        let audit = Audit::new("00000001".to_owned());
        for number in 0..events {
            let name = format!("grant-{number}").parse().unwrap();
            let told = ("done", "1-1", UnixMillis(0));
            audit.note(Action::Refresh, PEER.name(), Subject::Grant(name), told);
        }
        audit
    }

    #[test]
    fn whoever_comes_back_hears_what_is_new() {
        let audit = audit(5);
        let first = audit.after(None, 3, &PEER);
        let names = |page: &Page| -> Vec<_> {
            let names = page.events.iter().map(|it| it.grant.clone().unwrap());
            names.collect()
        };
        assert_eq!(names(&first), ["grant-0", "grant-1", "grant-2"]);
        let second = audit.after(Some(&first.next), 3, &PEER);
        assert_eq!(names(&second), ["grant-3", "grant-4"]);
        let third = audit.after(Some(&second.next), 3, &PEER);
        assert!(third.events.is_empty() && !third.missed);
        assert_eq!(third.next, second.next);
    }

    #[test]
    fn tokens_that_are_read_in_turn_push_nothing_else_out() {
        let audit = audit(1);
        for number in 0..3 * KEPT {
            let name = if number % 2 == 0 { "alice" } else { "bob" };
            let subject = Subject::Grant(name.parse().unwrap());
            let told = ("done", "1-1", UnixMillis(0));
            audit.note(Action::TokenGiven, PEER.name(), subject, told);
        }
        audit.note(
            Action::KeyRevoked,
            PEER.name(),
            Subject::Server,
            ("done", "1-1", UnixMillis(0)),
        );
        let all = audit.after(None, usize::MAX, &PEER).events;
        assert_eq!(all.len(), KEPT + 2);
        assert_eq!(all.first().unwrap().action, Action::Refresh);
        assert_eq!(all.last().unwrap().action, Action::KeyRevoked);
        assert!(all.is_sorted_by_key(|it| {
            u64::from_str_radix(it.id.split_once('-').unwrap().1, 16).unwrap()
        }));
        assert!(audit.after(Some(&audit.id(1)), 1, &PEER).missed);
    }

    #[test]
    fn a_gap_is_told() {
        let audit = audit(KEPT as u64 + 5);
        let place = |number| audit.id(number);
        assert!(audit.after(Some(&place(4)), 1, &PEER).missed);
        assert!(!audit.after(Some(&place(5)), 1, &PEER).missed);
        let foreign = audit.after(Some("00000002-1"), usize::MAX, &PEER);
        assert!(foreign.missed && foreign.events.len() == KEPT);
    }
}
