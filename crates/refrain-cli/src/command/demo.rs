//! `refrain demo`: the whole job on a simulated Spotify, in front of whoever watches.
//!
//! Everything but Spotify and the passing of hours is real: this library, its SQLite file and key,
//! HTTP over loopback, processes of this very program. Each scene says what is promised, does it, and
//! checks what the simulator and the store have seen of it.

mod folder;
mod kept;
mod scenes;
mod stage;
mod voice;

use std::{error::Error, path::Path, pin::Pin};

use refrain::time::{Clock as _, SystemClock};
use serde::Serialize;
use tracing::subscriber::NoSubscriber;

use self::{
    folder::Folder,
    kept::{Kept, Served},
    scenes::SCENES,
    stage::Stage,
    voice::{Notes, Voice},
};
use super::sim::Stop;
use crate::{
    args::{DemoArgs, GlobalArgs},
    output,
    report::{self, Exit, Explanation},
};

/// Why a scene could not be played to its end.
type Failure = Box<dyn Error + Send + Sync>;

/// What a scene saw, in a few words.
type Seen = Result<String, Failure>;

/// A scene that is going on.
type Playing<'a> = Pin<Box<dyn Future<Output = Seen> + 'a>>;

/// One scene: what is told, what is promised, and how it is tried.
struct Scene {
    title: &'static str,
    story: &'static str,
    promise: &'static str,
    play: for<'a> fn(&'a Stage, &'a mut Notes) -> Playing<'a>,
}

const OPENING: &str = "A program that uses Spotify holds two secrets for each user: an access token, \
    which works for an hour, and a refresh token, which gets the next one. Spotify may replace the \
    refresh token whenever it is used. Whoever then loses the new one, or shows the old one, has to \
    ask the user to log in again. refrain is there so that this does not happen.";

const REALITY: &str = "Real in this demo: this program, its SQLite file and key, HTTP on this machine. \
    Simulated: Spotify, in its strictest mode, where an old refresh token shown once ends the whole \
    login; and the waiting, because the clock is moved forward by hand.";

const NEXT: &str = "
 Everything that the demo made is removed now. What next:
   refrain init       set it up for your own Spotify app
   refrain login      let a user sign in
   refrain --help     all commands; `refrain man | man -l -` is the manual

";

/// A row of the last table.
#[derive(Serialize)]
struct Row {
    scene: &'static str,
    promise: &'static str,
    seen: String,
    holds: bool,
    broken: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    holds: bool,
    millis: u128,
    scenes: &'a [Row],
    kept: Option<Kept>,
}

pub(super) fn run(global: &GlobalArgs, args: &DemoArgs) -> Result<(), Explanation> {
    // The library's own warnings would stand between the scenes; all of this runs on this thread.
    let quiet = global.verbose == 0 && std::env::var_os("REFRAIN_LOG").is_none();
    let _quiet = quiet.then(|| tracing::subscriber::set_default(NoSubscriber::default()));
    let folder = Folder::make()?;
    let played = super::block_on(async {
        // From here on a signal does not kill the process, so that the folder goes whatever happens.
        let mut stop = Stop::listen()?;
        let demo = perform(folder.path(), global.json, args.keep);
        let (held, stage, served) = tokio::select! {
            result = Box::pin(demo) => result?,
            () = stop.asked() => {
                return Err(Explanation::interrupted("interrupted: nothing is left behind"));
            }
        };
        if let Some(served) = served {
            stop.asked().await;
            served.end().await;
        }
        drop(stage);
        held
    });
    // After everything that had a file open in it.
    drop(folder);
    played
}

/// How it ended: whether all promises held, the stage, which is still standing, and the server that stays.
type Ended = (Result<(), Explanation>, Stage, Option<Served>);

/// Plays the scenes.
async fn perform(folder: &Path, json: bool, keep: bool) -> Result<Ended, Explanation> {
    let voice = Voice::new(json);
    let clock = SystemClock::new();
    let began = clock.uptime();
    voice.opening("refrain demo", &[OPENING, REALITY]);
    let stage = Stage::set(folder).await.map_err(|error| not_set(&*error))?;
    let mut rows = Vec::new();
    for (number, scene) in (1..).zip(&SCENES) {
        voice.pause().await;
        voice.scene(number, scene.title, scene.story);
        voice.pause().await;
        let mut notes = voice.notes();
        let seen = (scene.play)(&stage, &mut notes)
            .await
            .unwrap_or_else(|error| {
                let why = report::with_causes(&*error);
                notes.check(false, &format!("the scene broke off: {why}"));
                why
            });
        let broken = notes.into_broken();
        let (title, promise, holds) = (scene.title, scene.promise, broken.is_empty());
        rows.push(Row {
            scene: title,
            promise,
            seen,
            holds,
            broken,
        });
    }
    voice.pause().await;
    let (kept, served) = if keep {
        let (kept, served) = keep_up(&stage).await.map_err(|error| not_set(&*error))?;
        (Some(kept), Some(served))
    } else {
        (None, None)
    };
    let took = clock.uptime().since(began);
    voice.table(&rows, took.as_secs_f64());
    match &kept {
        Some(kept) => voice.say(&kept.tell()),
        None => voice.say(NEXT),
    }
    let held = judge(&rows);
    if json {
        let millis = took.as_millis();
        output::json(&Json {
            holds: held.is_ok(),
            millis,
            scenes: &rows,
            kept,
        })?;
    }
    Ok((held, stage, served))
}

async fn keep_up(stage: &Stage) -> Result<(Kept, Served), Failure> {
    let (served, dashboard_url) = Served::start(stage).await?;
    let kept = Kept::of(stage, dashboard_url).await?;
    Ok((kept, served))
}

fn judge(rows: &[Row]) -> Result<(), Explanation> {
    let broken: Vec<_> = rows
        .iter()
        .filter(|row| !row.holds)
        .map(|row| row.scene)
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Explanation {
        code: "demo_failed",
        what: format!("not everything was as promised in: {}", broken.join("; ")),
        safe: "the demo has accounts, tokens and a store of its own; yours were not touched"
            .to_owned(),
        fix: "run it again; if it fails again, report it with what it printed".to_owned(),
        retry_at: None,
        exit: Exit::Api,
    })
}

fn not_set(error: &(dyn Error + 'static)) -> Explanation {
    Explanation {
        code: "demo_not_started",
        what: format!(
            "the demo could not be set up: {}",
            report::with_causes(error)
        ),
        safe: "nothing is left behind".to_owned(),
        fix: "see that this user may write to the temporary folder and listen on 127.0.0.1"
            .to_owned(),
        retry_at: None,
        exit: Exit::Storage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scene: &'static str, holds: bool) -> Row {
        Row {
            scene,
            promise: "p",
            seen: String::new(),
            holds,
            broken: Vec::new(),
        }
    }

    #[test]
    fn one_scene_that_does_not_hold_is_named_and_ends_in_exit_1() {
        assert_eq!(judge(&[row("a", true), row("b", true)]), Ok(()));
        let error = judge(&[row("a", true), row("b", false)]).unwrap_err();
        assert_eq!((error.exit, error.code), (Exit::Api, "demo_failed"));
        assert!(error.what.ends_with("in: b"), "{}", error.what);
    }

    #[test]
    fn a_check_that_fails_is_kept_for_the_table() {
        let mut notes = Voice::new(true).notes();
        notes.check(true, "one");
        notes.check(false, "two");
        assert_eq!(notes.into_broken(), ["two"]);
    }
}
