//! Does the rule hold? `cargo run --release -p streamflow-live --example simulate [MONTHS [CHANGES]]`
//!
//! Prints the false alarms a month of sixteen unchanged features by rate, the minutes to the alarm after a change, and
//! both for traffic with a daily swing. Twelve months and 200 changes take about twenty minutes of one core.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod world;

use world::{Change, Random, delay, false_alarms};

const RATES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];
/// A change that was not seen in this time is not waited for.
const HORIZON: i64 = 24 * 60;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let (months, changes) = (numbers.next().unwrap_or(12), numbers.next().unwrap_or(200));
    let mut random = Random(20_261_130);

    println!("| false alarms a month | {} |", RATES.map(|rate| format!("{rate} req/s")).join(" | "));
    println!("|---|{}", "--:|".repeat(RATES.len()));
    let cells = RATES.map(|rate| {
        mean_and_error(&(0..months).map(|_| false_alarms(rate, 0.0, 1, 30, &mut random)).collect::<Vec<_>>())
    });
    println!("| against training | {} |", cells.join(" | "));
    let cells = RATES.map(|rate| {
        let count = |_| false_alarms(rate, 0.2, 8, 30, &mut random);
        mean_and_error(&(0..months.div_ceil(4)).map(count).collect::<Vec<_>>())
    });
    println!("| daily swing of 0.2 sd, after a week | {} |", cells.join(" | "));

    println!(
        "\n| median minutes, within 15 minutes | {} |",
        RATES.map(|rate| format!("{rate} req/s")).join(" | ")
    );
    println!("|---|{}", "--:|".repeat(RATES.len()));
    for shift in [0.15, 0.2, 0.3, 0.5, 1.0] {
        let change = Change { shift, scale: 1.0 };
        let cells = RATES.map(|rate| delays(rate, 0.0, change, changes, &mut random));
        println!("| {shift} sd | {} |", cells.join(" | "));
    }
    let change = Change { shift: 0.0, scale: 1.5 };
    let cells = RATES.map(|rate| delays(rate, 0.0, change, changes, &mut random));
    println!("| spread × 1.5 | {} |", cells.join(" | "));
    let change = Change { shift: 0.5, scale: 1.0 };
    let cells = RATES.map(|rate| delays(rate, 0.2, change, changes.div_ceil(4), &mut random));
    println!("| 0.5 sd, daily swing of 0.2 sd | {} |", cells.join(" | "));
}

fn mean_and_error(alarms: &[usize]) -> String {
    let n = alarms.len() as f64;
    let mean = alarms.iter().sum::<usize>() as f64 / n;
    let variance = alarms.iter().map(|&count| (count as f64 - mean).powi(2)).sum::<f64>() / n;
    format!("{mean:.2} (se {:.2})", (variance / n).sqrt())
}

fn delays(rate: f64, swing: f64, change: Change, changes: usize, random: &mut Random) -> String {
    let mut delays: Vec<i64> =
        (0..changes).map(|_| delay(rate, swing, change, HORIZON, random).unwrap_or(i64::MAX)).collect();
    delays.sort_unstable();
    let within = 100 * delays.iter().filter(|&&delay| delay <= 15).count() / changes;
    match delays[changes / 2] {
        i64::MAX => format!("not within a day, {within} %"),
        median => format!("{median}, {within} %"),
    }
}
