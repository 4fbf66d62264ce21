//! The append-only record of everything that reached the simulator, and counts of it.
//!
//! Tokens appear as [fingerprints](crate::fingerprint) only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::UnixMs;

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// Simulated time, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Real microseconds since the simulator started.
    pub real_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A request to the authorization endpoint was decided.
    Authorize {
        /// The app, as the request names it.
        client_id: String,
        /// Who was signed in.
        user: String,
        /// `allowed`, `denied`, or the text of the error page.
        outcome: String,
    },
    /// A request to the token endpoint.
    TokenCall(TokenCall),
    /// A scripted fault holds a request, or its answer, until the test releases it.
    Held {
        /// The request's number.
        request: u64,
    },
    /// The answer to a token call left the simulator, or did not.
    Answered {
        /// The request's number, as in the token call.
        request: u64,
        /// Whether every byte of the true answer was handed to the network.
        complete: bool,
        /// How many bytes were, head included.
        bytes: u64,
    },
    /// A request to the Web API.
    ApiCall {
        /// The request's number.
        request: u64,
        /// The HTTP method.
        method: String,
        /// The path, without the query.
        path: String,
        /// The query as it was sent, credentials replaced by their fingerprints.
        query: String,
        /// The names of the headers, sorted, one for each value.
        headers: Vec<String>,
        /// The length of the body.
        body_bytes: u64,
        /// The fingerprint of the body, where there is one.
        body: Option<String>,
        /// The fingerprint of the access token, where one was sent.
        access: Option<String>,
        /// The status of the answer; 0 where none was made.
        status: u16,
        /// The scripted fault that met the request.
        fault: Option<String>,
    },
    /// A request to the revocation endpoint.
    RevokeCall {
        /// The request's number.
        request: u64,
        /// The status of the answer; 0 where none was made.
        status: u16,
        /// The chain that it ended.
        grant: Option<u64>,
    },
    /// A token or a client secret arrived where it must never be sent.
    StrayCredential {
        /// The request's number.
        request: u64,
        /// `accounts` or `api`.
        listener: String,
        /// `access_token`, `refresh_token` or `client_secret`.
        what: String,
        /// Its fingerprint.
        fingerprint: String,
        /// `url`, `header` or `body`.
        place: String,
    },
    /// A token request had a parameter that is not part of it.
    UnexpectedParameter {
        /// The request's number.
        request: u64,
        /// The name of the parameter.
        name: String,
    },
    /// A test or a person used the control surface.
    Control {
        /// What was done.
        what: String,
    },
}

/// How a token call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Tokens were issued; the refresh token stayed the same, or there is none.
    GrantedKept,
    /// Tokens were issued, among them a new refresh token.
    GrantedReplaced,
    /// The request was refused.
    Refused,
    /// A scripted fault took the place of an answer, and nothing was processed.
    Faulted,
}

/// One request to the token endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenCall {
    /// The request's number.
    pub request: u64,
    /// The `grant_type` sent.
    pub grant_type: String,
    /// The app that the request names.
    pub client_id: Option<String>,
    /// The consent chain that the presented code or refresh token belongs to.
    pub grant: Option<u64>,
    /// The fingerprint of the presented code or refresh token.
    pub presented: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// For a refusal: `error: error_description`.
    pub error: Option<String>,
    /// For a refusal: the simulator's own reason, which Spotify would not tell.
    pub why: Option<String>,
    /// The scripted fault that met the request.
    pub fault: Option<String>,
    /// Whether tokens were issued or taken away.
    pub committed: bool,
    /// The fingerprint of the refresh token issued.
    pub issued_refresh: Option<String>,
    /// The fingerprint of the access token issued.
    pub issued_access: Option<String>,
    /// How many token calls for the same chain were open at its arrival, itself included.
    pub concurrent: u32,
}

/// How often things happened, so that a test need not read the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Every token call.
    pub token_calls: u64,
    /// Token calls with `grant_type=refresh_token`.
    pub refreshes: u64,
    /// Token calls with `grant_type=authorization_code`.
    pub exchanges: u64,
    /// Token calls that issued tokens and kept the refresh token.
    pub granted_kept: u64,
    /// Token calls that issued tokens and a new refresh token.
    pub granted_replaced: u64,
    /// Token calls refused.
    pub refused: u64,
    /// The refused ones by `error: error_description`.
    pub refused_by_error: BTreeMap<String, u64>,
    /// Token calls that a fault answered without processing them.
    pub faulted: u64,
    /// The most token calls ever open at once for one chain.
    pub max_concurrent: u32,
    /// Web API calls.
    pub api_calls: u64,
    /// Web API calls by the status answered.
    pub api_by_status: BTreeMap<u16, u64>,
    /// Credentials that arrived where they must never be sent.
    pub stray_credentials: u64,
}

/// The events so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Event>,
    counts: Counts,
    /// The number of the newest event, for those who wait for one.
    newest: watch::Sender<u64>,
}

// === impl History ===

impl History {
    /// The number that the next event will have.
    pub(crate) fn next_seq(&self) -> u64 {
        u64::try_from(self.events.len()).map_or(u64::MAX, |len| len + 1)
    }

    pub(crate) fn record(&mut self, at: UnixMs, real_us: u64, kind: EventKind) {
        self.count(&kind);
        let seq = self.next_seq();
        self.events.push(Event {
            seq,
            at,
            real_us,
            kind,
        });
        self.newest.send_replace(seq);
    }

    /// Counts a Web API call that is not to be kept.
    pub(crate) fn count_api(&mut self, status: u16) {
        self.counts.api_calls += 1;
        *self.counts.api_by_status.entry(status).or_default() += 1;
    }

    fn count(&mut self, kind: &EventKind) {
        let counts = &mut self.counts;
        match kind {
            EventKind::TokenCall(call) => {
                counts.token_calls += 1;
                match call.grant_type.as_str() {
                    "refresh_token" => counts.refreshes += 1,
                    "authorization_code" => counts.exchanges += 1,
                    _ => {}
                }
                match call.outcome {
                    Outcome::GrantedKept => counts.granted_kept += 1,
                    Outcome::GrantedReplaced => counts.granted_replaced += 1,
                    Outcome::Faulted => counts.faulted += 1,
                    Outcome::Refused => {
                        counts.refused += 1;
                        let error = call.error.clone().unwrap_or_default();
                        *counts.refused_by_error.entry(error).or_default() += 1;
                    }
                }
                counts.max_concurrent = counts.max_concurrent.max(call.concurrent);
            }
            EventKind::ApiCall { status, .. } => self.count_api(*status),
            EventKind::StrayCredential { .. } => counts.stray_credentials += 1,
            _ => {}
        }
    }

    /// The events after number `since`.
    pub(crate) fn since(&self, since: u64) -> &[Event] {
        usize::try_from(since)
            .ok()
            .and_then(|since| self.events.get(since..))
            .unwrap_or_default()
    }

    /// Follows the number of the newest event.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}
