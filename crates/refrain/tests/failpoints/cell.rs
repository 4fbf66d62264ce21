//! One cell: a grant is brought to a point, something happens there, everything is put back to normal, and
//! the oracle says what has to work.

use std::{sync::Arc, time::Duration};

use refrain::{
    AccessToken, Error, Kind as ErrorKind,
    failpoint::{Action, Point},
    lifecycle::{GrantRow, Status, row::Reason},
    store::Store,
    time::Clock as _,
};
use refrain_sim::{TokenCall, Verdict, fingerprint};

use crate::{
    table::Outcome,
    world::{HOUR, Process, World, patiently},
};

/// What happens at a point, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Error,
    Panic,
    /// Whoever asked hangs up while the step is under way.
    Cancel,
    Jump,
}

/// How far the wall clock jumps, one after the other.
const JUMPS: [i64; 6] = [
    3_600_000,
    -3_600_000,
    31_536_000_000,
    -31_536_000_000,
    86_400_000,
    -86_400_000,
];

impl Kind {
    pub const ALL: [Self; 4] = [Self::Error, Self::Panic, Self::Cancel, Self::Jump];

    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Cancel => "cancel",
            Self::Jump => "jump",
        }
    }

    fn action(self, number: usize) -> Action {
        match self {
            Self::Error => Action::Error,
            Self::Panic => Action::Panic,
            Self::Cancel => Action::Hold,
            Self::Jump => Action::Jump(JUMPS[number % JUMPS.len()]),
        }
    }
}

/// What is broken, and for whom.
pub struct Cell<'a> {
    pub world: &'a World,
    pub point: Point,
    pub kind: Kind,
    pub number: usize,
    pub name: String,
    pub grant: u64,
}

/// How the process ended that was broken.
type Ended = Option<Result<AccessToken, Error>>;

impl<'a> Cell<'a> {
    pub async fn run(
        world: &'a World,
        stores: &[Arc<dyn Store>; 2],
        point: Point,
        kind: Kind,
        number: usize,
    ) -> Result<Outcome, String> {
        let name = format!("user{number}");
        let broken = world.process(&stores[0]);
        let grant = world.sign_in(&broken, &name).await;
        let cell = Self {
            world,
            point,
            kind,
            number,
            name,
            grant,
        };
        let fresh = world.process(&stores[1]);
        let outcome = match point {
            Point::LogoutAfterDurable => cell.logout(broken, &fresh).await,
            Point::FeedLost => cell.feed(broken, &fresh).await,
            Point::BootIntentScan => cell.boot(broken, &fresh).await,
            _ => cell.refresh(broken, &fresh).await,
        };
        world.close(fresh).await;
        outcome
    }

    fn set(&self, process: &Process) {
        let action = self.kind.action(self.number);
        process.points.set(self.point, action, 1);
    }

    /// Does what leads past the point; the caller hangs up there where that is what is to happen.
    async fn pass<T: Send + 'static>(
        &self,
        process: &Process,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<Option<T>, String> {
        let wall = self.world.time.now().wall;
        let began = self.world.time.now().uptime;
        let task = tokio::spawn(work);
        let ended = if self.kind == Kind::Cancel {
            self.reach(process).await?;
            task.abort();
            drop(task.await);
            process.points.release();
            None
        } else {
            // A panic in a caller's own task is the caller's.
            self.world.in_time(task).await.ok()
        };
        self.reach(process).await?;
        process.points.clear();
        if self.kind == Kind::Jump {
            let passed = self.world.time.now().uptime.since(began);
            self.world.time.set_wall(wall.after(passed));
        }
        Ok(ended)
    }

    /// Waits until the point has done what it does; a cell where it never does is empty.
    async fn reach(&self, process: &Process) -> Result<(), String> {
        let reached = self.world.in_time(process.points.reached(self.point));
        let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
        reached.map_err(|_| "an empty cell: the point was never reached".to_owned())
    }

    async fn refresh(&self, broken: Process, fresh: &Process) -> Result<Outcome, String> {
        self.world.pass(HOUR);
        let before = self.world.row(fresh, &self.name).await;
        self.set(&broken);
        let grant = patiently(|| broken.refrain.grant(&self.name)).await;
        let ended = self
            .pass(&broken, async move { grant.access_token().await })
            .await?;
        self.world.close(broken).await;
        self.judge(&before, ended, fresh).await
    }

