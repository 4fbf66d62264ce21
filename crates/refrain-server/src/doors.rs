//! How often each peer may show a key that is not valid.
//!
//! Keys are too long to be guessed; the limit is about the work and the log. A valid key is looked at first
//! and, once this process has seen it, never held up by what others try. One that this process has not seen yet can be told from an invalid
//! one by the store alone, which a peer that has failed too often may ask so many times a second and no more:
//! enough for the programs that share its address, and no work for whoever floods.

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
/// And so often a second the store is asked for a peer that has failed more often.
const LOOKS: u32 = 20;
/// How long that is.
const SECOND: Duration = Duration::from_secs(1);
/// So many peers are remembered.
const MOST: usize = 4096;

/// Failures by peer.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<HashMap<IpAddr, Door>>);

/// One peer's.
#[derive(Debug)]
struct Door {
    failures: Count,
    /// Questions to the store.
    looks: Count,
}

/// How often something happened since when.
#[derive(Debug)]
struct Count {
    since: Uptime,
    number: u32,
}

impl Count {
    fn from(since: Uptime) -> Self {
        Self { since, number: 0 }
    }

    /// Another time; answers whether it was one too many, and until when that is so.
    fn add(&mut self, now: Uptime, most: u32, window: Duration) -> Option<Duration> {
        if now.since(self.since) >= window {
            *self = Self::from(now);
        }
        self.number = self.number.saturating_add(1);
        let left = window.saturating_sub(now.since(self.since));
        (self.number > most).then_some(left)
    }
}

impl Doors {
    /// Notes a failure. Answers how long the peer has to wait, where it has failed too often.
    pub(crate) fn failed(&self, peer: &Peer, now: Uptime) -> Option<Duration> {
        let Peer::Address(address) = peer else {
            return None;
        };
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.len() >= MOST {
            doors.retain(|_, door| now.since(door.failures.since) < WINDOW);
            if doors.len() >= MOST {
                doors.clear();
            }
        }
        let door = doors.entry(address.ip()).or_insert_with(|| Door {
            failures: Count::from(now),
            looks: Count::from(now),
        });
        door.failures.add(now, FAILURES, WINDOW)
    }

    /// Whether a peer may have the store asked about something that is not known here; if not, how long it has
    /// to wait.
    ///
    /// # Errors
    /// Where it has failed too often, and has asked too often since.
    pub(crate) fn ask(&self, peer: &Peer, now: Uptime) -> Result<(), Duration> {
        let Peer::Address(address) = peer else {
            return Ok(());
        };
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let door = doors.get_mut(&address.ip()).filter(|door| {
            let lately = now.since(door.failures.since) < WINDOW;
            lately && door.failures.number >= FAILURES
        });
        let wait = door.and_then(|door| door.looks.add(now, LOOKS, SECOND));
        wait.map_or(Ok(()), Err)
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
    fn whoever_has_failed_too_often_has_the_store_asked_some_times_a_second() {
        let doors = Doors::default();
        let peer = Peer::Address("10.0.0.1:1".parse().unwrap());
        let asked = |from: i64, times: i64| {
            let asked = (0..times).map(|at| doors.ask(&peer, Uptime(from + at)));
            asked.flatten().count()
        };
        assert_eq!(asked(0, 100), 100, "nothing has failed");
        for _ in 0..FAILURES {
            doors.failed(&peer, Uptime(0));
        }
        assert_eq!(asked(100, 500), LOOKS as usize);
        assert_eq!(
            doors.ask(&peer, Uptime(600)),
            Err(Duration::from_millis(400))
        );
        assert_eq!(asked(1100, 500), LOOKS as usize, "another second");
        let other = Peer::Address("10.0.0.2:1".parse().unwrap());
        assert_eq!(doors.ask(&other, Uptime(1600)), Ok(()));
        assert_eq!(asked(60_000, 100), 100, "another minute");
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
