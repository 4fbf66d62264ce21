//! `kill -9` at random instants of processes that refresh many grants.
//!
//! After each kill, before anything else runs, three things are read: the simulator's verdict, its
//! history, and the store's rows. Where the provider has answered more often than the store has stored,
//! an answer is lost; whether anybody could have done without it is the verdict. Then a fresh process
//! must refresh every grant that can be refreshed, and say `reauthorize_answer_lost` of the others (or verify
//! the refusal first, where the token before stands by); it is
//! the next to be killed.

use std::{
    collections::BTreeMap,
    fmt, thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Fault, Rotation, Target, Verdict};

use crate::{
    judge::{Books, Chain, Judge, hear},
    place::{Engine, Place, Row},
    process::Process,
    tools::{Dice, wait_for_the_dead},
    wire::{Got, Op, Order, Report},
};

/// Few enough that their lost answers together do not look like an outage (five refused grants do).
const GRANTS_PER_APP: usize = 4;
const APPS: usize = 3;
const LOST: &str = "reauthorize_answer_lost";
const VERIFIED_FIRST: &str = "refused_early";

#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub kills: u64,
    /// Kills that met a grant with an intent in the store, and those grants.
    kills_mid: u64,
    mid_refresh: u64,
    /// Kills that met a grant between the provider's commit and ours, and those grants: the provider
    /// had given an answer that the store had not.
    kills_between: u64,
    pub between: u64,
    pub avoidable: u64,
    /// Of the latter, those that no client could have done without, by the oracle.
    pub unavoidable: u64,
    /// Of these, those that were called by their name.
    pub named: u64,
    /// And those whose refusal is verified first, because the token before stands by.
    pub verified_first: u64,
    refreshes: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.kills_mid += other.kills_mid;
        self.mid_refresh += other.mid_refresh;
        self.kills_between += other.kills_between;
        self.between += other.between;
        self.avoidable += other.avoidable;
        self.unavoidable += other.unavoidable;
        self.named += other.named;
        self.verified_first += other.verified_first;
        self.refreshes += other.refreshes;
    }

    pub const HEAD: &str = "| store | mode | refreshes | kills | in a refresh: kills | grants \
         | between the commits: kills | grants | lost, avoidable | lost, unavoidable | named so | verified first |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.refreshes,
            self.kills,
            self.kills_mid,
            self.mid_refresh,
            self.kills_between,
            self.between,
            self.avoidable,
            self.unavoidable,
            self.named,
            self.verified_first
        )
    }
}

/// What the judge knows of one grant.
#[derive(Debug, Default)]
struct Victim {
    chain: u64,
    /// Answers that the store has never had.
    missing: usize,
    /// No client can refresh it; from the kill to the next login.
    lost: bool,
    /// Whether the token before stood by when its process was killed.
    set_aside: bool,
    /// The newest token that a process has handed out.
    delivered: Option<String>,
    /// What the present process has said: a token, and what came of its first refresh.
    served: bool,
    refreshed: Option<Result<(), String>>,
}

/// Where a kill has met a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Not between the provider's commit and ours.
    Elsewhere,
    /// There, and a correct client can go on all the same.
    Between,
    /// There, and nobody can.
    PastSaving,
}

impl Victim {
    /// Holds the store's row against the provider's books and verdict.
    fn judge(&mut self, chain: &Chain, row: &Row, verdict: Verdict) -> Result<Cut, &'static str> {
        let stored = usize::try_from(row.minting).unwrap();
        let lost_now = match (chain.refreshed() - self.missing).checked_sub(stored) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err("the books do not balance"),
        };
        let delivered = self.delivered.as_ref().and_then(|it| chain.rank(it));
        if lost_now && delivered == Some(chain.refreshed()) {
            return Err("a token was handed out before it was stored");
        }
        self.missing += usize::from(lost_now);
        if verdict == Verdict::Safe && self.lost {
            return Err("the oracle takes back what it said");
        }
        // In doubt is also a token that was stored and not used since: that one has to work.
        Ok(match (lost_now, verdict) {
            (false, _) => Cut::Elsewhere,
            (true, Verdict::Safe) => Cut::Between,
            (true, _) => {
                self.lost = true;
                Cut::PastSaving
            }
        })
    }
}

/// One store whose processes are killed one after the other.
pub struct Cell {
    judge: Judge,
    place: Place,
    books: Books,
    victims: BTreeMap<String, Victim>,
    tally: Tally,
}

