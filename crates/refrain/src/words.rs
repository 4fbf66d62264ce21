//! What people are told of grants, limits and logouts, the same by the command and by the dashboard; and
//! times and numbers as a person says them. Times are UTC: no machine here knows where its user is.
//!
//! An instant stands in a sentence as RFC 3339 has it, and what somebody may type in backquotes, so that
//! whoever shows the sentence can show them as what they are.

pub mod consent;
pub mod limit;
pub mod logout;
pub mod standing;
pub mod story;

use std::time::Duration;

use crate::time::UnixMillis;

const DAY: u64 = 24 * 60 * 60;

/// The day of an RFC 3339 instant.
pub fn day(at: &str) -> &str {
    at.split('T').next().unwrap_or_default()
}

/// `1 day`, `2 days`.
pub fn count(number: u64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// How long, in the unit that a person would use.
pub fn long(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => count(seconds, "second"),
        120..7200 => count(seconds / 60, "minute"),
        7200..172_800 => count(seconds / 3600, "hour"),
        _ => count(seconds / DAY, "day"),
    }
}

/// An instant and how far it lies away.
pub fn when(at: UnixMillis, now: UnixMillis) -> String {
    if at > now {
        format!("{at} (in {})", long(at.since(now)))
    } else {
        format!("{at} ({} ago)", long(now.since(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let long = |seconds| long(Duration::from_secs(seconds));
        assert_eq!(long(1), "1 second");
        assert_eq!(long(119), "119 seconds");
        assert_eq!(long(3599), "59 minutes");
        assert_eq!(long(7200), "2 hours");
        assert_eq!(long(86_400), "24 hours");
        assert_eq!(long(200_000), "2 days");
    }

    #[test]
    fn an_instant_lies_ahead_or_behind() {
        let now = UnixMillis(1_795_000_000_000);
        let later = now.after(Duration::from_secs(60));
        assert_eq!(when(later, now), "2026-11-18T11:07:40Z (in 60 seconds)");
        assert_eq!(when(now, later), "2026-11-18T11:06:40Z (60 seconds ago)");
        assert_eq!(day("2026-11-18T11:06:40Z"), "2026-11-18");
    }
}
