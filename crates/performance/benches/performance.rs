//! A million scored rows, from a fixed seed: metrics with their intervals, two models on the same rows, estimates without
//! labels, the worst slices, and the parts of a change.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use streamflow_performance::{
    Cbpe, CbpeSettings, DecompositionSettings, Labelled, LabelledPeriod, PairedRows, PromotionRule, Rows,
    SegmentColumn, SegmentRule, row_log_loss,
};
use streamflow_stats::Random;

const ROWS: usize = 1_000_000;

/// Scores that are the probabilities of their labels, without ties; one row in five is positive.
fn rows(seed: u64) -> (Vec<bool>, Vec<f64>) {
    let mut random = Random::new(seed);
    let scores: Vec<f64> = (0..ROWS).map(|_| random.uniform() * random.uniform() * 0.8).collect();
    let labels = scores.iter().map(|score| random.uniform() < *score).collect();
    (labels, scores)
}

fn table(labels: &[bool], scores: &[f64]) -> Rows {
    let labels = labels.iter().map(|label| Some(*label)).collect();
    Rows::at_threshold(labels, scores.to_vec(), 0.3).expect("scores are probabilities")
}

fn performance(criterion: &mut Criterion) {
    let (labels, scores) = rows(1);
    let (_, others) = rows(2);
    let table = table(&labels, &scores);
    let known: Vec<Option<bool>> = labels.iter().map(|label| Some(*label)).collect();
    let losses: Vec<f64> =
        labels.iter().zip(&scores).map(|(&label, &score)| row_log_loss(label, score)).collect();
    let mut group = criterion.benchmark_group("a_million_rows");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));

    group.bench_function("all metrics and intervals", |bencher| {
        bencher.iter(|| black_box(Labelled::new(&table).measure(Some(&[[0.0, -1.0], [-5.0, 10.0]]), 1)));
    });
    group.bench_function("metrics without intervals", |bencher| {
        bencher.iter(|| {
            let rows = Labelled::new(&table);
            let values = streamflow_performance::METRICS.iter().map(|about| rows.value(about.metric, None));
            black_box(values.collect::<Vec<_>>())
        });
    });
    group.bench_function("candidate against production", |bencher| {
        let rows = PairedRows { labels: &known, production: &scores, candidate: &others };
        bencher.iter(|| black_box(PromotionRule::default().compare(&rows)));
    });
    group.bench_function("curves", |bencher| {
        let rows = Labelled::new(&table);
        bencher.iter(|| {
            black_box((rows.operating_points(200), rows.calibration_curve(20), rows.score_histogram(50)))
        });
    });
    let folds: Vec<u32> = (0..ROWS as u32).map(|row| row % 10).collect();
    group.bench_function("fit of an estimator", |bencher| {
        bencher.iter(|| black_box(Cbpe::fit(&table, &folds, CbpeSettings::default())));
    });
    let estimator = Cbpe::fit(&table, &folds, CbpeSettings::default()).expect("folds are aligned");
    group.bench_function("estimate without labels", |bencher| {
        bencher.iter(|| black_box(estimator.estimate(&table)))
    });

    let mut random = Random::new(3);
    let column = |levels: u32, random: &mut Random| SegmentColumn {
        name: levels.to_string(),
        levels: (0..levels).map(|level| level.to_string()).collect(),
        codes: (0..ROWS).map(|_| random.below(u64::from(levels)) as u32).collect(),
    };
    let columns: Vec<SegmentColumn> = (3..13).map(|levels| column(levels, &mut random)).collect();
    group.bench_function("worst slices of ten features", |bencher| {
        bencher.iter(|| black_box(SegmentRule::default().worst(&columns, &losses)));
    });
    group.bench_function("parts of a change", |bencher| {
        let period = LabelledPeriod { losses: &losses, current_probability: &scores, labels: &labels };
        bencher.iter(|| black_box(DecompositionSettings::default().decompose(&period, &period)));
    });
    group.finish();
}

criterion_group!(benches, performance);
criterion_main!(benches);
