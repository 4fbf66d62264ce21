//! What the tests with real processes share.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use refrain_sim::Sim;

/// Nothing is waited for longer than this, whatever happens.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Numbers that a seed repeats (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// A number from the environment.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap())
}

/// The seed that was asked for, or a new one.
pub fn seed() -> u64 {
    number("REFRAIN_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        u64::from(now.subsec_nanos())
    })
}

pub fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Waits until something holds, not for ever.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONGEST;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the simulator has done with everybody who has hung up: what a dead process sent is still
/// on its way to a simulator that is short of time.
pub fn wait_for_the_dead(sim: &Sim) {
    let port = sim.accounts_url().rsplit_once(':').unwrap().1;
    let local = format!(":{:04X}", port.parse::<u16>().unwrap());
    until("the simulator closes what others have closed", || {
        // Columns: number, local address, remote address, state; 08 is CLOSE_WAIT.
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        !sockets.lines().any(|line| {
            let columns: Vec<_> = line.split_whitespace().take(4).collect();
            matches!(columns[..], [_, at, _, "08"] if at.ends_with(&local))
        })
    });
}

/// A line for whoever watches; the harness does not hold it back.
pub fn tell(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
