//! The history of a grant as a picture: when it was consented to, refreshed, refused. It is drawn in per cent,
//! so that it is as wide as there is room for and its writing stays as large as it is; the table below it
//! says the same in words.

use refrain::{
    lifecycle::{Event, event::What},
    time::UnixMillis,
    words::story,
};

use super::time;
use crate::html::{Html, html};

/// What a line of the picture is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Consent,
    Refresh,
    Fault,
    Refusal,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Consent, Self::Refresh, Self::Fault, Self::Refusal];

    pub(super) fn of(what: &What) -> Self {
        match what {
            What::Consented { .. }
            | What::Imported { .. }
            | What::SignedOut
            | What::Restored { .. } => Self::Consent,
            What::Refreshed { .. } | What::Promoted { .. } | What::Recovered => Self::Refresh,
            What::Faulted { .. } | What::TookOver { .. } | What::CameLate { .. } => Self::Fault,
            What::Refused { .. } | What::Condemned { .. } => Self::Refusal,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Consent => "Logins",
            Self::Refresh => "Refreshes",
            Self::Fault => "Faults",
            Self::Refusal => "Refusals",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Consent => "consented",
            Self::Refresh => "refreshed",
            Self::Fault => "faulted",
            Self::Refusal => "refused",
        }
    }
}

/// The picture, from the first event to now. Without an event there is none.
pub(super) fn picture(events: &[Event], now: UnixMillis) -> Option<Html> {
    let first = events.first()?.at;
    let axis = Axis {
        first,
        span: now.since(first).as_millis().max(1),
    };
    let lanes = Lane::ALL.into_iter().map(|lane| {
        let marks = events.iter().filter(|it| Lane::of(&it.what) == lane);
        let marks: Vec<Html> = marks.map(|it| axis.mark(it)).collect();
        html!(
            "<div class=\"lane ",
            lane.class(),
            "\"><span>",
            lane.title(),
            " <b>",
            marks.len(),
            "</b></span><svg><line class=\"rail\" x1=\"0\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/>",
            marks,
            "</svg></div>\n"
        )
    });
    let lanes: Html = lanes.collect();
    Some(html!(
        "<figure class=\"history\"><figcaption>From ",
        time::stamp(first),
        " until now. A refresh is thick where it brought a new refresh token.</figcaption>\n<div \
         aria-hidden=\"true\">\n",
        lanes,
        axis.ticks(now),
        "</div></figure>\n"
    ))
}

/// Where instants are in the picture.
struct Axis {
    first: UnixMillis,
    span: u128,
}

impl Axis {
    /// To a thousandth: that is finer than anybody sees, and a page on which nothing happens stays as it is.
    fn place(&self, at: UnixMillis) -> String {
        let share = at.since(self.first).as_millis() * 1000 / self.span;
        per_cent(u32::try_from(share).unwrap_or(u32::MAX))
    }

    fn mark(&self, event: &Event) -> Html {
        let x = self.place(event.at);
        let title = format!(
            "{}: {}",
            time::exact_words(event.at),
            story::sentence(&event.what)
        );
        let shape = match &event.what {
            What::Refreshed { rotated: true, .. } | What::Promoted { .. } => {
                html!(
                    "<rect class=\"full\" x=\"-2.5\" y=\"4\" width=\"5\" height=\"16\" rx=\"1\"/>"
                )
            }
            What::Refreshed { .. } | What::Recovered => {
                html!("<rect class=\"thin\" x=\"-1\" y=\"5\" width=\"2\" height=\"14\"/>")
            }
            What::Consented { .. } | What::Imported { .. } => {
                html!("<circle class=\"full\" cy=\"12\" r=\"5.5\"/>")
            }
            What::SignedOut | What::Restored { .. } => {
                html!("<circle class=\"ring\" cy=\"12\" r=\"5\"/>")
            }
            What::Faulted { .. } | What::TookOver { .. } | What::CameLate { .. } => {
                html!("<path class=\"full\" d=\"M0 5.5l6.5 12h-13z\"/>")
            }
            What::Refused { .. } => html!("<path class=\"cross\" d=\"M-5 7L5 17M5 7L-5 17\"/>"),
            What::Condemned { .. } => {
                html!(
                    "<rect class=\"full\" x=\"-5.5\" y=\"6.5\" width=\"11\" height=\"11\" rx=\"1\"/>"
                )
            }
        };
        html!(
            "<svg x=\"",
            x,
            "\" width=\"1\" height=\"24\" overflow=\"visible\"><title>",
            title,
            "</title>",
            shape,
            "</svg>"
        )
    }

