//! Opens the browser, in a process of its own that inherits nothing of refrain's environment.

use std::{
    env,
    process::{Command, Stdio},
    thread,
};

use tokio::sync::mpsc;

use super::Input;
use crate::{
    child,
    report::{Exit, Explanation},
};

/// Opens the user's browser; says so where there is none. A thread of its own: a browser in the terminal
/// blocks until its user leaves it.
pub(super) fn open(url: String, inputs: mpsc::Sender<Input>) {
    thread::spawn(move || {
        if !started(&url) {
            // The login may be over.
            drop(inputs.blocking_send(Input::NoBrowser));
        }
    });
}

/// Starts this program again, as `refrain open-browser URL`. A browser keeps its environment for as long
/// as it runs and hands it on to whatever it starts, so no secret may stand in it.
fn started(url: &str) -> bool {
    let Ok(own) = env::current_exe() else {
        return false;
    };
    let mut command = Command::new(own);
    child::clean(&mut command);
    // What the browser prints is not refrain's output.
    let status = command
        .arg("open-browser")
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// `refrain open-browser URL`: opens the browser from an environment that has been cleaned.
pub(in crate::command) fn run(url: &str) -> Result<(), Explanation> {
    webbrowser::open(url).map_err(|error| Explanation {
        code: "no_browser",
        what: format!("no browser could be started: {error}"),
        safe: "nothing was changed".to_owned(),
        fix: "open the address by hand".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    })
}
