//! The way to Spotify, and the clock.

use std::{env, time::Duration};

use http::{HeaderMap, Method};
use jiff::fmt::rfc2822::DateTimeParser;
use refrain::{
    config::Proxy,
    oauth::{
        origin::Origin,
        transport::{Request, Transport as _},
    },
    time::UnixMillis,
    words,
};
use zeroize::Zeroizing;

use super::{
    Finding, Patient,
    complaint::{CLOCK_SKEW, DNS_FAILED, PROXY_FAILED, PROXY_NOT_USED, TLS_FAILED},
};
use crate::report;

/// A clock that is further off than this makes tokens look fresh or dead when they are not.
const SKEW: Duration = Duration::from_mins(5);
/// What a proxy is usually named by.
const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// Proxy variables that are set and not used; their values may hold a password.
pub(super) fn proxies(patient: &Patient) -> Option<Finding> {
    let set: Vec<_> = PROXIES
        .into_iter()
        .filter(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    if set.is_empty() || !matches!(patient.config.network.proxy, Proxy::None) {
        return None;
    }
    let detail = format!("{} is set, and refrain does not use it", set.join(", "));
    Some(Finding::of("proxy", PROXY_NOT_USED, detail))
}

/// The findings, and whether the authorization server was reached.
pub(super) async fn check(patient: &Patient) -> (Vec<Finding>, bool) {
    let provider = &patient.config.provider;
    let (accounts, api) = tokio::join!(
        reach(patient, &provider.accounts),
        reach(patient, &provider.api)
    );
    let reached = accounts.is_ok();
    let mut findings = Vec::new();
    let headers = accounts.as_ref().ok();
    let clock = headers.and_then(|headers| skew(headers, patient.clock.wall()));
    findings.push(reachable(&provider.accounts, accounts.map(drop)));
    findings.push(reachable(&provider.api, api.map(drop)));
    findings.extend(clock);
    (findings, reached)
}

async fn reach(patient: &Patient, origin: &Origin) -> Result<HeaderMap, String> {
    let connection = patient.transport.connect(origin).await;
    let connection = connection.map_err(|error| report::with_causes(&error))?;
    // No secret goes along, and whatever is answered is an answer.
    let request = Request {
        method: Method::GET,
        path: "/".to_owned(),
        headers: HeaderMap::new(),
        body: Zeroizing::new(Vec::new()),
    };
    match connection.send(request).await {
        Ok(answer) => Ok(answer.headers),
        Err(error) => Err(report::with_causes(&error)),
    }
}

fn reachable(origin: &Origin, reached: Result<(), String>) -> Finding {
    match reached {
        Ok(()) => Finding::ok("network", format!("{origin} answers")),
        Err(why) => unreachable(why),
    }
}

/// What kept a connection from coming about. The libraries below give it no types, and have words of their
/// own for each.
fn unreachable(why: String) -> Finding {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["tunnel error", "tunneling", "proxy"]) {
        Finding::of("network", PROXY_FAILED, why)
    } else if says(&["dns error"]) {
        Finding::of("network", DNS_FAILED, why)
    } else if says(&[
        "certificate",
        "tls",
        "TLS",
        "corrupt message",
        "fatal alert",
    ]) {
        Finding::of("network", TLS_FAILED, why)
    } else {
        let fix = "check the network, the firewall, and network.proxy";
        Finding::error("network", "provider_unreachable", why, fix)
    }
}

fn skew(headers: &HeaderMap, now: UnixMillis) -> Option<Finding> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let theirs = DateTimeParser::new().parse_timestamp(date).ok()?;
    let theirs = UnixMillis(theirs.as_millisecond());
    let (off, way) = if now > theirs {
        (now.since(theirs), "ahead of")
    } else {
        (theirs.since(now), "behind")
    };
    let off_by = words::long(off);
    Some(if off > SKEW {
        let detail = format!("this machine's clock is {off_by} {way} Spotify's");
        Finding::of("clock", CLOCK_SKEW, detail)
    } else {
        Finding::ok("clock", format!("within {off_by} of Spotify's"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(offset: i64) -> Finding {
        let mut headers = HeaderMap::new();
        let date = "Wed, 18 Nov 2026 11:06:40 GMT".parse().unwrap();
        headers.insert(http::header::DATE, date);
        skew(&headers, UnixMillis(1_795_000_000_000 + offset * 1000)).unwrap()
    }

    #[test]
    fn a_wrong_clock_is_found() {
        assert_eq!(judged(400).code, "clock_skew");
        assert_eq!(judged(200).code, "ok");
        assert!(judged(400).detail.contains("6 minutes ahead of"));
        assert!(judged(-7300).detail.contains("2 hours behind"));
        assert!(skew(&HeaderMap::new(), UnixMillis(0)).is_none());
    }
}
