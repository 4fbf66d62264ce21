//! Real processes on one file, by the real clock.

use std::{
    env, io,
    process::{Child, Command, Stdio},
    time::Duration,
};

use refrain::lifecycle::event::What;
use refrain_sim::{Action, Event, EventKind, Fault, Rotation, Target, Verdict};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::{
    child,
    command::demo::{
        Failure, Seen,
        stage::{HOUR, Stage},
        voice::Notes,
    },
};

const PROCESSES: usize = 4;
/// Longer than any of them may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(in crate::command::demo) async fn four(stage: &Stage, notes: &mut Notes) -> Seen {
    let short = Duration::from_secs(2);
    stage
        .sim
        .update_profile(|profile| profile.access_ttl = short);
    let signed_in = sign_in(stage).await;
    stage
        .sim
        .update_profile(|profile| profile.access_ttl = HOUR);
    signed_in?;
    sleep(short + Duration::from_millis(100)).await;
    let (before, since) = (stage.refreshes(), stage.sim.counts().refused);
    let (ended, took) = stage
        .timed(async {
            let running = (0..PROCESSES).map(|_| Process::start(stage, &["token", "bob"]));
            let running = running.collect::<Result<Vec<_>, _>>()?;
            let mut ended = Vec::new();
            for process in running {
                ended.push(process.end().await?);
            }
            Ok::<_, Failure>(ended)
        })
        .await;
    let ended = ended?;
    let calls = stage.refreshes() - before;
    let counts = stage.sim.counts();
    let refused = counts.refused - since;
    let good = ended
        .iter()
        .filter(|(status, _)| *status == Some(0))
        .count();
    notes.check(
        good == PROCESSES,
        &format!("{good} of {PROCESSES} processes printed a token, within {took} ms"),
    );
    let same = ended
        .iter()
        .all(|(_, token)| ended.first().is_some_and(|(_, it)| it == token));
    notes.check(
        calls == 1 && refused == 0 && same && counts.max_concurrent == 1,
        &format!(
            "Spotify counted {calls} token call, {refused} refusals; all printed the same token"
        ),
    );
    notes.fact("the first writes \"I am about to\" into the store; whoever sees that waits for it");
    Ok(format!(
        "{PROCESSES} processes, {calls} token call, {refused} refusals"
    ))
}

pub(in crate::command::demo) async fn killed(stage: &Stage, notes: &mut Notes) -> Seen {
    stage.sim.set_rotation(Rotation::Grace { seconds: 30 });
    let scene = killed_in_grace(stage, notes).await;
    // Whatever came of it, the next scene meets the strictest Spotify again.
    stage.sim.release();
    stage.sim.set_rotation(Rotation::FamilyKill);
    scene
}

async fn killed_in_grace(stage: &Stage, notes: &mut Notes) -> Seen {
    let newest = stage.sim.history().last().map_or(0, |event| event.seq);
    stage
        .sim
        .script(Fault::once(Target::TokenRefresh, Action::HoldAnswer));
    let victim = Process::start(stage, &["refresh", "bob"])?;
    let held = |event: &Event| matches!(event.kind, EventKind::Held { .. });
    timeout(PATIENCE, stage.sim.wait_for(newest, held)).await?;
    let pid = victim.id();
    victim.kill()?;
    stage.sim.release();
    let refrain = stage.real().await?;
    let bob = refrain.grant("bob").await?;
    let intent = bob.row().await?.intent;
    notes.check(
        intent.is_some(),
        &format!("process {pid} is dead; its note \"I am about to refresh Bob\" is in the store"),
    );
    let verdict = stage.verdict("bob")?;
    notes.check(
        verdict.verdict == Verdict::Safe,
        &format!(
            "the simulator's judgement: {} (a careful program can still go on)",
            word(&verdict)?
        ),
    );

    let next = async { Process::start(stage, &["refresh", "bob"])?.end().await };
    let (ended, took) = stage.timed(next).await;
    let (status, _) = ended?;
    notes.check(
        status == Some(0),
        &format!("the next process goes on after {took} ms: it sees that the holder is dead"),
    );
    let story = bob.story().await?;
    let told = story
        .iter()
        .any(|event| matches!(event.what, What::TookOver { .. }));
    notes.check(
        told,
        "Bob's story says who took over from whom (`refrain why bob`)",
    );
    let token = bob.access_token().await?;
    let status = stage.get("/v1/me", &token).await?;
    let verdict = stage.verdict("bob")?;
    notes.check(
        status == 200 && verdict.verdict == Verdict::Safe,
        &format!(
            "GET /v1/me → {status}; the simulator's judgement: {}",
            word(&verdict)?
        ),
    );
    refrain.close(PATIENCE).await;
    Ok(format!(
        "taken over in {took} ms, judged {}",
        word(&verdict)?
    ))
}

/// Signs Bob in by the clock of the machine.
pub(in crate::command::demo) async fn sign_in(stage: &Stage) -> Result<(), Failure> {
    let refrain = stage.real().await?;
    let login = stage.login(&refrain, "bob").await;
    refrain.close(PATIENCE).await;
    login.map(drop)
}

/// The simulator's own word for its verdict.
fn word(verdict: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_value(verdict)?;
    let word = json.get("verdict").and_then(serde_json::Value::as_str);
    Ok(word.unwrap_or("unknown").to_owned())
}

/// A process of this program; dropping it ends it.
struct Process(Child);

impl Process {
    fn start(stage: &Stage, args: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("--config").arg(&stage.config).args(args);
        // The environment of whoever watches has no say in the demo.
        child::clean(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL, which no process can do anything about.
    fn kill(mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }

    /// Waits for its end; answers its exit code and what it printed.
    async fn end(mut self) -> Result<(Option<i32>, String), Failure> {
        let ended = async {
            loop {
                if let Some(status) = self.0.try_wait()? {
                    return Ok::<_, io::Error>(status);
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        let status = timeout(PATIENCE, ended).await??;
        let mut printed = String::new();
        if let Some(stdout) = &mut self.0.stdout {
            io::Read::read_to_string(stdout, &mut printed)?;
        }
        Ok((status.code(), printed))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
