//! The serving hot path and a fit, on 5,000 made-up users with 14 features.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use streamflow_model::{FeatureColumn, FeatureValue, Features, Labels, MISSING, TrainSettings, train};

const ROWS: usize = 5000;

/// The same numbers in [0, 1) on every run.
fn noise(salt: u64) -> impl Iterator<Item = f64> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

fn table() -> (Features, Labels, Vec<String>) {
    let mut columns = Vec::new();
    for i in 0..10 {
        let values = noise(i + 1).take(ROWS).map(|x| if x < 0.05 { f64::NAN } else { x * 100.0 }).collect();
        columns.push((format!("number_{i}"), FeatureColumn::Numerical(values)));
    }
    for i in 0..4 {
        let code = |x: f64| if x < 0.1 { MISSING } else { (x * 3.0) as u32 };
        let codes = noise(i + 101).take(ROWS).map(code).collect();
        let levels = ["DSL", "Fiber optic", "No"].map(String::from).to_vec();
        columns.push((format!("category_{i}"), FeatureColumn::Categorical { codes, levels }));
    }
    let labels = noise(1).zip(noise(2)).zip(noise(7)).take(ROWS);
    let labels = Labels::Binary(labels.map(|((a, b), e)| Some(a * b + 0.3 * e > 0.5)).collect());
    (Features::new(columns).expect("columns are aligned"), labels, (0..ROWS).map(|i| i.to_string()).collect())
}

fn model(criterion: &mut Criterion) {
    let (features, labels, users) = table();
    let settings = TrainSettings { max_depths: vec![3], ..TrainSettings::default() };
    let model = train(&features, &labels, &users, &settings).expect("the table is learnable").model;
    let mut values = vec![FeatureValue::Number(40.0); 10];
    values.extend([FeatureValue::Text("Fiber optic"), FeatureValue::Text("DSL"), FeatureValue::Missing]);
    values.push(FeatureValue::Text("No"));
    let row = model.encode(&values).expect("values are of the schema's kinds").values;

    let trees = model.trees().unwrap_or(0);
    criterion.bench_function(&format!("predict_row ({trees} trees of depth 3)"), |b| {
        b.iter(|| model.predict_row(black_box(&row)))
    });
    criterion.bench_function(&format!("explain ({trees} trees of depth 3)"), |b| {
        b.iter(|| model.explain(black_box(&values)))
    });
    criterion.bench_function("encode", |b| b.iter(|| model.encode(black_box(&values))));
    criterion.bench_function("predict 5,000 rows", |b| b.iter(|| model.predict(black_box(&features))));
    let mut slow = criterion.benchmark_group("train 5,000 rows");
    slow.sample_size(10);
    let defaults = TrainSettings::default();
    slow.bench_function("default settings", |b| b.iter(|| train(&features, &labels, &users, &defaults)));
    slow.finish();
}

criterion_group!(benches, model);
criterion_main!(benches);
