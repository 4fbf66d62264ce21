//! A grant's story: what `why` tells. Nothing secret, and nothing about the user.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{Epoch, Fence, Generation, InstanceId},
    lifecycle::row::{Consent, Reason},
    time::UnixMillis,
};

/// The members of an event that are instants.
const INSTANTS: [&str; 4] = [
    "at",
    "reauthorize_by",
    "reauthorize_by_latest",
    "next_probe",
];

/// Something that happened to a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the wall clock of whoever wrote it.
    pub at: UnixMillis,
    /// The login it belongs to.
    pub epoch: Epoch,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// The event as it is told to a program: as it is stored, with instants as RFC 3339 has them.
    pub fn to_json(&self) -> Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            for name in INSTANTS {
                if let Some(value) = object.get_mut(name)
                    && let Some(millis) = value.as_i64()
                {
                    *value = UnixMillis(millis).to_string().into();
                }
            }
        }
        json
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The user consented.
    Consented {
        /// Until when.
        reauthorize_by: UnixMillis,
    },
    /// A token was taken over from another program.
    Imported {
        /// Where it was.
        source: String,
        /// From when on the provider may stop honouring it.
        reauthorize_by: UnixMillis,
        /// When it does so at the latest.
        reauthorize_by_latest: UnixMillis,
    },
    /// A new access token was committed.
    Refreshed {
        /// Which process did it.
        by: InstanceId,
        /// Under which intent.
        fence: Fence,
        /// The generation from now on.
        generation: Generation,
        /// Whether the refresh token was replaced.
        rotated: bool,
        /// The provider's id of the request.
        request_id: Option<String>,
    },
    /// Another process died, or let its lease lapse, while it held an intent.
    TookOver {
        /// Whose it was.
        from: InstanceId,
        /// Its number.
        fence: Fence,
    },
    /// The provider answered with a fault, or not at all.
    Faulted {
        /// Whether the token may have been looked at.
        presented: bool,
        /// The status, where there was one.
        http_status: Option<u16>,
        /// In a few words.
        why: String,
    },
    /// `invalid_grant` for the token that is still the durable one.
    Refused {
        /// The generation that was presented.
        generation: Generation,
        /// The provider's words.
        description: Option<String>,
        /// The provider's id of the request.
        request_id: Option<String>,
        /// When it is asked again, unless it was believed at once.
        next_probe: Option<UnixMillis>,
    },
    /// Refusals were believed.
    Condemned {
        /// As what.
        reason: Reason,
    },
    /// An answer came after its intent had lapsed; its refresh token is kept.
    CameLate {
        /// The intent's number.
        fence: Fence,
    },
    /// The token of a late answer became the current one, because the current one was refused.
    Promoted {
        /// The generation from now on.
        generation: Generation,
    },
    /// A grant that was in doubt works again.
    Recovered,
    /// Signed out here.
    SignedOut,
    /// The store was put back from a backup.
    Restored {
        /// Whether the provider may have replaced the refresh token since.
        doubtful: bool,
    },
}

impl What {
    /// The import of a token with what is known of its consent.
    pub(super) fn imported(source: String, consent: &Consent) -> Self {
        Self::Imported {
            source,
            reauthorize_by: consent.reauthorize_by,
            reauthorize_by_latest: consent.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_instants_as_text() {
        let event = Event {
            at: UnixMillis(1_795_000_000_000),
            epoch: Epoch(1),
            what: What::Consented {
                reauthorize_by: UnixMillis(1_810_000_000_000),
            },
        };
        let json = event.to_json();
        assert_eq!(json["at"], "2026-11-18T11:06:40Z");
        assert_eq!(json["reauthorize_by"], "2027-05-11T01:46:40Z");
        assert_eq!(json["event"], "consented");
        assert_eq!(json["epoch"], 1);
    }
}