    /// Holds what is left against the oracle's word.
    async fn judge(
        &self,
        before: &GrantRow,
        ended: Ended,
        fresh: &Process,
    ) -> Result<Outcome, String> {
        let verdict = self.world.verdict(self.grant);
        let calls = self.world.calls(self.grant);
        let row = self.world.row(fresh, &self.name).await;
        let next = self.world.ask(fresh, &self.name).await;
        let after = self.world.row(fresh, &self.name).await;
        let report = |what: &str| {
            let ended = ended
                .as_ref()
                .map(|it| it.as_ref().map(AccessToken::expose));
            let next = next.as_ref().map(AccessToken::expose);
            let all = self.world.calls(self.grant);
            format!(
                "{what}\noracle: {verdict:?}\nended: {ended:?}\nthen: {next:?}\nrow: {row:#?}\n\
                 after: {after:#?}\ncalls: {all:#?}"
            )
        };
        if calls.iter().any(|call| call.concurrent > 1) {
            return Err(report("two presentations at a time"));
        }
        let stored = (row.epoch, row.minting) > (before.epoch, before.minting);
        let unchanged = !moved(&calls);
        // A living process that has the answer keeps it, whatever the oracle must assume.
        let kept = self.point != Point::BootIntentScan
            && (matches!(self.kind, Kind::Cancel | Kind::Jump)
                || self.kind != Kind::Panic && self.point >= Point::ParseClassified);
        let must_work = verdict == Verdict::Safe || stored || unchanged || kept;
        if let Some(Ok(token)) = &ended {
            // Durable before used: another process has it from the store, and asks nobody.
            let same = next.as_ref().is_ok_and(|next| next.ct_eq(token));
            if !same || self.world.calls(self.grant).len() != calls.len() {
                return Err(report("a token was served that is not in the store"));
            }
        }
        match &next {
            Ok(token) => {
                if after.status != Status::Active {
                    return Err(report("a token, and a status that is not active"));
                }
                let print = fingerprint(token.expose());
                let newest = self.world.calls(self.grant);
                let newest = newest.iter().rfind(|call| call.committed);
                if newest.and_then(|call| call.issued_access.as_ref()) != Some(&print) {
                    return Err(report("not the newest token"));
                }
                self.works_on(fresh).await?;
                Ok(match ended {
                    Some(Ok(_)) => Outcome::Served,
                    _ => Outcome::Recovered,
                })
            }
            Err(_) if must_work => Err(report("an avoidable loss")),
            Err(error) => {
                let lost = Reason::AnswerLost;
                let named =
                    matches!(after.status, Status::Reauthorize { reason, .. } if reason == lost);
                if error.code() != "reauthorize_answer_lost" || !named {
                    return Err(report("not the way in which a lost answer is told"));
                }
                Ok(Outcome::Lost)
            }
        }
    }

    /// An hour later it still does.
    async fn works_on(&self, fresh: &Process) -> Result<(), String> {
        self.world.pass(HOUR);
        let grant = patiently(|| fresh.refrain.grant(&self.name)).await;
        for _ in 0..3 {
            match self.world.in_time(grant.access_token()).await {
                Ok(_) => return Ok(()),
                // Nothing is broken now, but the machine may be busy with other things.
                Err(error) if error.kind() == ErrorKind::TryLater => {}
                Err(error) => return Err(format!("the refresh after that fails: {error}")),
            }
        }
        Err("the refresh after that does not end".to_owned())
    }

    async fn logout(&self, broken: Process, fresh: &Process) -> Result<Outcome, String> {
        self.set(&broken);
        let grant = patiently(|| broken.refrain.grant(&self.name)).await;
        let held = grant.clone();
        self.pass(&broken, async move { grant.logout().await })
            .await?;
        // Within five seconds on every node, this one included.
        self.world
            .in_time(self.world.time.sleep(Duration::from_secs(5)))
            .await;
        let here = self.world.in_time(held.access_token()).await;
        let there = self.world.ask(fresh, &self.name).await;
        self.world.close(broken).await;
        let row = self.world.row(fresh, &self.name).await;
        for result in [here, there] {
            let code = result.as_ref().err().map(Error::code);
            if code != Some("signed_out") {
                return Err(format!("after a logout: {code:?}"));
            }
        }
        if row.tokens.is_some() || !matches!(row.status, Status::SignedOut { .. }) {
            return Err(format!("after a logout: {row:#?}"));
        }
        Ok(Outcome::SignedOut)
    }

    /// Another process refreshes, and the feed that would tell of it fails for one round.
    async fn feed(&self, broken: Process, fresh: &Process) -> Result<Outcome, String> {
        let world = self.world;
        let before = world.row(fresh, &self.name).await;
        let grant = patiently(|| broken.refrain.grant(&self.name)).await;
        let old = world.in_time(grant.access_token()).await.unwrap();
        // The feed has begun, and vouches for what is held.
        world
            .in_time(world.time.sleep(Duration::from_secs(3)))
            .await;
        let other = patiently(|| fresh.refrain.grant(&self.name)).await;
        self.set(&broken);
        let ended = self.pass(&broken, async move { other.refresh().await });
        ended.await?;
        world
            .in_time(world.time.sleep(Duration::from_secs(5)))
            .await;
        let heard = world.in_time(grant.access_token()).await;
        if heard.as_ref().is_ok_and(|it| it.ct_eq(&old)) {
            return Err("another's refresh was not heard of within five seconds".to_owned());
        }
        world.close(broken).await;
        self.judge(&before, Some(heard), fresh).await
    }

    /// A process dies with its answer on the way; the next one breaks while it looks for that.
    async fn boot(&self, starting: Process, fresh: &Process) -> Result<Outcome, String> {
        let world = self.world;
        world.pass(HOUR);
        let before = world.row(fresh, &self.name).await;
        let store = world.store().await;
        let dead = world.process(&store);
        dead.points.set(Point::SendDone, Action::Drop, 1);
        let asked = world.ask(&dead, &self.name).await;
        let owner = world.row(fresh, &self.name).await.intent.map(|it| it.owner);
        let owner = owner.ok_or_else(|| format!("no orphan: {:?}", asked.err()))?;
        let gone = Arc::downgrade(&store);
        drop((dead, store));
        // Its tasks let go of it when they next look; a file that is written before that goes with it.
        world.until(|| gone.strong_count() == 0).await;
        world.bury(owner);
        self.set(&starting);
        let refrain = starting.refrain.clone();
        let done = self.pass(&starting, async move {
            refrain.take_up_orphans();
            refrain.close(Duration::from_secs(60)).await
        });
        done.await?;
        world.close(starting).await;
        self.judge(&before, None, fresh).await
    }
}

/// Whether the provider has carried a refresh out since the one that was used.
fn moved(calls: &[TokenCall]) -> bool {
    let committed = calls.iter().filter(|call| call.committed);
    committed.count() > 2
}
