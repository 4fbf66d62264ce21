//! The numbers, each with its reason.

use std::time::Duration;

/// A token call as a whole: connecting, sending, reading the answer.
pub const TOKEN_CALL: Duration = Duration::from_secs(10);
/// How long after its time an answer that is already on this machine may still be read; a machine that has
/// just woken up has other things to do first.
pub const LATE_ANSWER: Duration = Duration::from_secs(2);
/// Of which connecting may take this much.
pub const CONNECT: Duration = Duration::from_secs(3);
/// How long an intent holds. Its holder must be able to finish inside it.
pub const LEASE: Duration = Duration::from_secs(30);
/// How much the clocks of two hosts may differ before a lease is taken over too early.
pub const SKEW: Duration = Duration::from_secs(2);
/// What must be left of a lease for its holder to still call: the longest call and the skew. A commit that
/// comes after all of that finds out by compare-and-set what has come since.
pub const LEASE_MARGIN: Duration = Duration::from_secs(16);
const _: () = assert!(
    LEASE_MARGIN.as_secs() >= TOKEN_CALL.as_secs() + LATE_ANSWER.as_secs() + 2 * SKEW.as_secs()
);
const _: () = assert!(LEASE.as_secs() > LEASE_MARGIN.as_secs());

/// Attempts within one refresh before its callers are told to come back. The shortest grace period seen
/// at a rotating provider is five seconds, so the first repetition must not wait for a person.
pub const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; the third waits twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// After that, first and longest pause between attempts that the provider answered with a fault.
pub const BACK_OFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15 * 60));

/// Longest that a caller waits for a refresh.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// One forced refresh per grant in this time; a gateway that rejects good tokens must not cause a storm.
pub const FORCED_APART: Duration = Duration::from_secs(30);

/// A refusal earlier than this before `reauthorize_by` is unexpected. "Six months" is not defined in
/// days, so the last two days are expected territory.
pub const EXPECTED_REFUSAL: Duration = Duration::from_secs(2 * 24 * 3600);
/// When a refused token is presented again: outages that refused live tokens have lasted hours.
pub const PROBES: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(6 * 3600)];

/// Refresh this long before the end, or a tenth of the life if that is more, but never in its first half.
pub const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long before its end an access token of this life is due for a new one.
pub fn ahead(life: Duration) -> Duration {
    AHEAD.max(life / 10).min(life / 2)
}

/// How much earlier than others a grant is due, the same each time: up to a sixtieth of the token's life,
/// so that a thousand logins of one evening do not refresh in the same second for ever after.
pub fn jitter(life: Duration, grant: &str) -> Duration {
    let spread = grant.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    (life / 60).mul_f64(f64::from(spread % 1000) / 1000.0)
}

/// The pause after so many failures in a row: doubling from 30 s to 15 min.
pub fn back_off(failures: u32) -> Duration {
    let (first, longest) = BACK_OFF;
    let doublings = failures.saturating_sub(1).min(10);
    first
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_ahead_but_never_in_their_first_half() {
        assert_eq!(ahead(Duration::from_secs(3600)), Duration::from_secs(360));
        assert_eq!(ahead(Duration::from_secs(1800)), Duration::from_secs(300));
        assert_eq!(ahead(Duration::from_secs(60)), Duration::from_secs(30));
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<u64> = (1..8).map(|n| back_off(n).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(back_off(u32::MAX), Duration::from_secs(900));
    }
}
