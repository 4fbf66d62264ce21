//! How often each peer may show a key that is not valid.
//!
//! Keys are too long to be guessed; the limit is about the work and the log. A valid key is looked at first
//! and is never held up by what others try.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use refrain::time::Uptime;

use crate::connection::Peer;

/// So many failures in a window are answered as what they are.
const FAILURES: u32 = 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// So many peers are remembered.
const MOST: usize = 4096;

/// Failures by peer.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<HashMap<IpAddr, (Uptime, u32)>>);

impl Doors {
    /// Notes a failure. Answers how long the peer has to wait, where it has failed too often.
    pub(crate) fn failed(&self, peer: &Peer, now: Uptime) -> Option<Duration> {
        let Peer::Address(address) = peer else {
            return None;
        };
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.len() >= MOST {
            doors.retain(|_, (since, _)| now.since(*since) < WINDOW);
            if doors.len() >= MOST {
                doors.clear();
            }
        }
        let (since, failures) = doors.entry(address.ip()).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
        let left = WINDOW.saturating_sub(now.since(*since));
        (*failures > FAILURES).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_failures_a_minute_are_told_as_what_they_are() {
        let doors = Doors::default();
        let peer = Peer::Address("10.0.0.1:1".parse().unwrap());
        let other = Peer::Address("10.0.0.2:1".parse().unwrap());
        let refused = |peer: &Peer, from: i64, times: i64| {
            (0..times)
                .filter(|at| doors.failed(peer, Uptime(from + at)).is_some())
                .count()
        };
        assert_eq!(refused(&peer, 0, 30), 10);
        assert_eq!(refused(&other, 0, 5), 0, "others are not meant");
        assert_eq!(
            doors.failed(&peer, Uptime(1000)),
            Some(Duration::from_secs(59))
        );
        assert_eq!(refused(&peer, 60_000, 20), 0);
    }

    #[test]
    fn a_flood_of_peers_is_not_remembered_for_ever() {
        let doors = Doors::default();
        for number in 0..20_000_u32 {
            let address = (std::net::Ipv4Addr::from(number), 1).into();
            doors.failed(&Peer::Address(address), Uptime(0));
        }
        assert!(doors.0.lock().unwrap().len() <= MOST);
    }
}
