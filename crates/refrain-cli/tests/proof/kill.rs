//! `kill -9` at any instant of a refresh, in every rotation mode, with the simulator's oracle as judge.
//!
//! After the kill, and before anything else runs, the oracle says what a correct client can still do:
//! where that is [`Verdict::Safe`], the next run has to succeed. Where the answer was lost before it
//! could be stored, the next run may say so, in these words and no others.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Fault, Profile, Rotation, Target, TokenCall, Verdict, fingerprint};

use crate::{
    tools::{Dice, number, seed, tell, wait_for_the_dead},
    world::{Home, Ran, World},
};

pub const MODES: [(&str, Rotation); 7] = [
    ("static", Rotation::Static),
    ("omit", Rotation::Omit),
    ("echo", Rotation::Echo),
    ("grace", Rotation::Grace { seconds: 30 }),
    ("until-used", Rotation::UntilUsed),
    ("strict", Rotation::Strict),
    ("family-kill", Rotation::FamilyKill),
];

/// Enough for every run of the suite; `REFRAIN_KILLS=1000` for a thorough one.
const KILLS: u64 = 200;
const THREADS: u64 = 2;

#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    kills: u64,
    /// Killed before they ended by themselves.
    alive: u64,
    /// The provider carried the refresh out, and the answer was not stored.
    mid_refresh: u64,
    lost_avoidable: u64,
    pub lost_unavoidable: u64,
    /// Of the latter, those that were called `answer_lost` at once.
    pub named: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.alive += other.alive;
        self.mid_refresh += other.mid_refresh;
        self.lost_avoidable += other.lost_avoidable;
        self.lost_unavoidable += other.lost_unavoidable;
        self.named += other.named;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills ({} before its end), {} after the provider's commit and before ours, lost: {} \
             avoidable, {} unavoidable ({} named so)",
            self.kills,
            self.alive,
            self.mid_refresh,
            self.lost_avoidable,
            self.lost_unavoidable,
            self.named
        )
    }
}

/// One grant that is killed over and over.
pub struct Victim<'a> {
    world: &'a World,
    home: &'a Home,
    name: String,
    grant: u64,
    /// The fingerprint of the access token that the store has.
    access: String,
}

/// What was found after a kill, and what became of the grant.
#[derive(Debug)]
pub struct Aftermath {
    pub verdict: Verdict,
    /// What the killed process had presented.
    pub calls: Vec<TokenCall>,
    /// Whether what came of it was in the store.
    pub stored: bool,
    pub token: Ran,
    pub refresh: Ran,
}

impl<'a> Victim<'a> {
    pub fn new(world: &'a World, home: &'a Home, name: &str) -> Self {
        let mut victim = Self {
            world,
            home,
            name: name.to_owned(),
            grant: 0,
            access: String::new(),
        };
        victim.login();
        victim
    }

    fn login(&mut self) {
        self.grant = self.world.login(self.home, &self.name);
        // From its first refresh on it is known whether the provider rotates; a lost answer before that
        // cannot be told from a refusal, and is verified like one.
        self.home
            .run(&["--json", "refresh", &self.name])
            .assert_done();
        // And its token is shown to be here, so that the oracle knows.
        self.home
            .run(&["api", "-g", &self.name, "/v1/me"])
            .assert_done();
        let calls = self.world.calls_since(0, self.grant);
        self.access = calls.last().unwrap().issued_access.clone().unwrap();
    }

