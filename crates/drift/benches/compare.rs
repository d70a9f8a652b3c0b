//! A whole comparison: 16 columns (10 numerical, 4 categorical, 2 with missing values) at two sizes.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_drift::{Column, DriftSettings, compare};

/// A fixed sequence in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

fn table(rows: usize, seed: u64, shift: f64) -> Vec<Column> {
    let mut state = seed;
    (0..16)
        .map(|i| {
            let name = format!("column_{i}");
            match i % 8 {
                0..=4 => Column::float(name, (0..rows).map(|_| uniform(&mut state) + shift).collect()),
                5 => Column::integer(
                    name,
                    (0..rows).map(|_| Some((uniform(&mut state) * 11.0) as i64)).collect(),
                ),
                6 => Column::boolean(
                    name,
                    (0..rows).map(|_| (uniform(&mut state) > 0.2).then_some(true)).collect(),
                ),
                _ => {
                    let labels: Vec<_> = (0..rows)
                        .map(|_| Some(["a", "b", "c"][(uniform(&mut state) * 3.0) as usize]))
                        .collect();
                    Column::text(name, &labels)
                }
            }
        })
        .collect()
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compare");
    for rows in [7_043, 100_000] {
        let (reference, current) = (table(rows, 1, 0.0), table(rows, 2, 0.01));
        let settings = DriftSettings::default();
        group.throughput(Throughput::Elements(rows as u64)).sample_size(10);
        group.bench_function(format!("{rows}x16"), |bencher| {
            bencher.iter(|| {
                compare(black_box(&reference), black_box(&current), &settings)
                    .map(|report| report.drift_share)
            });
        });
    }
    group.finish();
    let report = compare(&table(7_043, 1, 0.0), &table(7_043, 2, 0.01), &DriftSettings::default())
        .expect("valid columns");
    criterion.bench_function("to_html", |bencher| bencher.iter(|| report.to_html().len()));
}

criterion_group!(compare_benches, benches);
criterion_main!(compare_benches);
