//! A log canary: while a client secret goes out, everything that this process could log is listened to, and
//! the secret must not be in it, in no form that it has on its way.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use refrain::{config::App, secret::ClientSecret};
use tracing_subscriber::{filter::LevelFilter, fmt, fmt::MakeWriter};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Finding, complaint::SECRET_IN_LOG};

const CHECK: &str = "log";

/// What was logged; wiped, because it may be what it must not be.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

/// Does something, and hears whatever is logged meanwhile, at every level and by every library.
pub(super) async fn listen<T>(work: impl Future<Output = T>) -> (Log, T) {
    let log = Log::default();
    let subscriber = fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // The doctor's runtime has one thread: what is spawned meanwhile is heard too.
    let heard = tracing::subscriber::set_default(subscriber);
    let done = work.await;
    drop(heard);
    (log, done)
}

pub(super) fn judge(app: &App, secret: &ClientSecret, log: &Log) -> Finding {
    let pair = Zeroizing::new(format!("{}:{}", app.client.id.as_str(), secret.expose()));
    let basic = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let mut heard = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    let holds = |text: &str| !text.is_empty() && has(&heard, text.as_bytes());
    let told = holds(secret.expose()) || holds(&basic);
    heard.zeroize();
    if told {
        let detail = format!(
            "the client secret of {} stands in the log at level trace",
            app.name
        );
        return Finding::of(CHECK, SECRET_IN_LOG, detail);
    }
    let detail = format!(
        "the client secret of {} is in no log, at any level",
        app.name
    );
    Finding::ok(CHECK, detail)
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::app, *};

    async fn code(line: &str) -> &'static str {
        let secret = ClientSecret::new("5f3a-canary");
        let (log, ()) = listen(async {
            tracing::trace!(target: "some::library", "header: {line}");
        })
        .await;
        judge(&app(secret.expose()), &secret, &log).code
    }

    #[tokio::test]
    async fn a_secret_that_is_logged_is_found_in_every_form() {
        assert_eq!(code("nothing").await, "ok");
        assert_eq!(code("5f3a-canary").await, "secret_in_log");
        let basic = STANDARD.encode("0123456789abcdef:5f3a-canary");
        assert_eq!(code(&basic).await, "secret_in_log");
    }
}
