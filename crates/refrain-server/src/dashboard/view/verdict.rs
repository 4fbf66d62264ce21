//! How all grants together stand, in one sentence.

use refrain::{id::GrantName, words};

use super::level::Level;
use crate::{dashboard::survey::Survey, manage::grants::name};

/// The worst that is to be said, in words that a full stop can follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dashboard) struct Verdict {
    pub(in crate::dashboard) level: Level,
    pub(in crate::dashboard) text: String,
}

impl Verdict {
    /// What was seen; `only` is the one grant, where there is one, and `limited` says whether Spotify's Web
    /// API wants to be left alone.
    pub(super) fn of(survey: &Survey, only: Option<&GrantName>, limited: bool) -> Self {
        let verdict = |level, text| Self { level, text };
        let (need, soon) = (survey.count(Level::Needs), survey.count(Level::Soon));
        if need > 0 {
            let verb = if need == 1 { "needs" } else { "need" };
            let who = several(&named(survey, Level::Needs), need);
            return verdict(Level::Needs, format!("{who} {verb} you"));
        }
        let working = match (survey.working(), only) {
            (0, _) => return verdict(Level::Off, "Nobody is signed in".to_owned()),
            (1, Some(only)) if survey.total() == 1 => format!("{only} is connected"),
            (1, _) => "The one grant is connected".to_owned(),
            (all, _) => format!("All {all} grants are connected"),
        };
        if soon > 0 {
            let verb = if soon == 1 { "has" } else { "have" };
            let who = several(&named(survey, Level::Soon), soon);
            let text = format!("{working}; {who} {verb} to consent again within days");
            return verdict(Level::Soon, text);
        }
        if limited {
            let text =
                format!("{working}, and Spotify's Web API wants to be left alone for a while");
            return verdict(Level::Watched, text);
        }
        if survey.count(Level::Watched) > 0 {
            let text = format!("{working}; some meet trouble, and nobody has to do anything");
            return verdict(Level::Watched, text);
        }
        verdict(Level::Well, working)
    }
}

fn named(survey: &Survey, level: Level) -> Vec<&GrantName> {
    let needy = survey.needy.iter();
    let needy = needy.filter(|(_, glance)| glance.level == level);
    needy.map(|(read, _)| name(read)).collect()
}

/// `alice`, `alice and bob`, `alice, bob and 3 more`.
fn several(names: &[&GrantName], all: u64) -> String {
    match names {
        [one] if all == 1 => one.to_string(),
        [one, other] if all == 2 => format!("{one} and {other}"),
        [one, other, third] if all == 3 => format!("{one}, {other} and {third}"),
        [one, other, ..] => format!("{one}, {other} and {} more", all.saturating_sub(2)),
        [one] => format!("{one} and {} more", all.saturating_sub(1)),
        [] => words::count(all, "grant"),
    }
}

#[cfg(test)]
mod tests {
    use refrain::{
        Summary,
        lifecycle::{
            Status,
            row::{Consent, Reason},
        },
        oauth::scope::Scope,
        time::UnixMillis,
    };
    use std::time::Duration;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    fn survey(grants: &[(&str, &str)]) -> Survey {
        let mut survey = Survey::begun(NOW);
        for (name, state) in grants {
            let since = NOW;
            let reason = Reason::Expired;
            let status = match *state {
                "ended" => Status::Reauthorize { reason, since },
                "off" => Status::SignedOut { since },
                _ => Status::Active,
            };
            let days = if *state == "soon" { 3 } else { 100 };
            survey.add(Ok(Summary {
                epoch: refrain::id::Epoch(1),
                name: name.parse().unwrap(),
                app: "default".parse().unwrap(),
                account: None,
                scope: Scope::default(),
                consent: Some(Consent {
                    authorized_at: NOW,
                    reauthorize_by: NOW.after(Duration::from_secs(days * 86_400)),
                    latest: None,
                }),
                status,
                trouble: None,
                token_expires_at: None,
            }));
        }
        survey
    }

    fn said(grants: &[(&str, &str)], limited: bool) -> String {
        let only: Option<GrantName> = grants.first().map(|(name, _)| name.parse().unwrap());
        Verdict::of(&survey(grants), only.as_ref(), limited).text
    }

    #[test]
    fn one_sentence_says_the_worst() {
        let (well, off) = (("alice", "well"), ("erin", "off"));
        let (ended, soon) = (("bob", "ended"), ("carol", "soon"));
        for (grants, limited, text) in [
            (&[well][..], false, "alice is connected"),
            (&[well, off], false, "The one grant is connected"),
            (
                &[well, ("dora", "well")],
                false,
                "All 2 grants are connected",
            ),
            (&[well, ended, soon], true, "bob needs you"),
            (&[ended, ("dan", "ended")], false, "bob and dan need you"),
            (
                &[well, soon],
                true,
                "All 2 grants are connected; carol has to consent again within days",
            ),
            (
                &[well],
                true,
                "alice is connected, and Spotify's Web API wants to be left alone for a while",
            ),
            (&[off], false, "Nobody is signed in"),
        ] {
            assert_eq!(said(grants, limited), text);
        }
    }

    #[test]
    fn of_very_many_some_are_named_and_the_most_urgent_are_kept() {
        let names: Vec<String> = (0..250).map(|number| format!("g{number:03}")).collect();
        let mut grants: Vec<_> = names.iter().map(|name| (name.as_str(), "soon")).collect();
        grants.push(("last", "ended"));
        let mut survey = survey(&grants);
        survey.sort();
        assert!(survey.needy.len() < 250);
        assert_eq!(named(&survey, Level::Needs), [&"last".parse().unwrap()]);
        assert_eq!(survey.count(Level::Soon), 250);
        let ended = names.iter().map(|name| (name.as_str(), "ended"));
        let ended: Vec<_> = ended.collect();
        assert_eq!(said(&ended, false), "g000, g001 and 248 more need you");
    }
}
