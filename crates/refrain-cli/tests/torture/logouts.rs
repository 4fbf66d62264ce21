//! Logouts, and logins after them, while several processes refresh and read the grant.
//!
//! The provider has no revocation endpoint here, so that every late answer is a good one: if a login that
//! has ended comes back to life, nothing but refrain could have stopped it.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Event, EventKind, Fault, Rotation, Target};

use crate::{
    judge::{Books, Judge, millis},
    place::{Engine, Place},
    process::Process,
    tools::{Dice, LONGEST},
    wire::{Got, Op, Order, Report},
};

/// How long other processes may serve a token of a login that has ended.
const REACH: u64 = 5_000_000;
/// What the provider takes to answer: a refresh is nearly always in flight.
const ANSWER_MS: u64 = 250;

#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    pub races: usize,
    /// Logouts that met a token call on its way, or were followed by one.
    in_flight: usize,
    again: usize,
    served_here: usize,
    served_elsewhere: usize,
    /// The longest that another process has served a token of an ended login.
    longest_elsewhere: u64,
    resurrected: usize,
    refreshed: usize,
}

impl Seen {
    pub const HEAD: &str = "| store | races | with a call in flight | signed in again | served after \
        the acknowledgement, same process | others, after 5 s | others, longest ms | resurrected \
        | new logins that refresh |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|";

    pub fn add(&mut self, other: Self) {
        self.races += other.races;
        self.in_flight += other.in_flight;
        self.again += other.again;
        self.served_here += other.served_here;
        self.served_elsewhere += other.served_elsewhere;
        self.longest_elsewhere = self.longest_elsewhere.max(other.longest_elsewhere);
        self.resurrected += other.resurrected;
        self.refreshed += other.refreshed;
    }

    pub fn line(&self) -> String {
        format!(
            "{} | {} | {} | {} | {} | {} | {} | {} |",
            self.races,
            self.in_flight,
            self.again,
            self.served_here,
            self.served_elsewhere,
            millis(self.longest_elsewhere),
            self.resurrected,
            self.refreshed
        )
    }

    fn is_good(&self) -> bool {
        self.served_here + self.served_elsewhere + self.resurrected == 0
            && self.refreshed == self.again
    }
}

/// One batch of races: grants that are all signed out within a second.
pub struct Logouts {
    judge: Judge,
    place: Place,
    /// The first one handles the logouts and the logins.
    processes: Vec<Process>,
    grants: Vec<String>,
    old: BTreeMap<String, u64>,
    acknowledged: BTreeMap<String, u64>,
    again: BTreeSet<String>,
    back: BTreeSet<String>,
    got: Vec<(usize, Got)>,
}

impl Logouts {
    pub fn new(engine: &Engine, grants: usize) -> Self {
        let judge = Judge::new(Judge::profile(Rotation::FamilyKill, 1));
        let place = Place::new(engine, &judge.sim);
        let grants: Vec<_> = (0..grants).map(|nth| format!("g{nth}")).collect();
        let mut processes: Vec<_> = (0..3).map(|host| Process::open(&place, host)).collect();
        judge.log_in(&mut processes[0], &grants, |_| 0);
        let answer = Action::DelayAnswer { ms: ANSWER_MS };
        judge
            .sim
            .script(Fault::share(Target::TokenRefresh, 1.0, answer));
        let old = judge.sim.oracle().into_iter().map(|it| (it.user, it.grant));
        Self {
            old: old.collect(),
            acknowledged: BTreeMap::new(),
            again: BTreeSet::new(),
            back: BTreeSet::new(),
            got: Vec::new(),
            judge,
            place,
            processes,
            grants,
        }
    }

    pub fn run(mut self, dice: &mut Dice) -> (Seen, Option<String>) {
        let mut seen = Seen::default();
        let done = self.race(dice).and_then(|()| self.afterwards(&mut seen));
        if done.is_ok() && seen.is_good() {
            return (seen, None);
        }
        let kept = self.place.keep();
        let what = format!("{done:?} {seen:?}\nkept in {}", kept.display());
        (seen, Some(what))
    }

