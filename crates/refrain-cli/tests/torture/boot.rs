//! A start after a crash: a thousand intents of a dead process are taken up, while others are served.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use refrain_sim::{Action, Event, EventKind, Fault, Rotation, Target, Verdict};

use crate::{
    judge::{Judge, hear, millis},
    place::{Engine, Place, Row},
    process::Process,
    runs::Scale,
    tools::{LONGEST, tell, until, wait_for_the_dead},
    wire::{Got, Op, Order, Report, now},
};

/// What has to be done by then.
const RESOLVED: u64 = 10_000_000;
const FIRST: u64 = 2_000_000;

pub fn run(scale: Scale) -> Vec<String> {
    tell(
        "\n| store | mode | orphans | of these past saving | first retry ms | all resolved ms | left after 20 s \
         | healthy: first token ms | longest ms | another's refresh ms | told instead | refreshed after | answer_lost \
         | asked twice | otherwise |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|---|",
    );
    let mut failures = Vec::new();
    for engine in Engine::both() {
        let modes = [
            // Longer than this machine may need to make a thousand orphans.
            ("grace", Rotation::Grace { seconds: 120 }),
            ("strict", Rotation::Strict),
        ];
        for (mode, rotation) in modes {
            let boot = Boot::new(&engine, rotation, scale.of(1000, 60));
            let done = boot.run(&format!("{} | {mode}", engine.name()), rotation);
            failures.extend(done.err());
        }
    }
    failures
}

struct Boot {
    judge: Judge,
    place: Place,
    grants: Vec<String>,
}

#[derive(Default)]
struct Seen {
    orphans: usize,
    lost: usize,
    first_retry: u64,
    resolved: u64,
    /// Intents of the dead that were still there when nobody waited for them any more.
    left: usize,
    healthy_first: u64,
    healthy_longest: u64,
    healthy_refresh: u64,
    refreshed: usize,
    named: usize,
    /// Those who were told to come back, and did.
    again: usize,
    otherwise: BTreeMap<String, usize>,
    /// What the healthy were told instead of a token.
    troubles: BTreeMap<String, usize>,
}

impl Boot {
    fn new(engine: &Engine, rotation: Rotation, orphans: usize) -> Self {
        let judge = Judge::new(Judge::profile(rotation, 1));
        let place = Place::new(engine, &judge.sim);
        let grants: Vec<_> = (0..orphans).map(|nth| format!("g{nth}")).collect();
        let mut process = Process::open(&place, 0);
        judge.log_in(&mut process, &grants, |_| 0);
        judge.log_in(
            &mut process,
            &["healthy".to_owned(), "needy".to_owned()],
            |_| 0,
        );
        // From its first refresh on it is known that the provider rotates.
        process.order(&Order::Refresh {
            grants: grants.clone(),
        });
        let mut left = grants.len();
        hear(&mut process, |_, report| {
            if let Report::Got(got) = report {
                assert_eq!(got.code, None, "{got:?}");
                left -= 1;
            }
            left == 0
        });
        process.stop();
        Self {
            judge,
            place,
            grants,
        }
    }

    fn run(mut self, name: &str, rotation: Rotation) -> Result<(), String> {
        let mut seen = Seen::default();
        self.make_orphans(rotation, &mut seen);
        let since = self.judge.newest();
        let mut process = Process::start(&self.place, 0);
        process.order(&Order::Refresh {
            grants: vec!["needy".to_owned()],
        });
        let healthy = vec!["healthy".to_owned()];
        process.order(&Order::Read {
            grants: healthy,
            pause_ms: 20,
        });
        self.watch(&mut process, &mut seen);
        let retried = |event: &&Event| matches!(&event.kind, EventKind::TokenCall(_));
        let events = self.judge.sim.history_since(since);
        let first = events
            .iter()
            .filter(retried)
            .map(|event| self.judge.at(event))
            .min();
        seen.first_retry = first.map_or(u64::MAX, |at| at.saturating_sub(process.began));
        process.order(&Order::Rest);
        let wrong = self.afterwards(&mut process, &mut seen);
        drop(process);
        tell(&format!("| {name} | {seen}"));
        // Where half of them are past saving, the breaker opens and the rest is taken up by and by.
        let late = seen.resolved > RESOLVED && seen.lost == 0
            || seen.first_retry > FIRST
            || !seen.troubles.is_empty();
        // What could not be saved may be called otherwise where so many look like an outage.
        let saved = seen.refreshed + seen.lost >= seen.orphans;
        if wrong.is_none() && !late && saved && seen.healthy_first < FIRST {
            return Ok(());
        }
        let kept = self.place.keep();
        let wrong = wrong.unwrap_or_default();
        Err(format!(
            "{name}: {seen}\n{wrong}\nkept in {}",
            kept.display()
        ))
    }

