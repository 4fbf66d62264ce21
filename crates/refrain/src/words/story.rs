//! The events of a grant, one sentence each; many refreshes in a row are one.

use crate::{
    lifecycle::{Event, event::What, row::Reason},
    time::UnixMillis,
};

/// One sentence of a story.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// When it began.
    pub at: UnixMillis,
    /// The sentence.
    pub text: String,
    /// What it tells of: one event, or several refreshes in a row.
    pub of: &'a [Event],
}

/// The story for a person, in the order of the events.
pub fn lines(events: &[Event]) -> Vec<Line<'_>> {
    events
        .chunk_by(|a, b| is_refresh(a) && is_refresh(b) && a.epoch == b.epoch)
        .filter_map(|of| {
            let text = match of {
                [] => return None,
                [event] => sentence(&event.what),
                [_, .., last] => summary(of, last),
            };
            let at = of.first()?.at;
            Some(Line { at, text, of })
        })
        .collect()
}

/// What a person is told about the reason for a new login.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Expired => "the six months of the consent are over",
        Reason::Revoked => {
            "Spotify refused it again and again; the user removed the app, changed the password, or the \
             like"
        }
        Reason::AnswerLost => "Spotify replaced its token, and the answer was lost on the way",
        Reason::Scope => "it lacks a permission that is needed now",
        Reason::Restored => "Spotify had replaced its token after the backup that was restored",
        Reason::Imported => {
            "Spotify does not accept the token that was imported: it was replaced, ended, or is of another app"
        }
    }
}

fn is_refresh(event: &Event) -> bool {
    matches!(event.what, What::Refreshed { .. })
}

fn summary(chunk: &[Event], last: &Event) -> String {
    let rotated = chunk
        .iter()
        .filter(|event| matches!(event.what, What::Refreshed { rotated: true, .. }))
        .count();
    let tokens = match rotated {
        0 => "Spotify kept the refresh token".to_owned(),
        all if all == chunk.len() => "a new refresh token each time".to_owned(),
        some => format!("{some} times with a new refresh token"),
    };
    format!(
        "refreshed {} times until {}; {tokens}",
        chunk.len(),
        last.at
    )
}

/// What happened, in a sentence.
pub fn sentence(what: &What) -> String {
    match what {
        What::Consented { reauthorize_by } => {
            format!("the user consented; Spotify honours it until {reauthorize_by}")
        }
        What::Imported {
            source,
            reauthorize_by,
            reauthorize_by_latest,
        } => format!(
            "imported from {source}; when the user consented is not known, and Spotify honours it until some \
             instant between {reauthorize_by} and {reauthorize_by_latest}"
        ),
        What::Refreshed {
            by,
            generation,
            rotated,
            request_id,
            ..
        } => {
            let token = if *rotated {
                format!("Spotify sent a new refresh token (number {})", generation.0)
            } else {
                "Spotify kept the refresh token".to_owned()
            };
            format!(
                "refreshed by process {by}; {token}{}",
                request(request_id.as_ref())
            )
        }
        What::TookOver { from, fence } => format!(
            "process {from} had died or stalled in the middle of attempt {}; its work was taken over",
            fence.0
        ),
        What::Faulted {
            presented,
            http_status,
            why,
        } => {
            let status = http_status.map_or_else(String::new, |status| format!("HTTP {status}, "));
            let effect = if *presented {
                "Spotify may have seen the token"
            } else {
                "the token was not presented"
            };
            format!("a refresh failed ({status}{why}); {effect}; no verdict")
        }
        What::Refused {
            generation,
            description,
            request_id,
            next_probe,
        } => {
            let words = description
                .as_ref()
                .map_or_else(String::new, |text| format!(" (\"{text}\")"));
            let then = next_probe.map_or_else(
                || "it was believed".to_owned(),
                |at| format!("asked again from {at}"),
            );
            format!(
                "Spotify refused refresh token number {}: invalid_grant{words}{}; {then}",
                generation.0,
                request(request_id.as_ref())
            )
        }
        What::Condemned { reason: why } => format!("a new login is needed: {}", reason(*why)),
        What::CameLate { fence } => format!(
            "the answer to attempt {} came after its time; its refresh token is kept aside",
            fence.0
        ),
        What::Promoted { generation } => format!(
            "the refresh token of a late answer became the current one (number {})",
            generation.0
        ),
        What::Recovered => "it works again".to_owned(),
        What::Restored { doubtful: false } => "the store was restored from a backup".to_owned(),
        What::Restored { doubtful: true } => {
            "the store was restored from a backup; Spotify may have replaced the refresh token since, so \
             nobody presents it unasked"
                .to_owned()
        }
        What::SignedOut => "signed out here; the tokens were destroyed".to_owned(),
    }
}

fn request(id: Option<&String>) -> String {
    id.map_or_else(String::new, |id| format!(" (request {id})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, Fence, Generation, InstanceId};

    fn at(minute: i64, what: What) -> Event {
        Event {
            at: UnixMillis(1_795_000_000_000 + minute * 60_000),
            epoch: Epoch(1),
            what,
        }
    }

    fn refreshed(rotated: bool) -> What {
        What::Refreshed {
            by: InstanceId(7),
            fence: Fence(1),
            generation: Generation(1),
            rotated,
            request_id: None,
        }
    }

    #[test]
    fn refreshes_in_a_row_are_one_line() {
        let reauthorize_by = UnixMillis(1_800_000_000_000);
        let events = [
            at(0, What::Consented { reauthorize_by }),
            at(1, refreshed(true)),
            at(2, refreshed(false)),
            at(3, refreshed(true)),
            at(4, What::Recovered),
            at(5, refreshed(false)),
        ];
        let lines = lines(&events);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert_eq!(lines[1].at.to_string(), "2026-11-18T11:07:40Z");
        assert_eq!(lines[1].of.len(), 3);
        assert_eq!(
            lines[1].text,
            "refreshed 3 times until 2026-11-18T11:09:40Z; 2 times with a new refresh token"
        );
    }

    #[test]
    fn a_refusal_shows_its_evidence() {
        let refused = What::Refused {
            generation: Generation(3),
            description: Some("Refresh token revoked".to_owned()),
            request_id: Some("abc".to_owned()),
            next_probe: Some(UnixMillis(1_795_000_900_000)),
        };
        assert_eq!(
            sentence(&refused),
            "Spotify refused refresh token number 3: invalid_grant (\"Refresh token revoked\") (request \
             abc); asked again from 2026-11-18T11:21:40Z"
        );
    }
}
