//! `refrain serve` beside what else could stand in its place: nginx, HAProxy, and a proxy of axum and reqwest.
//!
//! All of them put a bearer into the same requests and pass them on to one upstream, an nginx that answers two
//! kilobytes. One client sends to each in turn. What counts is how many requests a second of the process's own
//! CPU time is worth, and how long the median request takes.

mod axum;
mod load;
mod rivals;

use std::{path::Path, time::Duration};

use self::{
    load::{Load, Place},
    rivals::{Certificate, Process, Refrain, Upstream},
};

pub use self::axum::serve as axum_child;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

pub async fn run(binary: &Path) {
    let certificate = Certificate::new();
    let refrain = Refrain::signed_in(binary).await;
    for tls in [false, true] {
        let upstream = Upstream::start(&certificate, tls);
        let rivals = [
            rivals::nginx(&upstream),
            rivals::haproxy(&upstream),
            rivals::axum(&upstream).await,
            refrain.serve(&upstream).await,
        ];
        let scheme = if tls { "TLS" } else { "plain" };
        println!("\nproxied requests, {scheme} upstream, 2 KB answers");
        compare(&rivals, &CONNECTIONS);
    }
    let upstream = Upstream::start(&certificate, false);
    let process = refrain.serve(&upstream).await;
    let tokens = [
        rivals::nginx_alone(),
        process.elsewhere(
            "refrain TCP",
            refrain.token_request(&process.place),
            process.place.clone(),
        ),
        process.elsewhere(
            "refrain Unix",
            refrain.token_request(&refrain.socket()),
            refrain.socket(),
        ),
    ];
    println!("\ntoken reads, beside an nginx that answers by itself");
    compare(&tokens, &CONNECTIONS);
}

/// The first is the baseline. Rounds alternate, so that a busy neighbour slows all alike.
fn compare(rivals: &[Process], connections: &[usize]) {
    println!(
        "{:<16}{:>12}{:>18}{:>8}{:>14}",
        "", "connections", "per CPU-second", "ratio", "median"
    );
    for connections in connections {
        let mut all: Vec<(Vec<f64>, Vec<Duration>)> = vec![Default::default(); rivals.len()];
        for _ in 0..ROUNDS {
            for (rival, (rates, medians)) in rivals.iter().zip(&mut all) {
                let before = rival.cpu();
                let Load { requests, median } =
                    load::run(&rival.place, &rival.request, *connections, ROUND);
                let used = rival.cpu() - before;
                rates.push(f64::from(requests) / used.as_secs_f64());
                medians.push(median);
            }
        }
        let mut baseline = None;
        for (rival, (mut rates, mut medians)) in rivals.iter().zip(all) {
            rates.sort_by(f64::total_cmp);
            medians.sort_unstable();
            let rate = rates[rates.len() / 2];
            let ratio = rate / *baseline.get_or_insert(rate);
            let median = format!("{:.0?}", medians[medians.len() / 2]);
            println!(
                "{:<16}{connections:>12}{rate:>18.0}{ratio:>7.2}x{median:>14}",
                rival.name
            );
        }
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn at(port: u16) -> Place {
    Place::Tcp(([127, 0, 0, 1], port).into())
}
