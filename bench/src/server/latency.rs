//! What a proxy adds to the time of a request, at rates that none of them is busy with.

use std::time::Duration;

use super::{
    load::paced::{self, Times},
    rivals::Process,
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const CONNECTIONS: u32 = 64;
/// Requests a second.
const RATES: [u32; 2] = [2_000, 10_000];

/// The first rival is the baseline; what is added is added to what the upstream takes when asked directly, in
/// the same run. Rounds alternate.
pub fn compare(direct: &Process, rivals: &[Process]) {
    println!(
        "{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}{:>8}",
        "", "rate", "median", "p99", "added", "at p99", "ratio"
    );
    for rate in RATES {
        let asked: Vec<_> = [direct].into_iter().chain(rivals).collect();
        let mut all: Vec<Vec<Times>> = vec![Vec::new(); asked.len()];
        for _ in 0..ROUNDS {
            for (rival, rounds) in asked.iter().zip(&mut all) {
                let times = paced::run(&rival.place, &rival.request, CONNECTIONS, rate, ROUND);
                rounds.push(times);
            }
        }
        let mut lines = asked.iter().zip(all).map(|(rival, rounds)| {
            let middle = |of: fn(&Times) -> Duration| {
                let mut all: Vec<_> = rounds.iter().map(of).collect();
                all.sort_unstable();
                all[all.len() / 2]
            };
            (&rival.name, middle(|it| it.median), middle(|it| it.p99))
        });
        let (name, least, least_p99) = lines.next().expect("the upstream itself");
        println!(
            "{name:<18}{rate:>10}{:>10}{:>10}",
            micros(least),
            micros(least_p99)
        );
        let mut baseline = None;
        for (name, median, p99) in lines {
            let added = median.saturating_sub(least);
            let ratio = added.as_secs_f64() / baseline.get_or_insert(added).as_secs_f64();
            println!(
                "{name:<18}{rate:>10}{:>10}{:>10}{:>10}{:>10}{ratio:>7.2}x",
                micros(median),
                micros(p99),
                micros(added),
                micros(p99.saturating_sub(least_p99)),
            );
        }
    }
}

fn micros(time: Duration) -> String {
    format!("{:.1}µs", time.as_secs_f64() * 1e6)
}
