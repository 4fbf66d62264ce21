//! The simulator as the judge, and the books that it keeps of every chain of tokens.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use refrain_sim::{App, Event, EventKind, Profile, Rotation, Sim, TokenCall, User};
use tokio::runtime::Runtime;

use crate::{
    process::Process,
    tools::LONGEST,
    wire::{Order, Report, now},
};

pub const MODES: [(&str, Rotation); 6] = [
    ("static", Rotation::Static),
    ("omit", Rotation::Omit),
    ("grace", Rotation::Grace { seconds: 30 }),
    ("until-used", Rotation::UntilUsed),
    ("strict", Rotation::Strict),
    ("family-kill", Rotation::FamilyKill),
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// Runs something on the runtime of the simulators.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// One simulator.
pub struct Judge {
    pub sim: Sim,
    /// When its own clock began, on the machine's.
    began: u64,
}

impl Judge {
    pub fn new(profile: Profile) -> Self {
        let began = now();
        let sim = block_on(Sim::start(profile)).unwrap();
        Self { sim, began }
    }

    /// A profile with several apps of their own: what is known about one app as a whole, its breaker
    /// above all, stays with its few grants.
    pub fn profile(rotation: Rotation, apps: usize) -> Profile {
        let app = |nth: usize| {
            let id = format!("{:032x}", nth + 1);
            App::confidential(id.as_str(), id.as_str())
        };
        Profile {
            apps: (0..apps).map(app).collect(),
            ..Profile::rotating(rotation)
        }
    }

    /// When something happened, on the machine's clock.
    pub fn at(&self, event: &Event) -> u64 {
        self.began + event.real_us
    }

    /// The number of the newest event.
    pub fn newest(&self) -> u64 {
        self.sim.history().last().map_or(0, |event| event.seq)
    }

    /// A user of the grant's own name agrees; answers the query of the callback.
    pub fn consent(&self, grant: &str, url: &str) -> String {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap();
        self.sim.add_user(User::new(grant));
        assert!(self.sim.sign_in_as(grant));
        let location = self.sim.consent(url).unwrap();
        location.split_once('?').unwrap().1.to_owned()
    }

    /// Signs many in, several at a time.
    pub fn log_in(&self, process: &mut Process, grants: &[String], app: impl Fn(usize) -> usize) {
        const AT_ONCE: usize = 16;
        let order = |process: &mut Process, nth: usize| {
            if let Some(grant) = grants.get(nth) {
                let (grant, app) = (grant.clone(), format!("app{}", app(nth)));
                process.order(&Order::Login { grant, app });
            }
        };
        for nth in 0..AT_ONCE {
            order(process, nth);
        }
        let mut done = 0;
        while done < grants.len() {
            match process.next() {
                Report::Begun { grant, url } => {
                    let query = self.consent(&grant, &url);
                    process.order(&Order::Finish { grant, query });
                }
                Report::LoggedIn { grant, code, .. } => {
                    assert_eq!(code, None, "login of {grant}");
                    order(process, done + AT_ONCE);
                    done += 1;
                }
                other => panic!("while logging in: {other:?}"),
            }
        }
    }
}

/// What was issued to one consent.
#[derive(Debug, Default, Clone)]
pub struct Chain {
    /// The fingerprints of its access tokens, oldest first; the exchange's is the first.
    pub access: Vec<String>,
    /// Token calls since the exchange.
    pub calls: Vec<TokenCall>,
    /// Those that presented another token than the newest of its time.
    pub stale: Vec<String>,
    /// The newest refresh token.
    newest: Option<String>,
}

impl Chain {
    /// How many refreshes the provider has carried out.
    pub fn refreshed(&self) -> usize {
        self.access.len() - 1
    }

    /// Which access token of the chain this is; the exchange's is 0.
    pub fn rank(&self, token: &str) -> Option<usize> {
        self.access.iter().rposition(|it| it == token)
    }
}

/// Every chain by its number, read off the history as it grows.
#[derive(Debug, Default)]
pub struct Books {
    read: u64,
    pub chains: BTreeMap<u64, Chain>,
}

impl Books {
    /// Reads what has happened since.
    pub fn update(&mut self, sim: &Sim) {
        for event in sim.history_since(self.read) {
            self.read = event.seq;
            let EventKind::TokenCall(call) = event.kind else {
                continue;
            };
            let Some(grant) = call.grant else { continue };
            let chain = self.chains.entry(grant).or_default();
            chain.access.extend(call.issued_access.clone());
            if call.grant_type == "refresh_token" {
                if call.presented != chain.newest {
                    chain.stale.extend(call.presented.clone());
                }
                chain.calls.push(call.clone());
            }
            chain.newest = call.issued_refresh.or(chain.newest.take());
        }
    }
}

/// Waits for reports until enough was said, and hands each on.
#[track_caller]
pub fn hear(process: &mut Process, mut each: impl FnMut(&mut Process, Report) -> bool) {
    let end = Instant::now() + LONGEST;
    while let Some(report) = process.next_by(end) {
        if each(process, report) {
            return;
        }
    }
    panic!("a worker did not say what it had to");
}

/// Milliseconds, for people.
pub fn millis(micros: u64) -> String {
    format!("{:.1}", Duration::from_micros(micros).as_secs_f64() * 1e3)
}

/// The value that so many hundredths lie below; sorts.
pub fn percentile(values: &mut [u64], hundredths: usize) -> u64 {
    values.sort_unstable();
    let place = values.len() * hundredths / 100;
    let last = values.len().saturating_sub(1);
    values.get(place.min(last)).copied().unwrap_or(0)
}
