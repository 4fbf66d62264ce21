//! Rounds: a token is too old for everybody at once, thousands of tasks in several processes ask, and
//! there is one token call.
//!
//! Nobody waits for an hour: the tasks ask for nine tenths of a token's life, so that it is too old after
//! the first tenth, and each round takes the grant that has rested longest. By half of its life a token
//! would be refreshed ahead; a grant that came that far would spoil the count, and ends the run instead.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Event, EventKind, Fault, Rotation, Target, TokenCall};

use crate::{
    judge::{Judge, millis, percentile},
    place::{Engine, Place},
    process::Process,
    runs::Scale,
    tools::tell,
    wire::{Asked, Order, Report},
};

const TASKS: usize = 256;
/// What the provider takes to answer.
const ANSWER_MS: u64 = 25;

struct Rounds {
    judge: Judge,
    place: Place,
    processes: Vec<Process>,
    life: Duration,
    /// The last event that was looked at.
    read: u64,
    /// Each grant, and when its token came.
    grants: Vec<(String, Instant)>,
    called: Vec<u64>,
    within: Vec<u64>,
    across: Vec<u64>,
}

pub fn run(scale: Scale) -> Vec<String> {
    tell(
        "\n| store | processes × tasks | rounds | token calls | at once | call p50 / p99 ms \
         | same process p50 / p99 ms | others p50 / p99 ms |\n|---|--:|--:|--:|--:|--:|--:|--:|",
    );
    let run = |engine: Engine| {
        let processes = if let Engine::Sqlite = engine { 8 } else { 3 };
        Rounds::new(&engine, processes, scale).run(&engine, scale.of(1000, 16))
    };
    if scale.full {
        return Engine::both().into_iter().filter_map(run).collect();
    }
    thread::scope(|threads| {
        let running = Engine::both().map(|engine| threads.spawn(|| run(engine)));
        let ended = running.into_iter().map(|it| it.join().unwrap());
        ended.flatten().collect()
    })
}

impl Rounds {
    fn new(engine: &Engine, processes: usize, scale: Scale) -> Self {
        let mut profile = Judge::profile(Rotation::FamilyKill, 1);
        profile.access_ttl = Duration::from_secs(1);
        let judge = Judge::new(profile);
        let place = Place::new(engine, &judge.sim);
        let mut processes: Vec<_> = (0..processes)
            .map(|host| Process::open(&place, host))
            .collect();
        let names: Vec<_> = (0..scale.of(300, 8)).map(|nth| format!("g{nth}")).collect();
        judge.log_in(&mut processes[0], &names, |_| 0);
        // The first tokens are at their end before the first round.
        thread::sleep(Duration::from_millis(1100));
        let life = Duration::from_secs(scale.of(1000, 60));
        judge
            .sim
            .update_profile(|profile| profile.access_ttl = life);
        let answer = Action::DelayAnswer { ms: ANSWER_MS };
        judge
            .sim
            .script(Fault::share(Target::TokenRefresh, 1.0, answer));
        let rested = Instant::now();
        Self {
            read: judge.newest(),
            judge,
            place,
            processes,
            life,
            grants: names.into_iter().map(|name| (name, rested)).collect(),
            called: Vec::new(),
            within: Vec::new(),
            across: Vec::new(),
        }
    }

    fn run(mut self, engine: &Engine, rounds: usize) -> Option<String> {
        let mut done = 0;
        let mut wrong = None;
        while done < rounds {
            let (name, rested) = self.grants[done % self.grants.len()].clone();
            // The tokens of the logins are at their end already.
            if done >= self.grants.len() {
                let old_enough = rested + self.life / 10 + Duration::from_millis(500);
                thread::sleep(old_enough.saturating_duration_since(Instant::now()));
            }
            if done >= self.grants.len() && rested.elapsed() > self.life * 9 / 20 {
                tell("this machine is too slow for more rounds");
                break;
            }
            wrong = self.round(&name).err();
            if wrong.is_some() {
                break;
            }
            let place = done % self.grants.len();
            self.grants[place].1 = Instant::now();
            done += 1;
        }
        let counts = self.judge.sim.counts();
        let mut two = |of: fn(&mut Self) -> &mut Vec<u64>| {
            let values = of(&mut self);
            let (half, most) = (percentile(values, 50), percentile(values, 99));
            format!("{} / {}", millis(half), millis(most))
        };
        let (called, within) = (two(|it| &mut it.called), two(|it| &mut it.within));
        let across = two(|it| &mut it.across);
        tell(&format!(
            "| {} | {} × {TASKS} | {done} | {} | {} | {called} | {within} | {across} |",
            engine.name(),
            self.processes.len(),
            counts.refreshes,
            counts.max_concurrent,
        ));
        let exact = usize::try_from(counts.refreshes).unwrap() == done;
        if wrong.is_none() && !(exact && counts.max_concurrent == 1 && counts.refused == 0) {
            wrong = Some(format!("{done} rounds: {counts:?}"));
        }
        let kept = wrong.is_some().then(|| self.place.keep());
        kept.map(|kept| format!("{}: {wrong:?}\nkept in {}", engine.name(), kept.display()))
    }

    fn round(&mut self, grant: &str) -> Result<(), String> {
        let order = Order::Ask {
            grant: grant.to_owned(),
            tasks: TASKS,
            min_ttl_ms: u64::try_from(self.life.as_millis()).unwrap() * 9 / 10,
        };
        for process in &mut self.processes {
            process.order(&order);
        }
        let mut asked = Vec::new();
        for process in &self.processes {
            match process.next() {
                Report::Asked(one) => asked.push(one),
                other => return Err(format!("{grant}: {other:?}")),
            }
        }
        let events = self.judge.sim.history_since(self.read);
        self.read = events.last().map_or(self.read, |event| event.seq);
        let calls: Vec<_> = events.iter().filter_map(call).collect();
        let tokens: BTreeSet<_> = asked
            .iter()
            .flat_map(|it| it.tokens.iter().cloned())
            .collect();
        let codes: BTreeSet<_> = asked
            .iter()
            .flat_map(|it| it.codes.iter().cloned())
            .collect();
        let one = |(_, call): &(&Event, &TokenCall)| {
            call.issued_access.iter().eq(&tokens) && tokens.len() == 1
        };
        let answered = asked.iter().all(|it| it.micros.len() == TASKS);
        if calls.len() != 1 || !calls.iter().all(one) || !codes.is_empty() || !answered {
            return Err(format!("{grant}: {tokens:?} {codes:?}\n{calls:#?}"));
        }
        self.measure(asked, &events, calls[0]);
        Ok(())
    }

    fn measure(
        &mut self,
        asked: Vec<Asked>,
        events: &[Event],
        (begun, call): (&Event, &TokenCall),
    ) {
        let answered = |event: &&Event| matches!(event.kind, EventKind::Answered { request, .. } if request == call.request);
        if let Some(event) = events.iter().find(answered) {
            self.called.push(event.real_us - begun.real_us);
        }
        // Whose callers were served first refreshed for all.
        let first = asked.iter().map(|it| it.first_ended).min();
        for one in asked {
            if Some(one.first_ended) == first {
                self.within.extend(one.micros);
            } else {
                self.across.extend(one.micros);
            }
        }
    }
}

fn call(event: &Event) -> Option<(&Event, &TokenCall)> {
    match &event.kind {
        EventKind::TokenCall(call) => Some((event, call)),
        _ => None,
    }
}
