//! Randomness as a parameter, so that a test can replay a run.

use std::fmt;

/// The operating system could not supply randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system supplied no randomness")]
pub struct RandomError {
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl RandomError {
    /// That of another source than the operating system's.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

/// A source of unpredictable bytes.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator, asked anew each time: a forked or cloned machine repeats nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(RandomError::new)
    }
}

/// `N` fresh bytes.
pub fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    let mut buffer = [0; N];
    random.fill(&mut buffer)?;
    Ok(buffer)
}
