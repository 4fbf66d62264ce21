//! What answers mean, as they have been seen and as they could be.

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use proptest::prelude::*;

use super::*;

/// 2026-11-24T06:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_500_000_000);
const DAYS_7: u64 = 7 * 24 * 3600;

const QUOTA: &str =
    r#"{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}"#;
const RATE: &str = r#"{"error":{"status":429,"message":"API rate limit exceeded"}}"#;

fn headers(values: &[&[u8]]) -> HeaderMap {
    let values = values
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(value).ok());
    values.map(|value| (RETRY_AFTER, value)).collect()
}

/// Kind, wait and what was told, in seconds.
type Meaning = (Kind, u64, Option<u64>);

#[test]
fn the_body_says_which_limit_was_met() {
    use Kind::{Quota, Rate};
    let long = format!("{QUOTA}{}", " ".repeat(BODY_PREFIX));
    let late = format!(
        "{{\"a\":\"{}\",{}",
        "x".repeat(BODY_PREFIX),
        QUOTA.trim_start_matches('{')
    );
    let cut = QUOTA.trim_end_matches('}');
    let deep = "[".repeat(2000);
    for (body, kind) in [
        (QUOTA, Quota),
        (RATE, Rate),
        ("Too many requests", Rate),
        ("", Rate),
        // The reason and nothing else.
        (r#"{"error":{"reason":"QUOTA_EXCEEDED"}}"#, Quota),
        (r#"{"reason":"QUOTA_EXCEEDED"}"#, Quota),
        (
            r#"{"error":{"message":"QUOTA_EXCEEDED","reason":"OTHER"}}"#,
            Rate,
        ),
        (r#"{"error":{"message":"QUOTA_EXCEEDED"}}"#, Rate),
        (r#"{"error":"QUOTA_EXCEEDED"}"#, Rate),
        ("QUOTA_EXCEEDED", Rate),
        (r#""reason":"QUOTA_EXCEEDED""#, Rate),
        (r#"{"error":{"reason":"quota_exceeded"}}"#, Rate),
        (r#"{"error":{"reason":["QUOTA_EXCEEDED"]}}"#, Rate),
        (r#"{"error":{"reason":null}}"#, Rate),
        (r#"[{"error":{"reason":"QUOTA_EXCEEDED"}}]"#, Rate),
        (
            "\n  {\"error\": {\"reason\": \"QUOTA_EXCEEDED\"}}\r\n",
            Quota,
        ),
        // Cut off, or too long to be looked at.
        (cut, Rate),
        (&long, Quota),
        (&late, Rate),
        (&deep, Rate),
        ("<html>QUOTA_EXCEEDED</html>", Rate),
    ] {
        let found = judge(&headers(&[b"7"]), body.as_bytes(), NOW);
        assert_eq!(found, limit(kind, 7), "{body}");
    }
}

#[test]
fn the_header_says_how_long_to_wait_however_odd_it_is() {
    let rate = |wait, told| (Kind::Rate, wait, told);
    let quota = |wait, told| (Kind::Quota, wait, told);
    #[rustfmt::skip]
    let rows: &[(&[&[u8]], &str, Meaning)] = &[
        // As they have been seen.
        (&[b"1"], RATE, rate(1, Some(1))),
        (&[b"35"], "Too many requests", rate(35, Some(35))),
        (&[b"11742"], RATE, rate(11_742, Some(11_742))),
        (&[b"86400"], "Too many requests", rate(86_400, Some(86_400))),
        (&[b"48925"], QUOTA, quota(48_925, Some(48_925))),
        (&[b"80000"], QUOTA, quota(80_000, Some(80_000))),
        // Zero has been seen too, and would be a tight loop.
        (&[b"0"], RATE, rate(1, Some(0))),
        (&[b"0"], QUOTA, quota(1, Some(0))),
        (&[b"000"], RATE, rate(1, Some(0))),
        // Nothing that can be read.
        (&[], RATE, rate(5, None)),
        (&[], QUOTA, quota(600, None)),
        (&[b""], RATE, rate(5, None)),
        (&[b"-1"], RATE, rate(5, None)),
        (&[b"-99999999999999999999"], QUOTA, quota(600, None)),
        (&[b"soon"], RATE, rate(5, None)),
        (&[b"5.5"], RATE, rate(5, None)),
        (&[b"1e9"], QUOTA, quota(600, None)),
        (&[b"+5"], RATE, rate(5, None)),
        (&[b"0x10"], RATE, rate(5, None)),
        (&[b"30s"], RATE, rate(5, None)),
        (&[b"\xff\xfe"], RATE, rate(5, None)),
        (&["٣٠".as_bytes()], RATE, rate(5, None)),
        // More than is believed.
        (&[b"604800"], RATE, rate(DAYS_7, Some(DAYS_7))),
        (&[b"604801"], RATE, rate(DAYS_7, Some(DAYS_7 + 1))),
        (&[b"1000000000"], QUOTA, quota(DAYS_7, Some(1_000_000_000))),
        (&[b"99999999999999999999999999"], RATE, rate(DAYS_7, Some(u64::MAX / 2000))),
        // Dates.
        (&[b"Tue, 24 Nov 2026 06:01:30 GMT"], RATE, rate(90, Some(90))),
        (&[b"Tue, 24 Nov 2026 06:00:00 GMT"], RATE, rate(1, Some(0))),
        (&[b"Wed, 21 Oct 2015 07:28:00 GMT"], QUOTA, quota(1, Some(0))),
        (&[b"Thu, 24 Dec 2026 06:00:00 GMT"], QUOTA, quota(DAYS_7, Some(30 * 24 * 3600))),
        (&[b"Tue, 99 Nov 2026 06:01:30 GMT"], RATE, rate(5, None)),
        (&[b"2026-11-24T06:01:30Z"], RATE, rate(5, None)),
        // Several: the longer one, whichever is first and however each is written.
        (&[b"5", b"10"], RATE, rate(10, Some(10))),
        (&[b"10", b"5"], RATE, rate(10, Some(10))),
        (&[b"5", b"soon"], RATE, rate(5, Some(5))),
        (&[b"soon", b"-1", b"3"], QUOTA, quota(3, Some(3))),
        (&[b"5", b"Tue, 24 Nov 2026 06:01:30 GMT"], RATE, rate(90, Some(90))),
        (&[b"Tue, 24 Nov 2026 06:01:30 GMT", b"100"], RATE, rate(100, Some(100))),
        (&[b"5, 10"], RATE, rate(10, Some(10))),
        (&[b"10,5"], RATE, rate(10, Some(10))),
        (&[b" 5 "], RATE, rate(5, Some(5))),
    ];
    assert!(rows.len() >= 30);
    for (values, body, (kind, wait, told)) in rows {
        let found = judge(&headers(values), body.as_bytes(), NOW);
        let expected = Limit {
            kind: *kind,
            wait: seconds(*wait),
            told: told.map(seconds),
        };
        assert_eq!(found, expected, "{values:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_a_panic_a_tight_loop_or_an_endless_wait(
        values in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[0-9 ,.+-]{0,24}".prop_map(String::into_bytes),
                "[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{5,9} (GMT|UTC|[+-][0-9]{4})"
                    .prop_map(String::into_bytes),
            ],
            0..4,
        ),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6000),
            r#"[{}\[\]":,a-zA-Z_\\]{0,80}"#.prop_map(String::into_bytes),
        ],
        wall in any::<i64>(),
    ) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let found = judge(&headers(&values), &body, UnixMillis(wall));
        prop_assert!(found.wait >= SECOND && found.wait <= seconds(DAYS_7));
        // What is told is at most cut, never stretched beyond the second.
        if let Some(told) = found.told {
            prop_assert_eq!(found.wait, told.clamp(SECOND, seconds(DAYS_7)));
        }
        // Whatever comes of it can be kept and read back.
        let now = Moment { wall: UnixMillis(wall), ..moment(0, 7, 1) };
        let gate = Gate::closed(&"a".parse().unwrap(), &"b".parse().unwrap(), &found, &now);
        prop_assert_eq!(gate.remaining(&now), found.wait);
        let text = serde_json::to_string(&gate).unwrap();
        prop_assert_eq!(serde_json::from_str::<Gate>(&text).unwrap(), gate);
    }
}
