//! How many requests a second of a process's own CPU time is worth, while a client asks as fast as it can, and
//! how long the median request takes.

use std::time::Duration;

use super::{
    load::{self, Load},
    rivals::Process,
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: [u32; 4] = [1, 16, 64, 256];

/// The first is the baseline. Rounds alternate, so that a busy neighbour slows all alike.
pub fn compare(rivals: &[Process]) {
    println!(
        "{:<18}{:>12}{:>18}{:>8}{:>14}",
        "", "connections", "per CPU-second", "ratio", "median"
    );
    for connections in CONNECTIONS {
        let mut all: Vec<(Vec<f64>, Vec<Duration>)> = vec![Default::default(); rivals.len()];
        for _ in 0..ROUNDS {
            for (rival, (rates, medians)) in rivals.iter().zip(&mut all) {
                let before = rival.cpu();
                let Load { requests, median } =
                    load::run(&rival.place, &rival.request, connections, ROUND);
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
                "{:<18}{connections:>12}{rate:>18.0}{ratio:>7.2}x{median:>14}",
                rival.name
            );
        }
    }
}
