//! How often the two profiles cry wolf, and how often they see what is there. Prints Markdown tables.
//!
//! A test that cries wolf in every report sees everything, so a third figure stands beside the two powers: Evidently's
//! tests with one common factor on all their thresholds, chosen so that as many unchanged reports name a column as the
//! calibrated profile is allowed to, 5 %.
//!
//! `cargo run --example calibration -- [REPORTS]`: the number of simulated reports at 1,000 rows (default 400; fewer at
//! larger sizes, so that each takes similar time). Everything follows from a fixed seed.

#![allow(clippy::print_stdout)]

use streamflow_drift::{
    Column, ColumnReport, ColumnType, DriftSettings, Report, RuleSet, ScoreKind, compare,
};

/// `SplitMix64` with the draws needed here.
struct Draw(u64);

impl Draw {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn poisson(&mut self, mean: f64) -> i64 {
        let (limit, mut product, mut n) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            n += 1;
        }
        n
    }

    /// A label by Zipf's law over `labels` labels.
    fn zipf(&mut self, labels: usize) -> usize {
        let all: f64 = (1..=labels).map(|rank| 1.0 / rank as f64).sum();
        let mut left = self.uniform() * all;
        (1..labels)
            .find(|rank| {
                left -= 1.0 / *rank as f64;
                left < 0.0
            })
            .unwrap_or(labels)
    }
}

/// What happens to column 0 on the current side.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Shift(f64),
    Spread(f64),
    /// Counts with mean 2.6 move to this mean.
    Counts(f64),
    /// Three labels 0.5, 0.3, 0.2: this much moves from the first to the last.
    Labels(f64),
    /// Missing share 0.1 grows by this.
    Missing(f64),
}

fn first_column(rows: usize, draw: &mut Draw, change: Change, current: bool) -> Column {
    let name = "column_0";
    let by = |amount: f64| if current { amount } else { 0.0 };
    match change {
        Change::Nothing => Column::float(name, (0..rows).map(|_| draw.normal()).collect()),
        Change::Shift(sd) => Column::float(name, (0..rows).map(|_| draw.normal() + by(sd)).collect()),
        Change::Spread(times) => {
            Column::float(name, (0..rows).map(|_| draw.normal() * (1.0 + by(times - 1.0))).collect())
        }
        Change::Counts(mean) => {
            Column::integer(name, (0..rows).map(|_| Some(draw.poisson(2.6 + by(mean - 2.6)))).collect())
        }
        Change::Labels(share) => {
            let label = |u: f64| {
                if u < 0.5 - by(share) {
                    "a"
                } else if u < 0.8 - by(share) {
                    "b"
                } else {
                    "c"
                }
            };
            Column::text(name, &(0..rows).map(|_| Some(label(draw.uniform()))).collect::<Vec<_>>())
        }
        Change::Missing(share) => Column::float(
            name,
            (0..rows)
                .map(|_| {
                    let value = draw.normal();
                    if draw.uniform() < 0.1 + by(share) { f64::NAN } else { value }
                })
                .collect(),
        ),
    }
}

/// Sixteen columns of the kinds that tables have.
fn table(rows: usize, draw: &mut Draw, change: Change, current: bool) -> Vec<Column> {
    let mut columns = vec![first_column(rows, draw, change, current)];
    for i in 1..16 {
        let name = format!("column_{i}");
        let mut floats =
            |make: &dyn Fn(&mut Draw) -> f64| Column::float(&name, (0..rows).map(|_| make(draw)).collect());
        columns.push(match i {
            1..=3 => floats(&|d| d.normal()),
            4 | 5 => floats(&|d| d.normal().exp()),
            6 => floats(&|d| if d.uniform() < 0.8 { 0.0 } else { -d.uniform().ln() }),
            7 => floats(&|d| if d.uniform() < 0.1 { f64::NAN } else { d.normal() }),
            8 | 9 => Column::integer(name, (0..rows).map(|_| Some(draw.poisson(2.6))).collect()),
            10 => Column::integer(name, (0..rows).map(|_| Some((draw.uniform() * 3.0) as i64)).collect()),
            11 | 12 => Column::boolean(name, (0..rows).map(|_| Some(draw.uniform() < 0.3)).collect()),
            13 | 14 => Column::text(
                name,
                &(0..rows)
                    .map(|_| Some(["a", "b", "c"][(draw.uniform() * 3.0) as usize]))
                    .collect::<Vec<_>>(),
            ),
            _ => Column::text(
                name,
                &(0..rows).map(|_| Some(format!("{:02}", draw.zipf(20)))).collect::<Vec<_>>(),
            ),
        });
    }
    columns
}

