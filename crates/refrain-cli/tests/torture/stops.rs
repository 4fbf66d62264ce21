//! SIGSTOP of processes that hold intents, and SIGCONT when another has taken their grants over.
//!
//! A stopped process still holds the lock that says it lives, so the others wait for its leases to end;
//! all stores, holders and grants of a round wait for the same half minute. When it goes on, its answers
//! are late: what came of them must not be lost, and nothing may go backwards.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Fault, Rotation, Target, Verdict};
use rustix::process::Signal;

use crate::{
    judge::{Books, Judge, millis, percentile},
    place::{Engine, Place, Row},
    process::Process,
    tools::Dice,
    wire::{Got, Op, Order, Report, now},
};

/// The longest that a waiter may wait, and what a busy machine may add.
const PATIENCE: u64 = 15_000_000;
const SLACK: u64 = 2_000_000;
/// A lease, the skew, and time for the refresh itself.
const TAKEN_OVER: Duration = Duration::from_secs(60);

/// One store, the processes that will be stopped, and the one that takes over.
pub struct Stops {
    judge: Judge,
    place: Place,
    books: Books,
    rotates: bool,
    holders: Vec<(Process, Vec<String>)>,
    taker: Process,
    grants: BTreeMap<String, Held>,
    pub seen: Seen,
}

/// What the judge knows of one grant.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own"
)]
struct Held {
    chain: u64,
    row: Option<Row>,
    /// Armed when its holder was stopped, and how many calls there had been.
    armed: bool,
    calls: usize,
    /// The provider had gone on, and the store had not.
    unsaved: bool,
    stale: usize,
    /// The generation when its holder was stopped, and whether another process has gone beyond it.
    generation: i64,
    superseded: bool,
    /// Its holder was stopped between its last look and the first byte, and presented what another had
    /// presented meanwhile: the one window that no lease closes.
    woke_late: bool,
}

#[derive(Debug, Default)]
pub struct Seen {
    pub stops: usize,
    /// Rounds in which one of them was in the middle of a write to SQLite.
    locked: usize,
    /// Callers who were told that the store does not answer.
    slow: usize,
    armed: usize,
    unsaved: usize,
    /// Presentations of a superseded token after the process went on.
    extra: usize,
    longest_wait: u64,
    takeovers: Vec<u64>,
    /// Chains that the provider itself has ended, because an old token was presented.
    dead: usize,
    refreshed: usize,
}

impl Seen {
    pub const HEAD: &str = "| store | mode | stops | store locked | grants armed | answers unsaved \
        | taken over after p50 / max ms | longest wait ms | told of a slow store | extra presentations | ended by the \
        provider | go on |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

    pub fn add(&mut self, other: Self) {
        self.stops += other.stops;
        self.locked += other.locked;
        self.slow += other.slow;
        self.armed += other.armed;
        self.unsaved += other.unsaved;
        self.extra += other.extra;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.takeovers.extend(other.takeovers);
        self.dead += other.dead;
        self.refreshed += other.refreshed;
    }

    pub fn line(&mut self) -> String {
        let half = percentile(&mut self.takeovers, 50);
        let last = self.takeovers.last().copied().unwrap_or(0);
        format!(
            "{} | {} | {} | {} | {} / {} | {} | {} | {} | {} | {} |",
            self.stops,
            self.locked,
            self.armed,
            self.unsaved,
            millis(half),
            millis(last),
            millis(self.longest_wait),
            self.slow,
            self.extra,
            self.dead,
            self.refreshed
        )
    }
}

impl Stops {
    pub fn new(engine: &Engine, rotation: Rotation, holders: usize, each: usize) -> Self {
        // Few grants an app: their refusals together must not look like an outage.
        let apps = (holders * each).div_ceil(4);
        let judge = Judge::new(Judge::profile(rotation, apps));
        let place = Place::new(engine, &judge.sim);
        let names: Vec<_> = (0..holders * each).map(|nth| format!("g{nth}")).collect();
        let mut taker = Process::open(&place, holders);
        judge.log_in(&mut taker, &names, |nth| nth / 4);
        for (share, ms) in [(0.3, 5), (0.5, 60)] {
            let slow = Action::DelayAnswer { ms };
            judge
                .sim
                .script(Fault::share(Target::TokenRefresh, share, slow));
        }
        let holders = names
            .chunks(each)
            .enumerate()
            .map(|(host, grants)| (Process::open(&place, host), grants.to_vec()));
        let mut stops = Self {
            holders: holders.collect(),
            taker,
            books: Books::default(),
            rotates: !matches!(rotation, Rotation::Static | Rotation::Omit),
            grants: BTreeMap::new(),
            seen: Seen::default(),
            judge,
            place,
        };
        for verdict in stops.judge.sim.oracle() {
            let held = Held {
                chain: verdict.grant,
                ..Held::default()
            };
            stops.grants.insert(verdict.user, held);
        }
        stops
    }