impl Cell {
    pub fn new(engine: &Engine, rotation: Rotation) -> Self {
        let judge = Judge::new(Judge::profile(rotation, APPS));
        let place = Place::new(engine, &judge.sim);
        let names: Vec<_> = (0..APPS * GRANTS_PER_APP)
            .map(|nth| format!("g{nth}"))
            .collect();
        let mut process = Process::open(&place, 0);
        judge.log_in(&mut process, &names, |nth| nth / GRANTS_PER_APP);
        process.stop();
        // Half of the answers take a while, as over a real network.
        let slow = Action::DelayAnswer { ms: 10 };
        judge
            .sim
            .script(Fault::share(Target::TokenRefresh, 0.5, slow));
        let victims = names.into_iter().map(|name| (name, Victim::default()));
        let mut cell = Self {
            judge,
            place,
            books: Books::default(),
            victims: victims.collect(),
            tally: Tally::default(),
        };
        cell.note_chains();
        cell
    }

    /// Kills so many; where something is wrong, the story, with the folder in which all is kept.
    pub fn run(mut self, kills: u64, dice: &mut Dice, end: Instant) -> (Tally, Option<String>) {
        while self.tally.kills < kills && Instant::now() < end {
            let mut process = self.begin();
            // One in five dies over what the last one has left.
            let over_orphans = self.tally.kills > 0 && dice.unit() < 0.2;
            let (longest, ready) = if over_orphans {
                (Duration::from_millis(120), Ok(()))
            } else {
                (Duration::from_millis(60), self.verify(&mut process))
            };
            thread::sleep(longest.mul_f64(dice.unit()));
            if let Err(what) = ready.and_then(|()| self.kill(process)) {
                return self.failed(&what);
            }
        }
        let mut process = self.begin();
        if let Err(what) = self.verify(&mut process) {
            drop(process);
            return self.failed(&what);
        }
        process.stop();
        let counts = self.judge.sim.counts();
        if counts.max_concurrent > 1 || counts.stray_credentials > 0 {
            return self.failed(&format!("{counts:?}"));
        }
        (self.tally, None)
    }

    fn failed(mut self, what: &str) -> (Tally, Option<String>) {
        self.tally.avoidable += 1;
        let kept = self.place.keep();
        let what = format!("{what}\nkept in {}", kept.display());
        (self.tally, Some(what))
    }

    fn begin(&mut self) -> Process {
        for victim in self.victims.values_mut() {
            (victim.served, victim.refreshed) = (false, None);
        }
        let mut process = Process::start(&self.place, 0);
        let grants = self.victims.keys().cloned().collect();
        process.order(&Order::Churn { grants });
        process
    }

    /// Kills a process, and judges before anything else runs.
    fn kill(&mut self, process: Process) -> Result<(), String> {
        for report in process.kill() {
            if let Report::Got(got) = report {
                self.note(got)?;
            }
        }
        self.tally.kills += 1;
        wait_for_the_dead(&self.judge.sim);
        self.books.update(&self.judge.sim);
        let rows = self.place.rows_at_rest();
        let verdicts = self.judge.sim.oracle();
        let of = |chain| {
            verdicts
                .iter()
                .find(|it| it.grant == chain)
                .unwrap()
                .verdict
        };
        let before = self.tally;
        for (name, victim) in &mut self.victims {
            let chain = &self.books.chains[&victim.chain];
            let (row, verdict) = (&rows[name], of(victim.chain));
            self.tally.mid_refresh += u64::from(row.armed);
            victim.set_aside = row.set_aside;
            let judged = victim.judge(chain, row, verdict).map_err(|what| {
                let calls = chain.calls.len().saturating_sub(4);
                let calls = &chain.calls[calls..];
                format!("{name}: {what}: {verdict:?}, {row:?}, {victim:?}\n{calls:#?}")
            })?;
            self.tally.between += u64::from(judged != Cut::Elsewhere);
            self.tally.unavoidable += u64::from(judged == Cut::PastSaving);
        }
        self.tally.kills_mid += u64::from(self.tally.mid_refresh > before.mid_refresh);
        self.tally.kills_between += u64::from(self.tally.between > before.between);
        Ok(())
    }