    /// Kills a process while it has presented all of its grants' tokens and got no answer.
    fn make_orphans(&self, rotation: Rotation, seen: &mut Seen) {
        let sim = &self.judge.sim;
        let since = self.judge.newest();
        // Where nobody could save an answer that the provider has given, half of them are not given.
        let given = if rotation == Rotation::Strict {
            0.5
        } else {
            1.0
        };
        sim.script(Fault::share(
            Target::TokenRefresh,
            given,
            Action::HoldAnswer,
        ));
        sim.script(Fault::share(Target::TokenRefresh, 1.0, Action::Hang));
        let mut process = Process::open(&self.place, 0);
        process.order(&Order::Refresh {
            grants: self.grants.clone(),
        });
        until("all are presented", || {
            let calls = |event: &Event| matches!(event.kind, EventKind::TokenCall(_));
            let events = sim.history_since(since);
            events.into_iter().filter(calls).count() >= self.grants.len()
        });
        process.kill();
        sim.clear_scripts();
        sim.release();
        wait_for_the_dead(sim);
        let rows = self.place.rows_at_rest();
        seen.orphans = rows.values().filter(|row| row.armed).count();
        let verdicts = sim.oracle();
        let lost = |grant| {
            verdicts
                .iter()
                .any(|it| it.grant == grant && it.verdict != Verdict::Safe)
        };
        let events = sim.history_since(since);
        let calls = events.into_iter().filter_map(|event| match event.kind {
            EventKind::TokenCall(call) if call.committed => call.grant,
            _ => None,
        });
        seen.lost = calls.filter(|grant| lost(*grant)).count();
    }

    /// Hears the healthy grants until no intent of the dead is left, or for twice as long as it may take.
    fn watch(&self, process: &mut Process, seen: &mut Seen) {
        let end = Instant::now() + Duration::from_micros(2 * RESOLVED);
        let mut needy = false;
        seen.resolved = u64::MAX;
        while Instant::now() < end && (seen.resolved == u64::MAX || !needy) {
            while let Some(report) = process.next_by(Instant::now() + Duration::from_millis(10)) {
                let Report::Got(got) = report else { continue };
                if let Some(code) = got.code {
                    *seen.troubles.entry(code).or_default() += 1;
                }
                match (got.op, &got.token) {
                    (Op::Token, _) => {
                        let took = got.ended - got.began;
                        seen.healthy_longest = seen.healthy_longest.max(took);
                    }
                    (Op::Refresh, None) => {
                        let grants = vec!["needy".to_owned()];
                        process.order(&Order::Refresh { grants });
                    }
                    (Op::Refresh, Some(_)) => {
                        (needy, seen.healthy_refresh) = (true, got.ended - process.began);
                    }
                }
                if got.op == Op::Token && seen.healthy_first == 0 {
                    seen.healthy_first = got.ended - process.began;
                }
            }
            let at = now();
            let orphaned = |(name, row): &(String, Row)| row.armed && self.grants.contains(name);
            seen.left = self.place.rows().into_iter().filter(orphaned).count();
            if seen.resolved == u64::MAX && seen.left == 0 {
                seen.resolved = at - process.began;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks for a refresh of each, some at a time: who is not past saving gets it. Whoever is told to come
    /// back, because the breaker was open for as long as he waited, does.
    fn afterwards(&self, process: &mut Process, seen: &mut Seen) -> Option<String> {
        let mut later = Vec::new();
        let asked = ask(process, &self.grants, seen, &mut later);
        asked.or_else(|| {
            seen.again = later.len();
            let told = std::mem::take(&mut later);
            ask(process, &told, seen, &mut later).or_else(|| {
                let left = !later.is_empty();
                left.then(|| format!("{later:?} were told twice to come back"))
            })
        })
    }
}

fn ask(
    process: &mut Process,
    grants: &[String],
    seen: &mut Seen,
    later: &mut Vec<String>,
) -> Option<String> {
    for some in grants.chunks(20) {
        process.order(&Order::Refresh {
            grants: some.to_vec(),
        });
        let end = Instant::now() + LONGEST;
        let mut left = some.len();
        while left > 0 {
            let Some(report) = process.next_by(end) else {
                return Some(format!("{left} refreshes did not end"));
            };
            let Report::Got(Got {
                op: Op::Refresh,
                code,
                grant,
                ..
            }) = report
            else {
                continue;
            };
            left -= usize::from(grant != "needy");
            match code.as_deref() {
                None => seen.refreshed += 1,
                Some("reauthorize_answer_lost") => seen.named += 1,
                Some("still_refreshing") if grant != "needy" => later.push(grant),
                Some(code) => *seen.otherwise.entry(code.to_owned()).or_default() += 1,
            }
        }
    }
    None
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |micros| {
            if micros == u64::MAX {
                "never".to_owned()
            } else {
                millis(micros)
            }
        };
        write!(
            f,
            "{} | {} | {} | {} | {} | {} | {} | {} | {:?} | {} | {} | {} | {:?} |",
            self.orphans,
            self.lost,
            time(self.first_retry),
            time(self.resolved),
            self.left,
            time(self.healthy_first),
            time(self.healthy_longest),
            time(self.healthy_refresh),
            self.troubles,
            self.refreshed,
            self.named,
            self.again,
            self.otherwise,
        )
    }
}
