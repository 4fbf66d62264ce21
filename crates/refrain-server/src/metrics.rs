//! What is counted: atomics of this process, told as OpenMetrics at `/metrics`. No name of a grant, a key
//! or a user is in it.

pub(crate) mod standing;

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use refrain::{limit::Kind, notice};

pub(crate) use self::standing::Standing;
use crate::{
    proxy::upstream::UpstreamError,
    route::table::{Entry, TABLE},
};

/// `Content-Type` of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Statuses by their first digit, as they are told.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Seconds; the API takes between a twentieth and most of a minute.
const BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// All counters; each is found without a lock.
pub(crate) struct Metrics {
    registry: Registry,
    standing: std::sync::Arc<Standing>,
    /// By the place in the route table, the last for what is not in it; then by class.
    requests: Vec<[Counter; CLASSES.len()]>,
    tokens: Counter,
    repairs: Counter,
    limited: [Counter; 2],
    upstream_errors: [Counter; 3],
    notices: [Counter; notice::Kind::ALL.len()],
    deliveries: [Counter; 3],
    request_seconds: Histogram,
    upstream_seconds: Histogram,
}

/// What came of a try to deliver a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It has arrived.
    Delivered,
    /// It is tried again.
    Failed,
    /// It is not.
    GivenUp,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("refrain");
        let standing = std::sync::Arc::new(Standing::default());
        registry.register_collector(Box::new(std::sync::Arc::clone(&standing)));
        let requests = requests(&mut registry);
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let seconds = |registry: &mut Registry, name: &str, help: &str| {
            let histogram = Histogram::new(BUCKETS);
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        Self {
            requests,
            tokens: counter(&mut registry, "tokens_given", "Access tokens given out"),
            repairs: counter(
                &mut registry,
                "repairs",
                "Requests to the Web API whose token was rejected and replaced",
            ),
            limited: family(
                &mut registry,
                "limited",
                "Requests answered 429 without asking the Web API",
                ["rate", "quota"].map(|kind| [("kind", kind)]),
            ),
            upstream_errors: family(
                &mut registry,
                "upstream_errors",
                "Requests that the Web API gave no answer to",
                ["unreachable", "broken", "silent"].map(|kind| [("kind", kind)]),
            ),
            notices: family(
                &mut registry,
                "notices",
                "Messages made about grants",
                notice::Kind::ALL.map(|kind| [("kind", kind.word())]),
            ),
            deliveries: family(
                &mut registry,
                "notice_deliveries",
                "Tries to deliver a message",
                ["delivered", "failed", "given_up"].map(|result| [("result", result)]),
            ),
            request_seconds: seconds(
                &mut registry,
                "proxy_request_duration",
                "From a request for the Web API to the head of its answer, repairs included",
            ),
            upstream_seconds: seconds(
                &mut registry,
                "proxy_upstream_duration",
                "From sending to the Web API to the head of its answer, each time",
            ),
            standing,
            registry,
        }
    }

    /// A request was answered; `line` is its place in the route table.
    pub(crate) fn answered(&self, line: Option<usize>, status: http::StatusCode) {
        let line = line.unwrap_or(TABLE.len());
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let counter = self.requests.get(line).and_then(|it| it.get(class));
        if let Some(counter) = counter {
            counter.inc();
        }
    }

    /// An access token was given out.
    pub(crate) fn token_given(&self) {
        self.tokens.inc();
    }

    /// A 401 was repaired.
    pub(crate) fn repaired(&self) {
        self.repairs.inc();
    }

    /// A request was held back.
    pub(crate) fn limited(&self, kind: Kind) {
        let [rate, quota] = &self.limited;
        match kind {
            Kind::Rate => rate.inc(),
            Kind::Quota => quota.inc(),
        };
    }

    /// The API gave no answer.
    pub(crate) fn unanswered(&self, error: &UpstreamError) {
        let [unreachable, broken, silent] = &self.upstream_errors;
        match error {
            UpstreamError::Unreachable { .. } => unreachable.inc(),
            UpstreamError::Broken { .. } => broken.inc(),
            UpstreamError::Silent { .. } => silent.inc(),
        };
    }

    /// A message was made.
    pub(crate) fn noticed(&self, kind: notice::Kind) {
        let mut counters = notice::Kind::ALL.iter().zip(&self.notices);
        if let Some((_, counter)) = counters.find(|(it, _)| **it == kind) {
            counter.inc();
        }
    }

    /// A message was sent, or tried to.
    pub(crate) fn sent(&self, sent: Sent) {
        let [delivered, failed, given_up] = &self.deliveries;
        match sent {
            Sent::Delivered => delivered.inc(),
            Sent::Failed => failed.inc(),
            Sent::GivenUp => given_up.inc(),
        };
    }

    /// A request to the API was answered, by whomever.
    pub(crate) fn proxied(&self, took: Duration) {
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// The API has begun an answer.
    pub(crate) fn upstream(&self, took: Duration) {
        self.upstream_seconds.observe(took.as_secs_f64());
    }

    /// What is looked at only when somebody asks.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn requests(registry: &mut Registry) -> Vec<[Counter; CLASSES.len()]> {
    let family: Family<Labels<2>, Counter> = Family::default();
    let help = "Requests, by route and by the first digit of the status";
    registry.register("requests", help, family.clone());
    let paths = TABLE.iter().map(Entry::path).chain(["other"]);
    paths
        .map(|path| {
            CLASSES.map(|class| {
                let labels = [("route", path), ("status", class)];
                family.get_or_create(&labels).clone()
            })
        })
        .collect()
}

/// Counters that differ by one label.
fn family<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    labels: [Labels<1>; N],
) -> [Counter; N] {
    let family: Family<Labels<1>, Counter> = Family::default();
    registry.register(name, help, family.clone());
    labels.map(|labels| family.get_or_create(&labels).clone())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn each_counter_has_its_own_line() {
        let metrics = Metrics::new();
        metrics.answered(Some(0), StatusCode::OK);
        metrics.answered(Some(0), StatusCode::TOO_MANY_REQUESTS);
        metrics.answered(None, StatusCode::NOT_FOUND);
        metrics.token_given();
        metrics.repaired();
        metrics.limited(Kind::Quota);
        metrics.noticed(notice::Kind::Recovered);
        metrics.sent(Sent::GivenUp);
        metrics.upstream(Duration::from_millis(30));
        let text = metrics.text().unwrap();
        for line in [
            r#"refrain_requests_total{route="/v1/*",status="2xx"} 1"#,
            r#"refrain_requests_total{route="/v1/*",status="4xx"} 1"#,
            r#"refrain_requests_total{route="/v1/*",status="5xx"} 0"#,
            r#"refrain_requests_total{route="other",status="4xx"} 1"#,
            "refrain_tokens_given_total 1",
            "refrain_repairs_total 1",
            r#"refrain_limited_total{kind="quota"} 1"#,
            r#"refrain_limited_total{kind="rate"} 0"#,
            r#"refrain_notices_total{kind="grant.recovered"} 1"#,
            r#"refrain_notices_total{kind="grant.connected"} 0"#,
            r#"refrain_notice_deliveries_total{result="given_up"} 1"#,
            r#"refrain_proxy_upstream_duration_seconds_bucket{le="0.05"} 1"#,
            r#"refrain_proxy_upstream_duration_seconds_bucket{le="0.025"} 0"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
