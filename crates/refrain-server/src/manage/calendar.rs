//! The days on which grants need a new consent, for calendar programs (RFC 5545).

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use refrain::{
    Summary, hex,
    id::GrantName,
    lifecycle::{Status, row::Consent},
    seal::Sealer,
    time::UnixMillis,
};

use super::{Asked, told};
use crate::{body::Answer, fault::Fault};

/// So many days it has at most, the nearest: of a million grants nobody looks at more, and all that it has is in
/// memory.
const MOST: usize = 1000;
/// So many grants are read at once.
const READ: u32 = 500;
/// A line has no more octets (RFC 5545 §3.1).
const LINE: usize = 75;
/// So many days ahead a calendar reminds.
const ALARMS: [u8; 2] = [7, 1];
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// `GET reauthorizations.ics`: the day of each grant that the caller reaches and that is not signed out.
pub(super) async fn show(asked: &Asked<'_>) -> Result<Response<Answer>, Fault> {
    let mut nearest: BTreeMap<(UnixMillis, GrantName), Summary> = BTreeMap::new();
    let mut last: Option<GrantName> = None;
    loop {
        let (of, after) = (asked.caller.grants().clone(), last.take());
        let read =
            asked.ask(|refrain| async move { refrain.page(&of, after.as_ref(), READ).await });
        let page = read.await?.map_err(|error| asked.fault(&error))?;
        let all = page.len() < READ as usize;
        last = page.last().map(|grant| super::grants::name(grant).clone());
        for grant in page.into_iter().flatten() {
            if let Some(day) = day(&grant) {
                nearest.insert((day, grant.name.clone()), grant);
            }
            if nearest.len() > MOST {
                nearest.pop_last();
            }
        }
        if all {
            break;
        }
    }
    let mut calendar = Calendar::new();
    for grant in nearest.values() {
        calendar.add(grant, &asked.shared().refrain().parts().sealer);
    }
    Ok(told(
        StatusCode::OK,
        "text/calendar; charset=utf-8",
        calendar.end(),
    ))
}

/// When a grant needs a new consent, if it has one; at the earliest, where nobody knows it.
fn day(grant: &Summary) -> Option<UnixMillis> {
    let signed_out = matches!(grant.status, Status::SignedOut { .. });
    let consent = grant.consent.filter(|_| !signed_out);
    consent.map(|consent| consent.reauthorize_by)
}

/// A calendar as it is written.
struct Calendar(String);

impl Calendar {
    fn new() -> Self {
        let mut calendar = Self(String::new());
        calendar.line("BEGIN", "VCALENDAR");
        calendar.line("VERSION", "2.0");
        calendar.line("PRODID", "-//refrain//refrain//EN");
        calendar.line("CALSCALE", "GREGORIAN");
        calendar.line("NAME", "Spotify sign-ins");
        calendar.line("X-WR-CALNAME", "Spotify sign-ins");
        calendar
    }

    /// The day of a grant, where it has one. Calendars have no instant for a whole day: it is the day in UTC,
    /// and the instant stands beside it.
    fn add(&mut self, grant: &Summary, sealer: &Sealer) {
        let Some(Consent {
            authorized_at,
            reauthorize_by,
            latest,
        }) = grant.consent
        else {
            return;
        };
        let summary = format!("Spotify: sign in again ({})", grant.name);
        let end = grant.consent.and_then(|it| it.reauthorize_by_latest());
        let when = match end {
            None => format!("at {reauthorize_by}"),
            Some(end) => format!(
                "between {reauthorize_by} and {end} (it was imported, and nobody knows the day)"
            ),
        };
        let about = format!(
            "Spotify stops honouring this sign-in {when}; sign in again before: refrain login {}",
            grant.name
        );
        self.line("BEGIN", "VEVENT");
        self.line("UID", &uid(grant, sealer));
        // Nothing but a consent changes what is said here.
        let stamp = latest.unwrap_or(authorized_at);
        self.line("DTSTAMP", &digits(stamp, 19, "Z"));
        self.line("DTSTART;VALUE=DATE", &digits(reauthorize_by, 10, ""));
        self.line(
            "DTEND;VALUE=DATE",
            &digits(reauthorize_by.after(DAY), 10, ""),
        );
        self.line("SUMMARY", &escaped(&summary));
        self.line("DESCRIPTION", &escaped(&about));
        self.line("TRANSP", "TRANSPARENT");
        for days in ALARMS {
            self.line("BEGIN", "VALARM");
            self.line("ACTION", "DISPLAY");
            self.line("DESCRIPTION", &escaped(&summary));
            self.line("TRIGGER", &format!("-P{days}D"));
            self.line("END", "VALARM");
        }
        self.line("END", "VEVENT");
    }

    fn end(mut self) -> String {
        self.line("END", "VCALENDAR");
        self.0
    }

    /// A line, broken where it is too long: never within a character.
    fn line(&mut self, name: &str, value: &str) {
        let mut octets = 0;
        for char in name.chars().chain([':']).chain(value.chars()) {
            if octets + char.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(char);
            octets += char.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// The same for a login of a grant wherever and whenever it is told, and another one in every store.
fn uid(grant: &Summary, sealer: &Sealer) -> String {
    let login = format!("{} {}", grant.name, grant.epoch);
    let hash = sealer.fingerprint("calendar", &login);
    let (start, _) = hash.split_at(16);
    hex::text(start) + "@refrain"
}

/// The beginning of an instant, without the signs between its digits.
fn digits(at: UnixMillis, length: usize, end: &str) -> String {
    let text = at.to_string();
    let digits = text.chars().take(length).filter(|it| !"-:".contains(*it));
    digits.chain(end.chars()).collect()
}

/// A text as RFC 5545 §3.3.11 has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' | ';' | ',' => escaped.extend(['\\', char]),
            '\n' => escaped.push_str("\\n"),
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_after_75_octets_and_never_within_a_character() {
        for text in ["a".repeat(300), "ä".repeat(150), "€ä𝄞a".repeat(40)] {
            let mut calendar = Calendar(String::new());
            calendar.line("SUMMARY", &text);
            let lines: Vec<_> = calendar.0.split("\r\n").collect();
            assert_eq!(lines.last(), Some(&""), "it ends");
            assert!(lines.len() > 3);
            assert!(lines.iter().all(|line| line.len() <= LINE), "{lines:?}");
            let whole = calendar.0.replace("\r\n ", "");
            assert_eq!(whole, format!("SUMMARY:{text}\r\n"));
        }
        let mut short = Calendar(String::new());
        short.line("A", &"b".repeat(73));
        assert_eq!(short.0.lines().count(), 1);
    }

    #[test]
    fn a_text_is_escaped_and_an_instant_is_digits() {
        assert_eq!(escaped("a;b,c\\d\ne\r"), "a\\;b\\,c\\\\d\\ne");
        let at = UnixMillis(1_800_000_000_000);
        assert_eq!(at.to_string(), "2027-01-15T08:00:00Z");
        assert_eq!(digits(at, 19, "Z"), "20270115T080000Z");
        assert_eq!(digits(at, 10, ""), "20270115");
    }
}