    /// Hears what the fresh process says of every grant, holds it against the verdict, and signs those in
    /// again that had to be lost.
    fn verify(&mut self, process: &mut Process) -> Result<(), String> {
        self.hear_all(process)?;
        let mut again = Vec::new();
        for (name, victim) in &mut self.victims {
            match (&victim.refreshed, victim.lost) {
                (Some(Ok(())), false) => {}
                (Some(Err(code)), true) if code == LOST => {
                    self.tally.named += 1;
                    again.push(name.clone());
                }
                (Some(Err(code)), true) if code == VERIFIED_FIRST && victim.set_aside => {
                    self.tally.verified_first += 1;
                    again.push(name.clone());
                }
                (Some(Err(code)), false) => {
                    return Err(format!("{name}: an avoidable loss: {code}: {victim:?}"));
                }
                _ => return Err(format!("{name}: lost, and not told so: {victim:?}")),
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.log_in_again(process, &again)?;
        self.note_chains();
        for name in &again {
            *self.victims.get_mut(name).unwrap() = Victim {
                chain: self.victims[name].chain,
                ..Victim::default()
            };
        }
        process.order(&Order::Churn { grants: again });
        // From its first refresh on it is known that the provider rotates.
        self.hear_all(process)?;
        let failed = |victim: &&Victim| victim.refreshed != Some(Ok(()));
        match self.victims.values().find(failed) {
            Some(victim) => Err(format!("signed in again, and not refreshed: {victim:?}")),
            None => Ok(()),
        }
    }

    fn log_in_again(&mut self, process: &mut Process, grants: &[String]) -> Result<(), String> {
        for grant in grants {
            let nth: usize = grant[1..].parse().unwrap();
            let (grant, app) = (grant.clone(), format!("app{}", nth / GRANTS_PER_APP));
            process.order(&Order::Login { grant, app });
        }
        let mut left = grants.len();
        let mut failed = None;
        hear(process, |process, report| {
            match report {
                Report::Begun { grant, url } => {
                    let query = self.judge.consent(&grant, &url);
                    process.order(&Order::Finish { grant, query });
                }
                Report::LoggedIn { grant, code, .. } => {
                    left -= 1;
                    failed = failed
                        .take()
                        .or(code.map(|code| format!("login of {grant}: {code}")));
                }
                Report::Got(got) => failed = failed.take().or(self.note(got).err()),
                _ => {}
            }
            left == 0 || failed.is_some()
        });
        failed.map_or(Ok(()), Err)
    }

    /// Hears until each grant has said whether there is a token and whether it could be refreshed.
    fn hear_all(&mut self, process: &mut Process) -> Result<(), String> {
        let mut failed = None;
        hear(process, |_, report| {
            if let Report::Got(got) = report {
                failed = self.note(got).err();
            }
            let open = |victim: &Victim| !victim.served || victim.refreshed.is_none();
            failed.is_some() || !self.victims.values().any(open)
        });
        failed.map_or(Ok(()), Err)
    }

    fn note(&mut self, got: Got) -> Result<(), String> {
        self.books.update(&self.judge.sim);
        let victim = self.victims.get_mut(&got.grant).unwrap();
        let chain = &self.books.chains[&victim.chain];
        let rank = |token: &Option<String>| token.as_ref().and_then(|it| chain.rank(it));
        let (new, old) = (rank(&got.token), rank(&victim.delivered));
        if got.token.is_some() && (new.is_none() || new < old) {
            return Err(format!("backwards: {got:?}, {victim:?}"));
        }
        match (got.op, got.token, got.code) {
            // A token that lives is served, whatever became of the refresh.
            (Op::Token, None, code) => return Err(format!("not served: {code:?}, {victim:?}")),
            (Op::Token, token, _) => (victim.served, victim.delivered) = (true, token),
            (Op::Refresh, Some(token), None) => {
                self.tally.refreshes += 1;
                victim.delivered = Some(token);
                victim.refreshed.get_or_insert(Ok(()));
            }
            (Op::Refresh, _, code) => {
                if let Some(Ok(())) = victim.refreshed {
                    return Err(format!("{}: failed in calm: {code:?}", got.grant));
                }
                victim.refreshed = Some(Err(code.unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// Finds each grant's newest chain.
    fn note_chains(&mut self) {
        self.books.update(&self.judge.sim);
        for verdict in self.judge.sim.oracle() {
            if let Some(victim) = self.victims.get_mut(&verdict.user) {
                victim.chain = verdict.grant;
            }
        }
    }
}
