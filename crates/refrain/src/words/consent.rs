//! When somebody consented and how long that lasts; of an imported token nobody knows it exactly.

use super::{count, day, when};
use crate::{lifecycle::row::Consent, time::UnixMillis};

/// When the user consented.
pub fn given(consent: &Consent, now: UnixMillis) -> String {
    match consent.latest {
        None => when(consent.authorized_at, now),
        Some(latest) => format!(
            "between {} and {latest}; it was imported, and nobody knows the instant",
            consent.authorized_at
        ),
    }
}

/// When the provider stops honouring it.
pub fn end(consent: &Consent, now: UnixMillis) -> String {
    match consent.reauthorize_by_latest() {
        None => when(consent.reauthorize_by, now),
        Some(latest) => format!(
            "between {} and {latest} (in {} at the earliest)",
            consent.reauthorize_by,
            count(consent.reauthorize_by.days_since(now), "day"),
        ),
    }
}

/// The same in a table: days are enough for a person.
pub fn end_briefly(consent: &Consent, now: UnixMillis) -> String {
    let by = consent.reauthorize_by.to_string();
    let days = consent.reauthorize_by.days_since(now);
    match consent.reauthorize_by_latest() {
        None => format!("{} ({})", day(&by), count(days, "day")),
        Some(latest) => format!(
            "{} to {} ({days} to {})",
            day(&by),
            day(&latest.to_string()),
            count(latest.days_since(now), "day"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lifecycle::row::Bounds;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    #[test]
    fn a_known_day_is_one_day() {
        let consent = Consent::given(NOW);
        assert_eq!(given(&consent, NOW), "2026-11-18T11:06:40Z (0 seconds ago)");
        assert_eq!(end(&consent, NOW), "2027-05-18T11:06:40Z (in 181 days)");
        assert_eq!(end_briefly(&consent, NOW), "2027-05-18 (181 days)");
    }

    #[test]
    fn an_unknown_day_is_two_bounds() {
        let before = Some(NOW.before(Duration::from_secs(10 * 86_400)));
        let consent = Consent::between(
            Bounds {
                after: None,
                before,
            },
            NOW,
        );
        assert_eq!(
            given(&consent, NOW),
            "between 2026-05-18T11:06:40Z and 2026-11-08T11:06:40Z; it was imported, and nobody knows the \
             instant"
        );
        assert_eq!(
            end(&consent, NOW),
            "between 2026-11-18T11:06:40Z and 2027-05-08T11:06:40Z (in 0 days at the earliest)"
        );
        assert_eq!(
            end_briefly(&consent, NOW),
            "2026-11-18 to 2027-05-08 (0 to 171 days)"
        );
    }
}
