//! The address that the browser ended on, pasted by hand.

use std::{io::BufRead as _, thread};

use tokio::sync::mpsc;

use super::Input;

/// Passes on the lines of standard input. A thread of its own, which nobody waits for at the end: a read
/// from a terminal cannot be called off.
pub(super) fn listen(inputs: mpsc::Sender<Input>) {
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if inputs.blocking_send(Input::Line(line)).is_err() {
                return;
            }
        }
        drop(inputs.blocking_send(Input::End));
    });
}

/// The query of a pasted address, or the query alone.
pub(super) fn query(line: &str) -> Option<String> {
    let line = line.trim().trim_matches(['"', '\'', '<', '>']);
    let query = match line.split_once('?') {
        Some((_, query)) => query,
        None if line.contains("state=") => line,
        None => return None,
    };
    // Browsers append `#_=_` after some redirects.
    let query = query.split('#').next().unwrap_or_default();
    Some(query.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_its_query_will_do() {
        let expected = Some("code=a&state=b".to_owned());
        for line in [
            "http://127.0.0.1:4280/callback?code=a&state=b",
            "  'https://music.example/cb?code=a&state=b#_=_' ",
            "?code=a&state=b",
            "code=a&state=b",
        ] {
            assert_eq!(query(line), expected, "{line}");
        }
        assert_eq!(query("AQBcode"), None);
        assert_eq!(query(""), None);
    }
}
