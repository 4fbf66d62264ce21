//! A message on its way to one place, and when it is tried again.

use std::{fmt, time::Duration};

use crate::{
    hex,
    id::GrantName,
    notice::{Kind, MessageId},
    seal::Sealer,
    time::UnixMillis,
};

/// How long each claim on a delivery holds, by the store's clock; longer than any try takes.
pub const LEASE: Duration = Duration::from_secs(60);
/// How long it is remembered what became of a message.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often a server says anew where it sends messages: see [`NAMED`] and [`GONE`].
pub const NAMING: Duration = Duration::from_secs(60 * 60);
/// Messages also go to places that another server has named so lately: it may have another configuration.
pub const NAMED: Duration = Duration::from_secs(2 * 60 * 60);
/// What is on its way to a place that no server has named for so long is dropped. While servers are given a new
/// configuration one by one, those of the old one run beside those of the new one.
pub const GONE: Duration = Duration::from_secs(24 * 60 * 60);
/// The pauses between tries, in seconds: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, a day.
const PAUSES: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Names a place that messages go to, in the store: a place that the configuration calls otherwise is
/// another one, and nothing that was meant for the old one goes there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(Box<str>);

impl TargetId {
    /// The name of a place: a keyed hash, because its address may be a secret.
    pub fn of(address: &str, sealer: &Sealer) -> Self {
        let hash = sealer.fingerprint("notice-target", address);
        let (start, _) = hash.split_at(16);
        Self(hex::text(start).into())
    }

    /// Reads a name back from the store; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        legal.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place that messages go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in the store.
    pub id: TargetId,
    /// What it is called in logs: the origin of a URL, or `command`.
    pub place: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// A message and one place that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Counts them; the later ones have the higher numbers.
    pub number: u64,
    /// The message.
    pub message: MessageId,
    /// What it is about.
    pub kind: Kind,
    /// The grant that it is about, if any.
    pub grant: Option<GrantName>,
    /// The message itself, in JSON.
    pub body: String,
    /// Where it goes.
    pub target: Target,
    /// When it was made.
    pub made_at: UnixMillis,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; `None` once that is over.
    pub next_at: Option<UnixMillis>,
    /// What came of the last try: `http 500`, `timed out`.
    pub outcome: Option<String>,
    /// When it arrived.
    pub delivered_at: Option<UnixMillis>,
    /// When it was given up.
    pub given_up_at: Option<UnixMillis>,
}

/// What is to become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It has arrived.
    Delivered,
    /// It is tried again at this time.
    Again(UnixMillis),
    /// It is not tried any more.
    GivenUp,
}

/// The pause after this many tries that have failed; `None` after the last. What the other side asks for
/// counts where it is longer, up to a day. `jitter` is any byte: a tenth more or less, so that those who have
/// failed together do not come back together.
pub fn pause(attempts: u32, asked: Option<Duration>, jitter: u8) -> Option<Duration> {
    let place = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let usual = Duration::from_secs(*PAUSES.get(place)?);
    let usual = usual.mul_f64(0.9 + 0.2 * f64::from(jitter) / 255.0);
    let most = Duration::from_secs(24 * 60 * 60);
    let asked = asked.map_or(Duration::ZERO, |asked| asked.min(most));
    Some(usual.max(asked))
}
