//! Instants as a person reads them, in UTC: the browser's own zone would make two people who look at one page
//! speak of two times.

use refrain::{time::UnixMillis, words};

use crate::html::{Html, html};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// So long is an instant as RFC 3339 has it, to the second in UTC.
const INSTANT: usize = "2026-11-24T13:04:10Z".len();

/// The parts of an instant as it is written in words.
struct Parts<'a> {
    day: String,
    clock: &'a str,
}

impl<'a> Parts<'a> {
    fn of(instant: &'a str) -> Option<Self> {
        let shape = |(index, byte): (usize, u8)| match index {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            19 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        };
        if instant.len() != INSTANT || !instant.bytes().enumerate().all(shape) {
            return None;
        }
        let month: usize = instant.get(5..7)?.parse().ok()?;
        let day: u32 = instant.get(8..10)?.parse().ok()?;
        let (year, month) = (instant.get(..4)?, MONTHS.get(month.checked_sub(1)?)?);
        Some(Self {
            day: format!("{day} {month} {year}"),
            clock: instant.get(11..19)?,
        })
    }
}

/// `24 Nov 2026`, or the instant as it is where it has no such form.
pub(super) fn day_words(at: UnixMillis) -> String {
    let text = at.to_string();
    Parts::of(&text).map_or_else(|| text.clone(), |parts| parts.day)
}

/// `24 Nov 2026, 13:04:10`.
pub(super) fn exact_words(at: UnixMillis) -> String {
    exact(&at.to_string())
}

fn exact(instant: &str) -> String {
    Parts::of(instant).map_or_else(
        || instant.to_owned(),
        |parts| format!("{}, {}", parts.day, parts.clock),
    )
}

/// `24 Nov`.
pub(super) fn short_day(at: UnixMillis) -> String {
    let day = day_words(at);
    let year = day.rfind(' ').and_then(|at| day.get(..at));
    year.map_or_else(|| day.clone(), str::to_owned)
}

/// `13:04`.
pub(super) fn clock_words(at: UnixMillis) -> String {
    let text = at.to_string();
    let clock = Parts::of(&text).and_then(|parts| parts.clock.get(..5));
    clock.unwrap_or_default().to_owned()
}

/// A day.
pub(super) fn day(at: UnixMillis) -> Html {
    html!(
        "<time datetime=\"",
        at.to_string(),
        "\" title=\"",
        exact_words(at),
        " UTC\">",
        day_words(at),
        "</time>"
    )
}

/// An instant to the second.
pub(super) fn stamp(at: UnixMillis) -> Html {
    html!(
        "<time datetime=\"",
        at.to_string(),
        "\">",
        exact_words(at),
        "</time>"
    )
}

/// How far an instant lies away; what keeps a page live knows these by their class.
pub(super) fn distance(at: UnixMillis, now: UnixMillis) -> Html {
    let words = if at > now {
        format!("in {}", words::long(at.since(now)))
    } else if now.since(at).as_secs() < 5 {
        "just now".to_owned()
    } else {
        format!("{} ago", words::long(now.since(at)))
    };
    html!(
        "<time class=\"away\" datetime=\"",
        at.to_string(),
        "\" title=\"",
        exact_words(at),
        " UTC\">",
        words,
        "</time>"
    )
}

/// A sentence of the library's: its instants become such as a person reads, and what stands in backquotes is
/// something to type.
pub(super) fn prose(text: &str) -> Html {
    let mut shown = Html::default();
    for (index, piece) in text.split('`').enumerate() {
        if index % 2 == 1 {
            shown.add(&html!("<code>", piece, "</code>"));
        } else {
            shown.add(&with_instants(piece));
        }
    }
    shown
}

/// The same as a sentence that stands alone.
pub(super) fn sentence(text: &str) -> Html {
    let end = if text.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    html!(sentence_until(text), end)
}

/// The same as the beginning of one.
pub(super) fn sentence_until(text: &str) -> Html {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().collect());
    let first: String = first.unwrap_or_default();
    prose(&format!("{first}{}", letters.as_str()))
}

fn with_instants(text: &str) -> Html {
    let mut shown = Html::default();
    let mut rest = text;
    while let Some((before, instant, after)) = first_instant(rest) {
        shown.add(before);
        let words = exact(instant);
        shown.add(&html!(
            "<time datetime=\"",
            instant,
            "\">",
            words,
            " UTC</time>"
        ));
        rest = after;
    }
    shown.add(rest);
    shown
}

/// What stands before the first instant of a text, it, and the rest.
fn first_instant(text: &str) -> Option<(&str, &str, &str)> {
    text.char_indices().find_map(|(at, _)| {
        let end = at.checked_add(INSTANT)?;
        let instant = text.get(at..end)?;
        Parts::of(instant)?;
        Some((text.get(..at)?, instant, text.get(end..)?))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AT: UnixMillis = UnixMillis(1_795_000_000_000);

    #[test]
    fn an_instant_is_told_in_words_and_in_utc() {
        assert_eq!(exact_words(AT), "18 Nov 2026, 11:06:40");
        assert_eq!(day_words(AT), "18 Nov 2026");
        assert_eq!(short_day(AT), "18 Nov");
        assert_eq!(clock_words(AT), "11:06");
        assert_eq!(
            exact_words(UnixMillis(i64::MAX)),
            UnixMillis(i64::MAX).to_string()
        );
    }

    #[test]
    fn a_distance_lies_ahead_or_behind() {
        let words = |at: UnixMillis| distance(at, AT).into_string();
        assert!(words(AT.after(Duration::from_secs(120))).contains(">in 2 minutes<"));
        assert!(words(AT.before(Duration::from_secs(7200))).contains(">2 hours ago<"));
        assert!(words(AT).contains(">just now<"));
    }

    #[test]
    fn a_sentence_shows_instants_and_commands_as_what_they_are() {
        let shown = sentence("since 2026-11-18T11:06:40Z, until somebody runs `refrain login <b>`");
        assert_eq!(
            shown.as_str(),
            "Since <time datetime=\"2026-11-18T11:06:40Z\">18 Nov 2026, 11:06:40 UTC</time>, until \
             somebody runs <code>refrain login &lt;b&gt;</code>."
        );
        assert_eq!(sentence("ä`").as_str(), "Ä<code></code>.");
        assert_eq!(
            prose("2026-13-18T11:06:40Z").as_str(),
            "2026-13-18T11:06:40Z"
        );
    }
}
