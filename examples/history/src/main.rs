//! `refrain-history FILE [GRANT]`: adds what the user of a grant listens to to an SQLite file, until it is
//! stopped.

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Duration};

use refrain::{Config, Refrain};
use refrain_history::{History, Synchroniser};
use tokio::signal::unix::{SignalKind, signal};

/// Fifty of the shortest tracks that Spotify counts take 25 minutes.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// So long a refresh that is under way may take at the end.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args = env::args_os().skip(1);
    let file = args.next().map(PathBuf::from);
    let file = file.ok_or("say where: refrain-history FILE [GRANT]")?;
    let grant = args.next().and_then(|name| name.into_string().ok());
    let grant = grant.as_deref().unwrap_or("default").parse()?;
    let every = match env::var("HISTORY_EVERY") {
        Ok(seconds) => Duration::from_secs(seconds.parse()?),
        Err(_) => EVERY,
    };
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );

    let refrain = Refrain::open(Config::load()?).await?;
    let history = History::open(&file).await?;
    let mut synchroniser = Synchroniser::new(&refrain, &grant, history, every)?;
    tracing::info!("the history of {grant} goes to {}", file.display());
    tokio::select! {
        never = synchroniser.run() => match never {},
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    refrain.close(PATIENCE).await;
    Ok(())
}
