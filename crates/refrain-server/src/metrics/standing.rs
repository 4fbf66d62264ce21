//! What is not counted as it happens but looked at when somebody asks: grants, gates, and how refreshes
//! ended.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use refrain::{
    Summary,
    lifecycle::Status,
    limit::{Gate, Kind},
    store::Unreadable,
    time::{Moment, UnixMillis, Uptime},
};

/// Grants are read from the store no more often than this.
const CENSUS: Duration = Duration::from_secs(60);
/// What they can be, in words; told also where there is none.
const STATUSES: [&str; 5] = ["active", "suspect", "reauthorize", "signed_out", UNREADABLE];
/// The row in the store is damaged.
const UNREADABLE: &str = "unreadable";

/// The newest look.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<Look>);

#[derive(Debug, Default)]
struct Look {
    census: Option<Census>,
    /// When somebody last set out to read the grants.
    begun: Option<Uptime>,
    refreshes: Vec<(&'static str, u64)>,
    gates: BTreeMap<&'static str, i64>,
    now: Option<UnixMillis>,
}

/// How many grants there are.
#[derive(Debug)]
pub(crate) struct Census {
    by_status: BTreeMap<&'static str, i64>,
    /// The nearest day on which somebody has to log in again, or may have to.
    nearest: Option<UnixMillis>,
    at: UnixMillis,
}

impl Census {
    /// Of no grants yet.
    pub(crate) fn begun(at: UnixMillis) -> Self {
        Self {
            by_status: STATUSES.into_iter().map(|it| (it, 0)).collect(),
            nearest: None,
            at,
        }
    }

    /// Counts a grant.
    pub(crate) fn add(&mut self, grant: &Result<Summary, Unreadable>) {
        let status = grant.as_ref().map_or(UNREADABLE, |it| it.status.word());
        let count = self.by_status.entry(status).or_default();
        *count = count.saturating_add(1);
        let Ok(grant) = grant else { return };
        if let (Status::Active | Status::Suspect(_), Some(consent)) = (&grant.status, grant.consent)
        {
            let day = consent.reauthorize_by;
            self.nearest = Some(self.nearest.map_or(day, |nearest| nearest.min(day)));
        }
    }
}

impl Standing {
    /// Whether it is time to read the grants; whoever is told so does it.
    pub(crate) fn is_due(&self, now: Uptime) -> bool {
        let mut look = self.look();
        let due = look.begun.is_none_or(|begun| now.since(begun) >= CENSUS);
        if due {
            look.begun = Some(now);
        }
        due
    }

    /// Takes over what the store has of the grants.
    pub(crate) fn counted(&self, census: Census) {
        self.look().census = Some(census);
    }

    /// Takes over what this process knows by itself.
    pub(crate) fn looked(&self, refreshes: Vec<(&'static str, u64)>, gates: &[Gate], now: &Moment) {
        let mut closed = BTreeMap::from([(Kind::Rate.word(), 0), (Kind::Quota.word(), 0)]);
        for gate in gates.iter().filter(|it| !it.remaining(now).is_zero()) {
            let count: &mut i64 = closed.entry(gate.kind().word()).or_default();
            *count = count.saturating_add(1);
        }
        let mut look = self.look();
        look.refreshes = refreshes;
        look.gates = closed;
        look.now = Some(now.wall);
    }

    fn look(&self) -> std::sync::MutexGuard<'_, Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let look = self.look();
        let refreshes = look.refreshes.iter();
        family(
            &mut encoder,
            ("refreshes", "Refreshes of this process, by outcome"),
            "outcome",
            refreshes.map(|(word, count)| (*word, ConstCounter::new(*count))),
        )?;
        let gates = look.gates.iter();
        family(
            &mut encoder,
            ("gates_closed", "Limits of the Web API that are in force"),
            "kind",
            gates.map(|(word, count)| (*word, ConstGauge::new(*count))),
        )?;
        let Some(census) = &look.census else {
            return Ok(());
        };
        let grants = census.by_status.iter();
        family(
            &mut encoder,
            ("grants", "Grants in the store, by status"),
            "status",
            grants.map(|(word, count)| (*word, ConstGauge::new(*count))),
        )?;
        let now = look.now.unwrap_or(census.at);
        let age = now.since(census.at);
        let (name, help) = ("grants_read", "How long ago the grants were counted");
        seconds(&mut encoder, name, help, age.as_secs())?;
        let Some(nearest) = census.nearest else {
            return Ok(());
        };
        let (name, help) = (
            "reauthorize",
            "Until the first grant needs a new login, or may need one; 0 where one is overdue",
        );
        seconds(&mut encoder, name, help, nearest.since(now).as_secs())
    }
}

fn seconds(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), fmt::Error> {
    let unit = Unit::Seconds;
    let encoder = encoder.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
    ConstGauge::new(value).encode(encoder)
}

/// Values that differ by one label.
fn family<'a, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &'static str,
    values: impl Iterator<Item = (&'a str, M)>,
) -> Result<(), fmt::Error> {
    let mut values = values.peekable();
    let Some((_, first)) = values.peek() else {
        return Ok(());
    };
    let kind = first.metric_type();
    let mut encoder = encoder.encode_descriptor(name, help, None, kind)?;
    for (word, value) in values {
        value.encode(encoder.encode_family(&[(label, word)])?)?;
    }
    Ok(())
}