    /// The whole of it; where something is wrong, the story, with the folder in which all is kept.
    pub fn run(&mut self, dice: &mut Dice) -> Result<(), String> {
        let done = self
            .stop_all(dice)
            .and_then(|stopped| self.take_over(stopped))
            .and_then(|()| self.go_on())
            .and_then(|()| self.afterwards());
        done.map_err(|what| {
            let kept = self.place.keep();
            format!("{what}\nkept in {}", kept.display())
        })
    }

    fn stop_all(&mut self, dice: &mut Dice) -> Result<u64, String> {
        for (holder, grants) in &mut self.holders {
            holder.order(&Order::Churn {
                grants: grants.clone(),
            });
        }
        // All of them have refreshed by then.
        thread::sleep(Duration::from_millis(1500));
        for (holder, _) in &self.holders {
            thread::sleep(Duration::from_millis(100).mul_f64(dice.unit()));
            holder.freeze();
            self.seen.stops += 1;
        }
        if self.place.write_locked() {
            self.seen.locked += 1;
            self.wait_locked_out()?;
            self.stop_elsewhere(dice)?;
        }
        // From the last time that any of them could arm.
        let stopped = now();
        // What was sent arrives, and a server in the middle of a statement ends it.
        thread::sleep(Duration::from_millis(700));
        self.watch()?;
        self.books.update(&self.judge.sim);
        for (name, held) in &mut self.grants {
            let row = held.row.as_ref();
            let chain = &self.books.chains[&held.chain];
            held.armed = row.is_some_and(|row| row.armed);
            held.calls = chain.calls.len();
            held.generation = row.map_or(0, |row| row.generation);
            held.unsaved =
                row.and_then(|row| usize::try_from(row.minting).ok()) != Some(chain.refreshed());
            if held.unsaved && !held.armed {
                return Err(format!("{name}: an answer without an intent: {held:?}"));
            }
            self.seen.armed += usize::from(held.armed);
            self.seen.unsaved += usize::from(held.unsaved);
        }
        Ok(stopped)
    }

    /// A process that is stopped in the middle of a write keeps everybody else from writing: SQLite has no
    /// other way. The others say so in time, condemn nothing, and serve the tokens there are.
    fn wait_locked_out(&mut self) -> Result<(), String> {
        let grants: Vec<_> = self.grants.keys().take(2).cloned().collect();
        self.taker.order(&Order::Read {
            grants: grants.clone(),
            pause_ms: 1000,
        });
        self.taker.order(&Order::Refresh {
            grants: grants.clone(),
        });
        let end = Instant::now() + Duration::from_micros(PATIENCE + SLACK);
        let mut left = grants.len();
        while left > 0 {
            let Some(Report::Got(got)) = self.taker.next_by(end) else {
                return Err("a locked store holds everybody up".to_owned());
            };
            match (got.op, got.code.as_deref()) {
                (Op::Token, _) if got.token.is_some() => {}
                (Op::Refresh, Some("storage_unavailable" | "still_refreshing")) => left -= 1,
                _ => return Err(format!("of a locked store: {got:?}")),
            }
        }
        self.taker.order(&Order::Rest);
        Ok(())
    }

    /// Lets holders go on for a moment each, until none is stopped in the middle of a write.
    fn stop_elsewhere(&mut self, dice: &mut Dice) -> Result<(), String> {
        for _ in 0..100 {
            for (holder, _) in &self.holders {
                if !self.place.write_locked() {
                    return Ok(());
                }
                holder.signal(Signal::CONT);
                thread::sleep(Duration::from_millis(10).mul_f64(dice.unit()));
                holder.freeze();
            }
        }
        Err("the store stays locked".to_owned())
    }

    /// Another process wants a new token of every grant, and asks until it has an answer.
    fn take_over(&mut self, stopped: u64) -> Result<(), String> {
        let mut open: Vec<String> = self.grants.keys().cloned().collect();
        self.taker.order(&Order::Refresh {
            grants: open.clone(),
        });
        self.taker.order(&Order::Read {
            grants: open.clone(),
            pause_ms: 1000,
        });
        let end = Instant::now() + TAKEN_OVER;
        let mut looked = Instant::now();
        while !open.is_empty() {
            if Instant::now() > end {
                return Err(format!("not taken over in {TAKEN_OVER:?}: {open:?}"));
            }
            if looked.elapsed() > Duration::from_secs(1) {
                looked = Instant::now();
                self.watch()?;
            }
            let soon = Instant::now() + Duration::from_millis(200);
            let Some(Report::Got(got)) = self.taker.next_by(soon) else {
                continue;
            };
            self.check(&got)?;
            if got.op == Op::Token {
                continue;
            }
            // A store that is slow is a fault, and no verdict.
            let slow = got.code.as_deref() == Some("storage_unavailable");
            self.seen.slow += usize::from(slow);
            if slow || got.code.as_deref() == Some("still_refreshing") {
                self.taker.order(&Order::Refresh {
                    grants: vec![got.grant],
                });
                continue;
            }
            open.retain(|it| *it != got.grant);
            if self.grants[&got.grant].armed {
                self.seen.takeovers.push(got.ended - stopped);
            }
        }
        self.taker.order(&Order::Rest);
        Ok(())
    }

