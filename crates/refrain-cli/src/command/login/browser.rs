//! Opens the browser.

use std::thread;

use tokio::sync::mpsc;

use super::Input;

/// Opens the user's browser; says so where there is none. A thread of its own: a browser in the terminal
/// blocks until its user leaves it.
pub(super) fn open(url: String, inputs: mpsc::Sender<Input>) {
    thread::spawn(move || {
        if webbrowser::open(&url).is_err() {
            // The login may be over.
            drop(inputs.blocking_send(Input::NoBrowser));
        }
    });
}
