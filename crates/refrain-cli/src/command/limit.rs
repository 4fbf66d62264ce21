//! The limits of Spotify's Web API, as `doctor` and `list` ask for them; what is said of one is in
//! `refrain::words`.

use refrain::{Refrain, id::AppName, limit::Gate, time::Moment};

/// The gates that are closed; one that has ended is nobody's concern until a request has tried it.
pub(super) fn closed(gates: Vec<Gate>, now: &Moment) -> Vec<Gate> {
    let closed = gates
        .into_iter()
        .filter(|gate| !gate.remaining(now).is_zero());
    closed.collect()
}

/// The gate that holds an app up the longest.
pub(super) fn of_app<'a>(
    gates: &'a [Gate],
    refrain: &Refrain,
    app: &AppName,
    now: &Moment,
) -> Option<&'a Gate> {
    Gate::holding(gates, app, &refrain.parts().developer(app), now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::{
        limit::{Kind, Limit},
        time::{BootId, UnixMillis, Uptime},
    };

    use super::*;

    const NOW: Moment = Moment {
        wall: UnixMillis(1_795_000_000_000),
        uptime: Uptime(0),
        boot: BootId(1),
    };

    fn gate(kind: Kind, wait: u64, told: u64) -> Gate {
        let limit = Limit {
            kind,
            wait: Duration::from_secs(wait),
            told: Some(Duration::from_secs(told)),
        };
        let (app, developer) = ("web".parse().unwrap(), "us".parse().unwrap());
        Gate::closed(&app, &developer, &limit, &NOW)
    }

    #[test]
    fn a_limit_that_has_ended_holds_nobody_up() {
        let gates = || vec![gate(Kind::Rate, 60, 60)];
        assert_eq!(closed(gates(), &NOW).len(), 1);
        let end = Moment {
            uptime: Uptime(60_000),
            ..NOW
        };
        assert_eq!(closed(gates(), &end), []);
    }
}