    fn check(&mut self, got: &Got) -> Result<(), String> {
        let waited = got.ended - got.began;
        self.seen.longest_wait = self.seen.longest_wait.max(waited);
        // Tokens live an hour: whatever becomes of refreshes, there is one.
        if got.op == Op::Token && got.token.is_none() {
            return Err(format!("not served: {got:?}"));
        }
        if waited > PATIENCE + SLACK {
            return Err(format!("waited too long: {got:?}"));
        }
        let answered = got.token.is_some() || got.later;
        // Or that is verified first, where the token before stands by.
        let words = ["reauthorize_answer_lost", "refused_early"];
        let lost = got.code.as_deref().is_some_and(|it| words.contains(&it));
        // Only where the provider has gone on without us may anything else be said.
        let slow = got.code.as_deref() == Some("storage_unavailable");
        let named = lost && self.grants[&got.grant].unsaved;
        if answered || named || slow {
            return Ok(());
        }
        Err(format!("neither a token nor patience: {got:?}"))
    }

    /// The holders go on; whatever they still do is done within seconds.
    fn go_on(&mut self) -> Result<(), String> {
        self.books.update(&self.judge.sim);
        for held in self.grants.values_mut() {
            held.stale = self.books.chains[&held.chain].stale.len();
            let now = held.row.as_ref().map_or(0, |row| row.generation);
            held.superseded = now > held.generation;
        }
        for (holder, _) in &mut self.holders {
            holder.order(&Order::Rest);
            holder.signal(Signal::CONT);
        }
        for _ in 0..8 {
            thread::sleep(Duration::from_millis(500));
            self.watch()?;
        }
        self.books.update(&self.judge.sim);
        if !self.rotates {
            return Ok(());
        }
        for (name, held) in &mut self.grants {
            let chain = &self.books.chains[&held.chain];
            // What the store still has as the newest may be presented, under an intent of its own.
            if !held.superseded {
                continue;
            }
            let extra = &chain.stale[held.stale..];
            self.seen.extra += extra.len();
            held.woke_late = held.armed && !extra.is_empty();
            let before = &chain.calls[..held.calls];
            let again =
                |token: &String| before.iter().any(|it| it.presented.as_ref() == Some(token));
            if extra.len() > 1 || extra.iter().any(again) || (!held.armed && !extra.is_empty()) {
                return Err(format!(
                    "{name}: presented again: {extra:?}, {held:?}\n{before:#?}"
                ));
            }
        }
        Ok(())
    }

    /// Whatever the provider has not ended goes on: no late answer was lost.
    fn afterwards(&mut self) -> Result<(), String> {
        let verdicts = self.judge.sim.oracle();
        let grants: Vec<_> = self.grants.keys().cloned().collect();
        let mut left = grants.len();
        self.taker.order(&Order::Refresh { grants });
        let end = Instant::now() + TAKEN_OVER;
        while left > 0 {
            let Some(report) = self.taker.next_by(end) else {
                return Err(format!("{left} refreshes do not end"));
            };
            let Report::Got(got) = report else { continue };
            if got.op == Op::Token {
                continue;
            }
            left -= 1;
            let held = &self.grants[&got.grant];
            let verdict = verdicts.iter().find(|it| it.grant == held.chain);
            let dead = matches!(verdict.unwrap().verdict, Verdict::Dead(_));
            self.seen.dead += usize::from(dead);
            self.seen.refreshed += usize::from(got.code.is_none());
            if !dead && got.code.is_some() {
                return Err(format!(
                    "a late answer was lost: {got:?}, {held:?}, {verdict:?}"
                ));
            }
            if dead && !held.unsaved && !held.woke_late {
                return Err(format!(
                    "ended by the provider, and nobody knows why: {got:?}, {held:?}, {verdict:?}"
                ));
            }
        }
        Ok(())
    }

    /// Reads the rows: nothing goes backwards.
    fn watch(&mut self) -> Result<(), String> {
        for (name, row) in self.place.rows() {
            let Some(held) = self.grants.get_mut(&name) else {
                continue;
            };
            let place = |row: &Row| (row.epoch, row.generation, row.minting);
            if let Some(before) = &held.row
                && (place(&row) < place(before) || row.fence < before.fence)
            {
                return Err(format!("{name}: backwards: {before:?}, then {row:?}"));
            }
            held.row = Some(row);
        }
        Ok(())
    }
}
