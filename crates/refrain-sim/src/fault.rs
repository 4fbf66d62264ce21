//! Faults that a test scripts: which request they wait for and what they do to it.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mint;

/// The requests that a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Every `POST /api/token`.
    Token,
    /// `POST /api/token` with `grant_type=refresh_token`.
    TokenRefresh,
    /// `POST /api/token` with `grant_type=authorization_code`.
    TokenExchange,
    /// Every Web API call.
    Api,
    /// `GET /v1/me` alone.
    Me,
    /// The revocation endpoint.
    Revoke,
    /// The authorization page, as a browser asks for it.
    Authorize,
    /// Every request except those of the control surface.
    Any,
}

/// The kind of body that an injected error carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// The error object that the endpoint uses.
    #[default]
    Json,
    /// The plain text of the proxy in front of Spotify.
    Text,
    /// An HTML page.
    Html,
    /// Nothing.
    Empty,
}

/// What a fault does.
///
/// "Before commit" means that the request changes nothing; "after commit" that it was processed,
/// tokens and all, and only the answer suffers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Processes the request late, even if the client has left by then.
    Delay {
        /// How late.
        ms: u64,
    },
    /// Processes the request at once and answers late.
    DelayAnswer {
        /// How late.
        ms: u64,
    },
    /// Holds the request until the test releases it, and processes it then, even if the client has
    /// left.
    Hold,
    /// Processes the request at once and holds the answer until the test releases it.
    HoldAnswer,
    /// Closes the connection without processing the request.
    CutBeforeCommit,
    /// Closes the connection with a TCP reset, without processing the request.
    ResetBeforeCommit,
    /// Processes the request and closes the connection without an answer.
    CutAfterCommit,
    /// Processes the request, sends the first bytes of the answer (head included) and closes.
    CutAfterBytes {
        /// How many bytes.
        n: u64,
        /// Closes with a TCP reset instead of an orderly end.
        #[serde(default)]
        reset: bool,
    },
    /// Answers an error without processing the request.
    ErrorBeforeCommit {
        /// The HTTP status.
        status: u16,
        /// The kind of body.
        #[serde(default)]
        body_kind: BodyKind,
    },
    /// Processes the request and answers an error all the same.
    ErrorAfterCommit {
        /// The HTTP status.
        status: u16,
    },
    /// Answers an HTML page without processing the request.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// Answers exactly this without processing the request.
    Body {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type`; none is sent when empty.
        #[serde(default)]
        content_type: String,
        /// The body.
        #[serde(default)]
        body: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Answers 400 `invalid_grant` without processing the request.
    FalseRefusal {
        /// The `error_description`; none is sent when absent.
        #[serde(default)]
        description: Option<String>,
    },
    /// Answers 429 without processing the request.
    Throttle {
        /// The value of `Retry-After`, sent as it is; the header is left out when absent.
        #[serde(default)]
        retry_after: Option<String>,
        /// The development-mode quota instead of the 30 s window.
        #[serde(default)]
        quota: bool,
    },
    /// Answers 401 although the access token is good.
    Spurious401,
    /// Processes the request and sends the answer one byte at a time.
    DripBytes {
        /// The pause before each byte.
        ms_per_byte: u64,
    },
    /// Processes the request and changes members of the JSON answer, to give them the wrong type,
    /// say.
    Alter {
        /// Members to set.
        #[serde(default)]
        set: BTreeMap<String, Value>,
        /// Members to leave out.
        #[serde(default)]
        remove: Vec<String>,
    },
    /// Processes the request and sends the body gzipped.
    GzipBody,
    /// Does not process the request and says nothing until the client leaves, or for 60 s.
    Hang,
}

// === impl Action ===

impl Action {
    /// The name of the action, as in its JSON form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::DelayAnswer { .. } => "delay-answer",
            Self::Hold => "hold",
            Self::HoldAnswer => "hold-answer",
            Self::Alter { .. } => "alter",
            Self::CutBeforeCommit => "cut-before-commit",
            Self::ResetBeforeCommit => "reset-before-commit",
            Self::CutAfterCommit => "cut-after-commit",
            Self::CutAfterBytes { .. } => "cut-after-bytes",
            Self::ErrorBeforeCommit { .. } => "error-before-commit",
            Self::ErrorAfterCommit { .. } => "error-after-commit",
            Self::Html { .. } => "html",
            Self::Body { .. } => "body",
            Self::FalseRefusal { .. } => "false-refusal",
            Self::Throttle { .. } => "throttle",
            Self::Spurious401 => "spurious401",
            Self::DripBytes { .. } => "drip-bytes",
            Self::GzipBody => "gzip-body",
            Self::Hang => "hang",
        }
    }

    /// Whether the answer of a processed request surely reaches the client, whole and in time.
    pub(crate) fn delivers(&self) -> bool {
        matches!(self, Self::GzipBody)
    }
}

/// A fault and the requests that it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    pub on: Target,
    /// How many of them, before the fault is used up.
    #[serde(default = "once")]
    pub times: u32,
    /// The probability that a matching request gets the fault; always, when absent.
    #[serde(default)]
    pub share: Option<f64>,
    /// What happens to them.
    pub action: Action,
}

fn once() -> u32 {
    1
}

// === impl Fault ===

impl Fault {
    /// A fault for the next matching request.
    pub fn once(on: Target, action: Action) -> Self {
        Self {
            on,
            times: 1,
            share: None,
            action,
        }
    }

    /// A fault for the next `times` matching requests.
    pub fn times(on: Target, times: u32, action: Action) -> Self {
        Self {
            on,
            times,
            share: None,
            action,
        }
    }

    /// A fault for a share of all matching requests, until it is cleared.
    pub fn share(on: Target, share: f64, action: Action) -> Self {
        Self {
            on,
            times: u32::MAX,
            share: Some(share),
            action,
        }
    }
}

/// The scripted faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Script {
    faults: VecDeque<Fault>,
}

// === impl Script ===

impl Script {
    pub(crate) fn push(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.faults.push_back(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Takes the action of the first fault that waits for one of these targets.
    pub(crate) fn take(&mut self, targets: &[Target]) -> Option<Action> {
        let at = self.faults.iter().position(|fault| {
            (fault.on == Target::Any || targets.contains(&fault.on))
                && fault.share.is_none_or(mint::roll)
        })?;
        let fault = self.faults.get_mut(at)?;
        let action = fault.action.clone();
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        if fault.times == 0 {
            self.faults.remove(at);
        }
        Some(action)
    }

    /// How many faults still wait; those without an end do not count.
    pub(crate) fn unread(&self) -> usize {
        self.faults
            .iter()
            .filter(|fault| fault.times != u32::MAX && fault.share.is_none())
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_fire_in_order_and_only_for_their_target() {
        let mut script = Script::default();
        script.push(Fault::once(Target::Me, Action::Spurious401));
        script.push(Fault::times(Target::Token, 2, Action::CutAfterCommit));
        let refresh = [Target::Token, Target::TokenRefresh];
        assert_eq!(script.take(&refresh), Some(Action::CutAfterCommit));
        assert_eq!(script.unread(), 2);
        assert_eq!(script.take(&refresh), Some(Action::CutAfterCommit));
        assert_eq!(script.take(&refresh), None);
        assert_eq!(
            script.take(&[Target::Api, Target::Me]),
            Some(Action::Spurious401)
        );
        assert_eq!(script.unread(), 0);
    }

    #[test]
    fn a_share_of_one_always_fires_and_of_zero_never() {
        let mut script = Script::default();
        script.push(Fault::share(Target::Any, 0.0, Action::Hang));
        script.push(Fault::share(Target::Any, 1.0, Action::Spurious401));
        assert_eq!(script.take(&[Target::Api]), Some(Action::Spurious401));
        assert_eq!(script.unread(), 0);
    }

    #[test]
    fn a_fault_reads_from_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"on":"token-refresh","action":{"do":"cut-after-bytes","n":20,"reset":true}}"#,
        )
        .unwrap();
        let action = Action::CutAfterBytes { n: 20, reset: true };
        assert_eq!(fault, Fault::once(Target::TokenRefresh, action));
    }
}