    /// A few instants below.
    fn ticks(&self, now: UnixMillis) -> Html {
        let same_day = time::day_words(self.first) == time::day_words(now);
        let words = |at: UnixMillis| {
            if same_day {
                time::clock_words(at)
            } else {
                time::short_day(at)
            }
        };
        let whole = now.since(self.first);
        let tick = |(share, anchor): (u32, &'static str)| {
            let text = match share {
                1000 => "now".to_owned(),
                share => words(self.first.after(whole / 1000 * share)),
            };
            html!(
                "<text x=\"",
                per_cent(share),
                "\" y=\"14\" text-anchor=\"",
                anchor,
                "\">",
                text,
                "</text>"
            )
        };
        let ticks: Html = [(0, "start"), (500, "middle"), (1000, "end")]
            .into_iter()
            .map(tick)
            .collect();
        html!(
            "<div class=\"lane ticks\"><span></span><svg>",
            ticks,
            "</svg></div>\n"
        )
    }
}

/// A place in the picture, as far along as so many thousandths. The marks keep a little away from the edges.
fn per_cent(thousandths: u32) -> String {
    let share = thousandths.min(1000) * 96 / 100 + 20;
    format!("{}.{}%", share / 10, share % 10)
}

/// The same in words, the newest first.
pub(super) fn table(events: &[Event], now: UnixMillis) -> Html {
    let lines = story::lines(events);
    let row = |line: &story::Line<'_>| {
        let lane = line.of.first().map(|it| Lane::of(&it.what));
        let class = lane.map_or("", Lane::class);
        html!(
            "<tr><td>",
            time::stamp(line.at),
            " <br><span class=\"soft\">",
            time::distance(line.at, now),
            "</span></td><td><span class=\"dot ",
            class,
            "\" aria-hidden=\"true\"></span>",
            time::sentence(&line.text),
            "</td></tr>\n"
        )
    };
    let rows: Html = lines.iter().rev().map(row).collect();
    html!(
        "<table><caption class=\"unseen\">What has happened, the newest first</caption>\n<thead><tr><th \
         scope=\"col\">When (UTC)</th><th scope=\"col\">What</th></tr></thead>\n<tbody>\n",
        rows,
        "</tbody></table>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::id::{Epoch, Fence, Generation, InstanceId};

    use super::*;

    const AT: UnixMillis = UnixMillis(1_795_000_000_000);

    fn event(hours: u64, what: What) -> Event {
        Event {
            at: AT.after(Duration::from_secs(hours * 3600)),
            epoch: Epoch(1),
            what,
        }
    }

    #[test]
    fn every_event_is_in_the_picture_and_in_the_table() {
        let refreshed = |rotated| What::Refreshed {
            by: InstanceId(7),
            fence: Fence(1),
            generation: Generation(1),
            rotated,
            request_id: None,
        };
        let refused = What::Refused {
            generation: Generation(1),
            description: Some("<i>revoked</i>".to_owned()),
            request_id: None,
            next_probe: None,
        };
        let events = [
            event(0, What::Consented { reauthorize_by: AT }),
            event(1, refreshed(true)),
            event(2, refreshed(false)),
            event(5, refused),
        ];
        let now = AT.after(Duration::from_secs(36_000));
        let picture = picture(&events, now).unwrap().into_string();
        assert_eq!(picture.matches("<title>").count(), events.len());
        assert!(picture.contains("<svg x=\"2.0%\""), "{picture}");
        assert!(picture.contains("<svg x=\"50.0%\""), "{picture}");
        assert!(!picture.contains("<i>"), "{picture}");
        let table = table(&events, now).into_string();
        // The two refreshes are one line.
        assert_eq!(table.matches("<tr><td>").count(), 3, "{table}");
        assert!(table.contains("&lt;i&gt;revoked"), "{table}");
    }

    #[test]
    fn without_an_event_there_is_no_picture() {
        assert!(picture(&[], AT).is_none());
        // The first may lie in the future, where a clock was set back.
        let ahead = [event(5, What::Recovered)];
        assert!(picture(&ahead, AT).unwrap().as_str().contains("x=\"2.0%\""));
    }
}
