//! One cell: a process aborts or stops at a point, the next ones go on, and the oracle says what has to work.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Child,
    thread,
    time::Duration,
};

use refrain::failpoint::Point;
use refrain_sim::{Rotation, TokenCall, Verdict, fingerprint};
use rustix::process::Signal;

use crate::{
    tools::{until, wait_for_the_dead},
    world::{Home, Ran, World, finish, signal},
};

/// How many times faster than real time the processes live: a lease of 30 s is over in five, and a token call
/// still has more than a second on a machine that is busy with other things.
pub(crate) const SCALE: u32 = 6;
/// How often a login, which is not the subject here, is tried.
const LOGINS: u32 = 5;

/// What happens to a process at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It aborts.
    Abort,
    /// It stops, and goes on before or after another process has taken over.
    Stop,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Abort, Self::Stop];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Stop => "stop",
        }
    }
}

/// What became of the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It works on, without its user.
    Kept,
    /// No client could have kept the answer: called `answer_lost`.
    Lost,
    /// Stopped between the check of the lease and the end of the request, and presented after another
    /// process had: the one pause that no client can notice.
    Paused,
    /// The logout holds.
    SignedOut,
}

/// One grant in one home, broken over and over.
pub(crate) struct Victim<'a> {
    pub(crate) world: &'a World,
    pub(crate) home: &'a Home,
    pub(crate) rotation: Rotation,
    name: String,
    grant: u64,
}

impl<'a> Victim<'a> {
    pub(crate) fn new(world: &'a World, home: &'a Home, rotation: Rotation) -> Self {
        let name = "alice".to_owned();
        for _ in 0..LOGINS {
            let login = AssertUnwindSafe(|| world.login(home, &name));
            let Ok(grant) = catch_unwind(login) else {
                continue;
            };
            let victim = Self {
                world,
                home,
                rotation,
                name: name.clone(),
                grant,
            };
            // From its first refresh on it is known whether the provider rotates.
            if victim.run("refresh").exit == Some(0) {
                return victim;
            }
        }
        panic!("nobody could sign in");
    }

    fn spawn(&self, what: &str, points: &str) -> Child {
        let mut command = self.home.command(&["--json", what, &self.name]);
        command.env("REFRAIN_TIME_SCALE", SCALE.to_string());
        if !points.is_empty() {
            command.env("REFRAIN_FAILPOINTS", points);
        }
        command.spawn().unwrap()
    }

    fn run(&self, what: &str) -> Ran {
        finish(self.spawn(what, ""))
    }

    /// Runs one cell; `taken_over` says whether another process comes while one is stopped.
    pub(crate) fn cell(
        &self,
        point: Point,
        kind: Kind,
        taken_over: bool,
    ) -> Result<Outcome, String> {
        let since = self.world.newest();
        if point == Point::BootIntentScan {
            // Something to find: a process that has died with its answer on the way.
            self.world_ends(&finish(self.spawn("refresh", "send.done=abort")))?;
        }
        let what = if point == Point::LogoutAfterDurable {
            "logout"
        } else {
            "refresh"
        };
        let child = self.spawn(what, &format!("{point}={}", kind.word()));
        match kind {
            Kind::Abort => self.world_ends(&finish(child))?,
            Kind::Stop => self.stop(child, what, taken_over)?,
        }
        if point == Point::LogoutAfterDurable {
            return self.signed_out();
        }
        self.aftermath(since, point, taken_over && kind == Kind::Stop)
    }

    /// Only SIGABRT leaves no exit code here: whoever ends otherwise was never at the point.
    fn world_ends(&self, ran: &Ran) -> Result<(), String> {
        wait_for_the_dead(&self.world.sim);
        match ran.exit {
            None => Ok(()),
            Some(_) => Err(format!("an empty cell: it has not aborted: {ran:?}")),
        }
    }