    pub fn grant(&self) -> u64 {
        self.grant
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn refresh_command(&self) -> std::process::Command {
        self.home.command(&["--json", "refresh", &self.name])
    }

    /// Kills one refresh after a while; answers whether it still ran.
    fn kill_after(&self, delay: Duration) -> bool {
        let mut child = self.refresh_command().spawn().unwrap();
        let end = Instant::now() + delay;
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let alive = child.try_wait().unwrap().is_none();
        // Fails only where the process has ended.
        child.kill().unwrap_or_default();
        child.wait().unwrap();
        alive
    }

    /// Asks the oracle, then works on as the next user of this grant would, and holds what happens
    /// against the oracle's word.
    pub fn aftermath(&mut self, since: u64) -> Result<(Aftermath, Tally), String> {
        wait_for_the_dead(&self.world.sim);
        let mut seen = usize::MAX;
        let calls = loop {
            let calls = self.world.calls_since(since, self.grant);
            if calls.len() == seen {
                break calls;
            }
            seen = calls.len();
            thread::sleep(Duration::from_millis(15));
        };
        let verdict = self.world.verdict(self.grant);
        let before = self.world.newest();
        let token = self
            .home
            .run(&["--json", "token", &self.name, "--min-ttl", "0"]);
        let refresh = self.home.run(&["--json", "refresh", &self.name]);
        let after = self.world.calls_since(before, self.grant);

        let mut aftermath = Aftermath {
            verdict,
            calls,
            stored: false,
            token,
            refresh,
        };
        let served =
            (aftermath.token.exit == Some(0)).then(|| fingerprint(&aftermath.token.access_token()));
        let presented = after.first().and_then(|call| call.presented.clone());
        let committed = aftermath.calls.iter().rfind(|call| call.committed);
        let lost = committed.is_some_and(|call| {
            let presents = call.issued_refresh.is_some() && presented == call.issued_refresh;
            served != call.issued_access && !presents
        });
        aftermath.stored = committed.is_some() && !lost;
        let mut tally = Tally {
            mid_refresh: u64::from(lost),
            ..Tally::default()
        };
        let report = |what: &str| {
            format!(
                "{what}\n{aftermath:#?}\nthen: {after:#?}\nheld before: {}",
                self.access
            )
        };
        // The access token lives an hour, and no refresh, dead or refused, takes it away.
        let Some(served) = served else {
            return Err(report("a token that works was not served"));
        };
        let known = served == self.access
            || aftermath
                .calls
                .iter()
                .chain(&after)
                .any(|call| call.issued_access.as_ref() == Some(&served));
        if !known {
            return Err(report("a token was served that nobody issued"));
        }
        // Where the provider has not moved, what is stored is still what it takes.
        let moved = aftermath.calls.iter().any(|call| call.committed);
        let must_work = verdict == Verdict::Safe || aftermath.stored || !moved;
        match (aftermath.refresh.exit, aftermath.refresh.code().as_str()) {
            (Some(0), _) => {
                let newest = after.iter().rfind(|call| call.committed);
                let issued = newest.and_then(|call| call.issued_access.clone());
                self.access = issued.ok_or_else(|| report("refreshed without a refresh"))?;
            }
            (Some(3), "reauthorize_answer_lost") | (Some(5), "refused_early") if !must_work => {
                tally.lost_unavoidable = 1;
                // Where no rotation has been seen yet it may be another's fault, and is verified first.
                tally.named = u64::from(aftermath.refresh.code() == "reauthorize_answer_lost");
                self.login();
            }
            _ if must_work => return Err(report("an avoidable loss")),
            _ => return Err(report("not the way in which a lost answer is told")),
        }
        Ok((aftermath, tally))
    }
}

#[test]
fn a_refresh_killed_at_any_instant_loses_nothing_that_could_be_kept() {
    let kills = number("REFRAIN_KILLS").unwrap_or(KILLS);
    let seed = seed();
    tell(&format!("kill: REFRAIN_KILLS={kills} REFRAIN_SEED={seed}"));
    let mut all = Tally::default();
    let mut failures = Vec::new();
    for (nth, (mode, rotation)) in MODES.into_iter().enumerate() {
        let nth = u64::try_from(nth).unwrap();
        let modes = u64::try_from(MODES.len()).unwrap();
        let share = kills / modes + u64::from(nth < kills % modes);
        let (tally, failed) = kill_over_and_over(mode, rotation, share, seed ^ (nth << 32));
        tell(&format!("kill {mode:<11} {tally}"));
        all.add(tally);
        failures.extend(failed);
    }
    tell(&format!("kill all modes   {all}"));
    assert!(
        failures.is_empty(),
        "REFRAIN_SEED={seed}: {} losses that could be avoided:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

fn kill_over_and_over(
    mode: &str,
    rotation: Rotation,
    kills: u64,
    seed: u64,
) -> (Tally, Vec<String>) {
    let world = World::new(Profile::rotating(rotation));
    // Half of the answers take a while, as over a real network.
    let slow = Action::DelayAnswer { ms: 10 };
    world
        .sim
        .script(Fault::share(Target::TokenRefresh, 0.5, slow));
    let home = world.home();
    let usual = duration_of_a_refresh(&world, &home);
    let mut total = Tally::default();
    let mut failures = Vec::new();
    thread::scope(|threads| {
        let killers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let world = &world;
                let share = kills / THREADS + u64::from(thread < kills % THREADS);
                let mut dice = Dice(seed ^ (thread << 16));
                threads.spawn(move || {
                    let mut tally = Tally::default();
                    let mut failures = Vec::new();
                    // A store of its own: a process takes up what it finds undone of any grant in it, and
                    // one that is killed at that would be blamed on the other thread's.
                    let home = world.home();
                    let mut victim = Victim::new(world, &home, &format!("victim{thread}"));
                    for round in 0..share {
                        let delay = usual.mul_f64(1.2 * dice.unit());
                        let since = world.newest();
                        let alive = victim.kill_after(delay);
                        tally.kills += 1;
                        tally.alive += u64::from(alive);
                        match victim.aftermath(since) {
                            Ok((_, one)) => tally.add(one),
                            Err(what) => {
                                tally.lost_avoidable += 1;
                                failures.push(format!(
                                    "{mode}, thread {thread}, round {round}, killed after {delay:?}: {what}"
                                ));
                                victim.login();
                            }
                        }
                    }
                    (tally, failures)
                })
            })
            .collect();
        for killer in killers {
            let (tally, failed) = killer.join().unwrap();
            total.add(tally);
            failures.extend(failed);
        }
    });
    assert_eq!(world.sim.counts().stray_credentials, 0);
    (total, failures)
}

/// How long an undisturbed refresh takes here and now, with as many at once as will be.
fn duration_of_a_refresh(world: &World, home: &Home) -> Duration {
    const EACH: u32 = 6;
    let measure = |name: String| {
        world.login(home, &name);
        let begun = Instant::now();
        for _ in 0..EACH {
            home.run(&["--json", "refresh", &name]).assert_done();
        }
        begun.elapsed() / EACH
    };
    // One at first: what several first users of a store meet is another test's.
    world.login(home, "timed0");
    thread::scope(|threads| {
        let timed: Vec<_> = (0..THREADS)
            .map(|thread| threads.spawn(move || measure(format!("timed{thread}"))))
            .collect();
        let durations = timed.into_iter().map(|thread| thread.join().unwrap());
        durations.max().unwrap()
    })
}
