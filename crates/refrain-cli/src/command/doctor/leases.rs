//! Leases: an intent that its process did not come back from is taken over by the next one that opens the
//! store; one that still lies there has nobody.

use refrain::{lifecycle::GrantRow, time::StoreInstant};

use super::{Finding, complaint::LEASE_STUCK};

pub(super) fn check(rows: &[GrantRow], now: Option<StoreInstant>) -> Vec<Finding> {
    let Some(now) = now else {
        return Vec::new();
    };
    let stuck = rows.iter().filter(|row| {
        let intent = row.intent.as_ref();
        // One of another era was begun before the machine was started, whose clock it was counted on.
        intent.is_some_and(|it| it.has_lapsed(now) || it.deadline.era != now.era)
    });
    let findings = stuck.map(|row| {
        let name = &row.name;
        let since = row
            .intent
            .as_ref()
            .map_or_else(String::new, |it| format!(", since {}", it.armed_at));
        let detail = format!("the lease on {name} is over and still there{since}");
        Finding::of("leases", LEASE_STUCK, detail)
            .by(format!("run `refrain refresh {name}`, which takes over"))
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::{
        id::{Fence, InstanceId},
        lifecycle::row::Intent,
        random::SystemRandom,
    };

    use super::{
        super::tests::{NOW, row},
        *,
    };

    #[test]
    fn a_lease_that_is_over_and_still_there_is_found() {
        let deadline = StoreInstant {
            era: 1,
            millis: 30_000,
        };
        let row = GrantRow {
            intent: Some(Intent {
                fence: Fence(1),
                owner: InstanceId::random(&SystemRandom).unwrap(),
                attempt: 0,
                armed_at: NOW,
                deadline,
            }),
            ..row("alice")
        };
        let codes = |now| -> Vec<_> {
            let found = check(std::slice::from_ref(&row), Some(now));
            found.iter().map(|finding| finding.code).collect()
        };
        let other_boot = StoreInstant { era: 2, millis: 0 };
        assert_eq!(codes(StoreInstant { era: 1, millis: 0 }), [""; 0]);
        assert_eq!(
            codes(deadline.after(Duration::from_mins(1))),
            ["lease_stuck"]
        );
        assert_eq!(codes(other_boot), ["lease_stuck"]);
        assert_eq!(check(&[row], None), []);
    }
}