/// Reports that may name a column although none has changed.
const ALLOWED: f64 = 0.05;

/// Reports of both profiles on one pair of tables after the other.
fn reports(count: usize, rows: (usize, usize), change: Change) -> Vec<[Report; 2]> {
    let mut draw = Draw(rows.0 as u64 * 31 + rows.1 as u64);
    let mut report = || {
        let reference = table(rows.0, &mut draw, change, false);
        let current = table(rows.1, &mut draw, change, true);
        [RuleSet::Calibrated, RuleSet::Evidently].map(|profile| {
            // Column 10 holds whole numbers in order; declared, as a user of either profile would.
            let types = [("column_10".to_owned(), ColumnType::Numerical)].into();
            let settings = DriftSettings { profile, types, ..DriftSettings::default() };
            compare(&reference, &current, &settings).expect("valid columns")
        })
    };
    (0..count).map(|_| report()).collect()
}

/// By which factor the threshold of a column's test would have to be harder for the column just not to drift; below 1
/// when it does not drift as it is.
fn margin(column: &ColumnReport) -> f64 {
    match (column.score, column.threshold, column.score_kind) {
        (Some(p_value), Some(threshold), Some(ScoreKind::PValue)) => threshold / p_value,
        (Some(score), Some(threshold), _) => score / threshold,
        _ => 0.0,
    }
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of as f64
}

fn false_alarms(base: usize) {
    println!("Reports of 16 columns from identical populations that call any column drifted:\n");
    println!("| reference rows | current rows | reports | calibrated | evidently |\n|--:|--:|--:|--:|--:|");
    for rows in [
        (50, 50),
        (200, 200),
        (1000, 1000),
        (1001, 1001),
        (7043, 7043),
        (100_000, 100_000),
        (500, 50),
        (1001, 100),
        (10_000, 1000),
        (100_000, 10_000),
    ] {
        let count = (base * 1000 / rows.0.max(1000)).clamp(20, base);
        let reports = reports(count, rows, Change::Nothing);
        let called =
            [0, 1].map(|side| reports.iter().filter(|report| report[side].drifted_columns > 0).count());
        let [calibrated, evidently] = called.map(|called| percent(called, count));
        println!("| {} | {} | {count} | {calibrated:.1} % | {evidently:.1} % |", rows.0, rows.1);
    }
}

fn power(base: usize) {
    let sizes = [(50, 50), (200, 200), (1000, 1000), (1001, 1001), (500, 50)];
    // What Evidently's tests would have to be made harder by, for each of the sizes.
    let factors = sizes.map(|rows| {
        let reports = reports(base, rows, Change::Nothing);
        let mut largest: Vec<f64> = reports
            .iter()
            .map(|[_, evidently]| evidently.columns.iter().map(margin).fold(0.0, f64::max))
            .collect();
        largest.sort_unstable_by(|a, b| b.total_cmp(a));
        largest[(ALLOWED * base as f64) as usize].max(1.0)
    });
    println!(
        "\nReports that call column 0 drifted, when it alone of 16 has changed (calibrated / evidently at as few false \
         alarms / evidently):\n"
    );
    println!("| change | 50 | 200 | 1000 | 1001 | 500 and 50 |\n|---|--:|--:|--:|--:|--:|");
    for (label, change) in [
        ("mean by 0.5 sd", Change::Shift(0.5)),
        ("mean by 0.8 sd", Change::Shift(0.8)),
        ("spread × 1.5", Change::Spread(1.5)),
        ("spread × 2", Change::Spread(2.0)),
        ("counts 2.6 → 3.4 (0.5 sd)", Change::Counts(3.4)),
        ("counts 2.6 → 3.9 (0.8 sd)", Change::Counts(3.9)),
        ("labels w = 0.3", Change::Labels(0.113)),
        ("labels w = 0.5", Change::Labels(0.189)),
        ("missing 10 % → 30 %", Change::Missing(0.2)),
    ] {
        let cells: Vec<String> = sizes
            .into_iter()
            .zip(factors)
            .map(|(rows, factor)| {
                let count = base / 2;
                let reports = reports(count, rows, change);
                let share = |called: &dyn Fn(&[Report; 2]) -> bool| {
                    percent(reports.iter().filter(|report| called(report)).count(), count)
                };
                format!(
                    "{:.0} / {:.0} / {:.0} %",
                    share(&|report| report[0].columns[0].drifted),
                    share(&|report| margin(&report[1].columns[0]) > factor),
                    share(&|report| report[1].columns[0].drifted),
                )
            })
            .collect();
        println!("| {label} | {} |", cells.join(" | "));
    }
}

fn main() {
    let base: usize = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(400);
    false_alarms(base);
    power(base);
}