    fn race(&mut self, dice: &mut Dice) -> Result<(), String> {
        let all = self.grants.clone();
        let (some, others): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|_| dice.unit() < 0.5);
        // Half of the grants are refreshed where they will be signed out, half elsewhere; all are read
        // everywhere.
        self.processes[0].order(&Order::Churn { grants: some });
        self.processes[1].order(&Order::Churn { grants: others });
        for process in &mut self.processes {
            process.order(&Order::Read {
                grants: all.clone(),
                pause_ms: 60,
            });
        }
        thread::sleep(Duration::from_millis(300));
        for grant in all {
            let pause = Duration::from_millis(40).mul_f64(dice.unit());
            self.hear_until(Instant::now() + pause, |_| false)?;
            if dice.unit() < 0.5 {
                self.again.insert(grant.clone());
            }
            self.processes[0].order(&Order::Logout { grant });
        }
        let all_done =
            |it: &Self| it.acknowledged.len() == it.grants.len() && it.back.len() == it.again.len();
        self.hear_until(Instant::now() + LONGEST, all_done)?;
        if !all_done(self) {
            return Err("not all logouts and logins have ended".to_owned());
        }
        // Until long after the reach of the last.
        self.hear_until(
            Instant::now() + Duration::from_micros(REACH * 13 / 10),
            |_| false,
        )?;
        for process in &mut self.processes {
            process.order(&Order::Rest);
        }
        self.hear_until(Instant::now() + Duration::from_millis(500), |_| false)
    }

    fn hear_until(&mut self, end: Instant, enough: impl Fn(&Self) -> bool) -> Result<(), String> {
        while Instant::now() < end && !enough(self) {
            for nth in 0..self.processes.len() {
                let slice = (Instant::now() + Duration::from_millis(2)).min(end);
                while let Some(report) = self.processes[nth].next_by(slice) {
                    self.take(nth, report)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, nth: usize, report: Report) -> Result<(), String> {
        match report {
            Report::Got(got) => self.got.push((nth, got)),
            Report::LoggedOut {
                grant,
                code: None,
                at,
            } => {
                if self.again.contains(&grant) {
                    let (grant, app) = (grant.clone(), "app0".to_owned());
                    self.processes[0].order(&Order::Login { grant, app });
                }
                self.acknowledged.insert(grant, at);
            }
            Report::Begun { grant, url } => {
                let query = self.judge.consent(&grant, &url);
                self.processes[0].order(&Order::Finish { grant, query });
            }
            Report::LoggedIn {
                grant, code: None, ..
            } => {
                self.back.insert(grant);
            }
            other => return Err(format!("{other:?}")),
        }
        Ok(())
    }

    fn afterwards(&mut self, seen: &mut Seen) -> Result<(), String> {
        let mut books = Books::default();
        books.update(&self.judge.sim);
        seen.races = self.acknowledged.len();
        seen.again = self.again.len();
        seen.in_flight = self.in_flight();
        for (nth, got) in &self.got {
            let (old, at) = (
                &books.chains[&self.old[&got.grant]],
                self.acknowledged[&got.grant],
            );
            let is_old = got.token.as_ref().is_some_and(|it| old.rank(it).is_some());
            if !is_old || got.began < at {
                continue;
            }
            if *nth == 0 {
                seen.served_here += 1;
            } else {
                seen.longest_elsewhere = seen.longest_elsewhere.max(got.began - at);
                seen.served_elsewhere += usize::from(got.began - at > REACH);
            }
        }
        for (name, row) in self.place.rows() {
            let signed_out = row.status == "signed_out" && !row.armed;
            let back = self.again.contains(&name);
            seen.resurrected += usize::from(!back && !signed_out);
            if back && row.status != "active" {
                return Err(format!("{name}: a new login did not last: {row:?}"));
            }
        }
        let again: Vec<_> = self.again.iter().cloned().collect();
        self.processes[2].order(&Order::Refresh {
            grants: again.clone(),
        });
        let end = Instant::now() + LONGEST;
        let mut left = again.len();
        while left > 0 {
            let Some(report) = self.processes[2].next_by(end) else {
                return Err(format!("{left} refreshes do not end"));
            };
            let Report::Got(
                got @ Got {
                    op: Op::Refresh, ..
                },
            ) = report
            else {
                continue;
            };
            left -= 1;
            books.update(&self.judge.sim);
            let old = &books.chains[&self.old[&got.grant]];
            match &got.token {
                Some(token) if old.rank(token).is_none() => seen.refreshed += 1,
                _ => return Err(format!("after a new login: {got:?}")),
            }
        }
        let counts = self.judge.sim.counts();
        if counts.refused > 0 || counts.max_concurrent > 1 {
            return Err(format!("{counts:?}"));
        }
        Ok(())
    }

    /// Logouts during which the provider had a call of the ended login to answer.
    fn in_flight(&self) -> usize {
        let mut open = BTreeSet::new();
        let answer = ANSWER_MS * 1000;
        for event in self.judge.sim.history() {
            let at = self.judge.at(&event);
            let Event {
                kind: EventKind::TokenCall(call),
                ..
            } = event
            else {
                continue;
            };
            let of = |(_, chain): &(&String, &u64)| Some(**chain) == call.grant;
            let Some((name, _)) = self.old.iter().find(of) else {
                continue;
            };
            if self
                .acknowledged
                .get(name)
                .is_some_and(|ack| at + answer > *ack)
            {
                open.insert(name);
            }
        }
        open.len()
    }
}
