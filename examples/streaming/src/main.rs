//! `refrain-streaming [GRANT]`: keeps a player connected until it is stopped.

use std::{error::Error, process::ExitCode, time::Duration};

use refrain::{Config, Refrain};
use refrain_streaming::Feeder;
use tokio::signal::unix::{SignalKind, signal};

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
    let grant = std::env::args().nth(1);
    let grant = grant.as_deref().unwrap_or("default").parse()?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let refrain = Refrain::open(Config::load()?).await?;
    #[cfg(feature = "librespot")]
    let connection = refrain_streaming::real::Librespot::default();
    #[cfg(not(feature = "librespot"))]
    let connection = refrain_streaming::pretended::Pretended(Duration::from_secs(3));
    let mut feeder = Feeder::new(&refrain, &grant, connection);
    tokio::select! {
        never = feeder.run() => match never {},
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    refrain.close(Duration::from_secs(10)).await;
    Ok(())
}
