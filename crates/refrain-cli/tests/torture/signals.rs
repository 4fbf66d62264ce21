//! SIGTERM and SIGINT to the command while it refreshes.
//!
//! The provider ends a whole chain when it sees an old token, so one lost answer shows as a refusal in
//! the run after.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Fault, Rotation, Target};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    judge::Judge,
    place::{Engine, Place},
    process::Process,
    tools::Dice,
};

/// A token call's whole time and five seconds.
const LONGEST: Duration = Duration::from_secs(15);
const COMMANDS: [&[&str]; 3] = [
    &["--json", "refresh", "g0"],
    &["--json", "token", "g0", "--min-ttl", "0"],
    &["--json", "api", "/v1/me", "-g", "g0"],
];

#[derive(Debug, Default)]
pub struct Seen {
    pub signals: usize,
    /// Signals that came before the process had ended by itself.
    alive: usize,
    /// Of these, those after which the provider has carried a refresh out.
    carried_out: usize,
    lost: u64,
    longest: Duration,
}

impl Seen {
    pub const HEAD: &str = "| store | signals | before its end | with a refresh carried out | lost \
        | longest until the end ms |\n|---|--:|--:|--:|--:|--:|";

    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.alive += other.alive;
        self.carried_out += other.carried_out;
        self.lost += other.lost;
        self.longest = self.longest.max(other.longest);
    }

    pub fn line(&self) -> String {
        format!(
            "{} | {} | {} | {} | {} |",
            self.signals,
            self.alive,
            self.carried_out,
            self.lost,
            self.longest.as_millis()
        )
    }
}

/// One grant of one store, and a command that is interrupted over and over.
pub fn run(engine: &Engine, signals: usize, dice: &mut Dice) -> (Seen, Option<String>) {
    let mut profile = Judge::profile(Rotation::FamilyKill, 1);
    // Nearly every command finds its token expired.
    profile.access_ttl = Duration::from_millis(300);
    let judge = Judge::new(profile);
    let mut place = Place::new(engine, &judge.sim);
    let mut process = Process::open(&place, 0);
    judge.log_in(&mut process, &["g0".to_owned()], |_| 0);
    process.stop();
    let slow = Action::DelayAnswer { ms: 40 };
    judge
        .sim
        .script(Fault::share(Target::TokenRefresh, 1.0, slow));
    let usual = {
        let begun = Instant::now();
        for _ in 0..3 {
            command(&place, COMMANDS[0]).output().unwrap();
        }
        begun.elapsed() / 3
    };
    let mut seen = Seen::default();
    while seen.signals < signals && seen.lost == 0 {
        let signal = if dice.unit() < 0.5 {
            Signal::TERM
        } else {
            Signal::INT
        };
        let args = COMMANDS[seen.signals % COMMANDS.len()];
        let delay = usual.mul_f64(1.2 * dice.unit());
        interrupt(&place, &judge, args, (signal, delay), &mut seen);
        seen.lost = judge.sim.counts().refused;
    }
    let last = command(&place, COMMANDS[0]).output().unwrap();
    seen.lost = judge.sim.counts().refused;
    if last.status.success() && seen.lost == 0 && seen.longest < LONGEST {
        return (seen, None);
    }
    let kept = place.keep();
    let what = format!("{seen:?}\n{last:?}\nkept in {}", kept.display());
    (seen, Some(what))
}

fn interrupt(
    place: &Place,
    judge: &Judge,
    args: &[&str],
    (signal, delay): (Signal, Duration),
    seen: &mut Seen,
) {
    let before = judge.sim.counts().granted_replaced;
    let mut child = command(place, args).spawn().unwrap();
    thread::sleep(delay);
    let alive = child.try_wait().unwrap().is_none();
    let begun = Instant::now();
    if alive {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), signal).unwrap();
    }
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LONGEST {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    }
    seen.signals += 1;
    seen.longest = seen.longest.max(begun.elapsed());
    seen.alive += usize::from(alive);
    let carried_out = judge.sim.counts().granted_replaced > before;
    seen.carried_out += usize::from(alive && carried_out);
}

fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
    command
        .env_clear()
        .env("HOME", place.path())
        .env("XDG_STATE_HOME", place.path().join("host0"))
        .arg("--config")
        .arg(&place.config)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
