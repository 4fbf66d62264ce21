//! The limits of Spotify's Web API.

use crate::{
    limit::{Bucket, Gate, Kind},
    time::Moment,
    words,
};

/// Who has to wait until when, and why, in one sentence.
pub fn sentence(gate: &Gate, now: &Moment) -> String {
    let until = words::when(gate.ends(now), now.wall);
    let what = match (&gate.bucket, gate.kind()) {
        (Bucket::App(app), _) => format!("the app {app} has asked too often"),
        (Bucket::Developer(developer), _) => {
            format!("the quota of the developer account {developer} is used up")
        }
    };
    let told = match gate.told {
        Some(told) if gate.is_capped() => {
            format!(
                "; it said {}, which is not believed",
                words::count(told.as_secs(), "second")
            )
        }
        _ => String::new(),
    };
    format!("Spotify's Web API is asked nothing until {until}: {what}{told}")
}

/// What helps.
pub fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Rate => "wait, and let programs ask more slowly",
        Kind::Quota => {
            "wait; all apps of the account count together, so another client id does not help"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        limit::Limit,
        time::{BootId, UnixMillis, Uptime},
    };

    const NOW: Moment = Moment {
        wall: UnixMillis(1_795_000_000_000),
        uptime: Uptime(0),
        boot: BootId(1),
    };

    fn gate(kind: Kind, wait: u64, told: u64) -> Gate {
        let limit = Limit {
            kind,
            wait: Duration::from_secs(wait),
            told: Some(Duration::from_secs(told)),
        };
        let (app, developer) = ("web".parse().unwrap(), "us".parse().unwrap());
        Gate::closed(&app, &developer, &limit, &NOW)
    }

    #[test]
    fn a_sentence_names_who_has_to_wait_and_until_when() {
        let text = sentence(&gate(Kind::Rate, 60, 60), &NOW);
        assert_eq!(
            text,
            "Spotify's Web API is asked nothing until 2026-11-18T11:07:40Z (in 60 seconds): the app web \
             has asked too often"
        );
        let text = sentence(&gate(Kind::Quota, 604_800, 1_000_000_000), &NOW);
        assert!(text.contains("the developer account us"), "{text}");
        assert!(
            text.contains("it said 1000000000 seconds, which is not believed"),
            "{text}"
        );
    }
}