    fn stop(&self, mut child: Child, what: &str, taken_over: bool) -> Result<(), String> {
        let mut ended = false;
        until("it stops or ends", || {
            ended = child.try_wait().unwrap().is_some();
            ended || is_stopped(child.id())
        });
        if ended {
            let ran = finish(child);
            return Err(format!("an empty cell: it has not stopped: {ran:?}"));
        }
        if taken_over {
            let begun = self.run(what);
            // Whoever waits is told after 15 s of his time, and the refresh goes on behind his back.
            let told = ["", "still_refreshing", "signed_out"];
            let lost = begun.exit == Some(3) || begun.code() == "refused_early";
            if !told.contains(&begun.code().as_str()) && !lost {
                signal(&child, Signal::KILL);
                return Err(format!("the one who takes over: {begun:?}"));
            }
        } else {
            thread::sleep(Duration::from_millis(150));
        }
        signal(&child, Signal::CONT);
        let ran = finish(child);
        if ran.exit.is_none() {
            return Err(format!("resumed, and died: {ran:?}"));
        }
        wait_for_the_dead(&self.world.sim);
        Ok(())
    }

    fn signed_out(&self) -> Result<Outcome, String> {
        let (token, again) = (self.run("token"), self.run("refresh"));
        for ran in [token, again] {
            if ran.code() != "signed_out" {
                return Err(format!("after a logout: {ran:?}"));
            }
        }
        Ok(Outcome::SignedOut)
    }

    /// Works on as the next user of this grant would.
    fn aftermath(&self, since: u64, point: Point, overtaken: bool) -> Result<Outcome, String> {
        let world = self.world;
        let calls = world.calls_since(since, self.grant);
        let verdict = world.verdict(self.grant);
        let before = world.newest();
        let (token, refresh) = (self.run("token"), self.run("refresh"));
        let after = world.calls_since(before, self.grant);
        let report = |what: &str| {
            format!(
                "{what}\noracle: {verdict:?}\ncalls: {calls:#?}\ntoken: {token:?}\nrefresh: {refresh:?}\n\
                 then: {after:#?}"
            )
        };
        let most = if overtaken { 2 } else { 1 };
        if calls.iter().any(|call| call.concurrent > most) {
            return Err(report("two presentations at a time"));
        }
        // An access token lives for an hour, whatever becomes of its refresh token.
        let all = world.calls_since(0, self.grant);
        if token.exit == Some(0) {
            let served = fingerprint(&token.access_token());
            let known = |call: &TokenCall| call.issued_access.as_ref() == Some(&served);
            if !all.iter().any(known) {
                return Err(report("a token was served that nobody issued"));
            }
        }
        if refresh.exit == Some(0) {
            return Ok(Outcome::Kept);
        }
        let committed = calls.iter().rfind(|call| call.committed);
        let stored = committed.is_some_and(|call| holds(call, &token, &after));
        let code = refresh.code();
        let replayed = matches!(verdict, Verdict::Dead(_)) && overtaken && on_the_wire(point);
        if replayed && ["reauthorize_answer_lost", "refused_early"].contains(&code.as_str()) {
            return Ok(Outcome::Paused);
        }
        let must_work = verdict == Verdict::Safe || stored || committed.is_none();
        if must_work {
            return Err(report("an avoidable loss"));
        }
        if code != "reauthorize_answer_lost" || !self.rotation.rotates() {
            return Err(report("not the way in which a lost answer is told"));
        }
        Ok(Outcome::Lost)
    }
}

/// Whether what came of a call is what is served, or was presented next.
fn holds(call: &TokenCall, token: &Ran, after: &[TokenCall]) -> bool {
    let served = (token.exit == Some(0)).then(|| fingerprint(&token.access_token()));
    let presented = after.first().and_then(|call| call.presented.clone());
    served == call.issued_access
        || call.issued_refresh.is_some() && presented == call.issued_refresh
}

/// Whether a process that stops here may present, or be answered, after its lease has ended.
fn on_the_wire(point: Point) -> bool {
    (Point::SendPartial..Point::CommitUnknown).contains(&point)
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    state.trim_start().starts_with('T')
}
