//! How long a consent still lasts, as a bar and in words.

use refrain::{lifecycle::row::Consent, time::UnixMillis, words};

use super::{level::SOON, time};
use crate::html::{Html, html};

/// So many days before its end somebody should have heard of it.
const NEAR: u64 = 30;

/// The bar is what is left of the consent, and what stands beside it says the same.
pub(super) fn bar(consent: &Consent, now: UnixMillis) -> Html {
    let Consent {
        authorized_at,
        reauthorize_by,
        latest: _,
    } = *consent;
    let end = consent.reauthorize_by_latest();
    let (whole, left) = (
        reauthorize_by.since(authorized_at).as_secs().max(1),
        reauthorize_by.since(now).as_secs(),
    );
    let (days, share) = (
        reauthorize_by.days_since(now),
        left.min(whole) * 100 / whole,
    );
    let class = match days {
        _ if left == 0 => "over",
        days if days < SOON => "soon",
        days if days < NEAR => "near",
        _ => "far",
    };
    let words = if let Some(end) = end.filter(|end| *end > now) {
        html!(
            "<strong>",
            days,
            " to ",
            words::count(end.days_since(now), "day"),
            "</strong> of consent left, until a day between ",
            time::day(reauthorize_by),
            " and ",
            time::day(end),
            "; nobody knows which, because it was imported"
        )
    } else if left == 0 {
        html!("consent ended ", time::day(consent.end()))
    } else {
        html!(
            "<strong>",
            words::count(days, "day"),
            "</strong> of consent left, until ",
            time::day(reauthorize_by)
        )
    };
    html!(
        "<div class=\"consent ",
        class,
        "\"><svg aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"100%\" rx=\"3\"/>\
         <rect class=\"left\" width=\"",
        share,
        "%\" height=\"100%\" rx=\"3\"/></svg><p>",
        words,
        "</p></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_bar_is_as_long_as_what_is_left() {
        let now = UnixMillis(1_795_000_000_000);
        let day = |days: u64| Duration::from_secs(days * 86_400);
        let bar = |left| {
            let reauthorize_by = now.after(day(left));
            let authorized_at = reauthorize_by.before(day(100));
            let consent = Consent {
                authorized_at,
                reauthorize_by,
                latest: None,
            };
            bar(&consent, now).into_string()
        };
        for (left, class, width, words) in [
            (50, "far", "50%", "50 days"),
            (20, "near", "20%", "20 days"),
            (1, "soon", "1%", "1 day<"),
            (0, "over", "0%", "consent ended"),
        ] {
            let bar = bar(left);
            assert!(bar.contains(&format!("\"consent {class}\"")), "{bar}");
            assert!(bar.contains(&format!("width=\"{width}\"")), "{bar}");
            assert!(bar.contains(words), "{bar}");
        }
    }

    #[test]
    fn a_day_that_nobody_knows_is_told_as_two() {
        let now = UnixMillis(1_795_000_000_000);
        let unknown = Consent::between(refrain::lifecycle::row::Bounds::default(), now);
        let shown = bar(&unknown, now).into_string();
        assert!(shown.contains("\"consent over\""), "{shown}");
        assert!(shown.contains("0 to 181 days"), "{shown}");
        assert!(shown.contains("nobody knows which"), "{shown}");
        let over = bar(&unknown, unknown.end()).into_string();
        assert!(over.contains("consent ended"), "{over}");
    }
}
