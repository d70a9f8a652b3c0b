//! Range queries over an in-memory store: 1, 6 and 24 hours at a sample and a step of 15 s, 100 and 10,000 series.
//!
//! `STREAMFLOW_BENCH_SERIES=100` leaves out the large store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use streamflow_histogram::{Buckets, Histogram};
use streamflow_promql::{Engine, EngineOptions, Query, StopReason};
use streamflow_tsdb::{Db, Labels, Options};

const STEP_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
const BOUNDS: [&str; 10] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

/// Counters `m` of 10 jobs and buckets `b` of classic histograms, `series` of each, and native histograms `h` with as many
/// buckets in a tenth of the series, over 24 hours and 10 minutes.
fn store(series: usize) -> Db {
    let db = Db::in_memory(Options { out_of_order_window_ms: 2 * 24 * HOUR_MS, ..Options::default() });
    let counter = |index: usize| {
        let (job, instance) = (format!("job-{}", index % 10), format!("host-{index}:9090"));
        Labels::new([("__name__", "m"), ("job", &job), ("instance", &instance)])
    };
    let bucket = |index: usize| {
        let instance = format!("host-{}:9090", index / BOUNDS.len());
        Labels::new([("__name__", "b"), ("le", BOUNDS[index % BOUNDS.len()]), ("instance", &instance)])
    };
    let all: Vec<(Labels, f64)> = (0..series)
        .map(|index| (counter(index), 1.0 + (index % 7) as f64))
        .chain((0..series).map(|index| (bucket(index), (1 + index % BOUNDS.len()) as f64)))
        .collect();
    let mut batch = db.batch();
    let references: Vec<_> =
        all.iter().map(|(labels, _)| batch.add(labels, -600_000, 0.0).unwrap()).collect();
    let native = |index: usize| {
        let instance = format!("host-{index}:9090");
        Labels::new([("__name__", "h"), ("instance", &instance)])
    };
    let natives: Vec<_> = (0..series / BOUNDS.len())
        .map(|index| batch.add_histogram(&native(index), -600_000, histogram(0.0)).unwrap())
        .collect();
    batch.commit().unwrap();
    for time in (1..).map(|step| -600_000 + step * STEP_MS).take_while(|&time| time <= 24 * HOUR_MS) {
        let mut batch = db.batch();
        let steps = ((time + 600_000) / STEP_MS) as f64;
        for (&reference, (_, slope)) in references.iter().zip(&all) {
            batch.add_ref(reference, time, steps * slope).unwrap();
        }
        for &reference in &natives {
            batch.add_histogram_ref(reference, time, histogram(steps)).unwrap();
        }
        batch.commit().unwrap();
    }
    db
}

/// One observation a step in each of ten buckets.
fn histogram(steps: f64) -> Arc<Histogram> {
    let positive = Buckets { indices: (-8..2).collect(), counts: vec![steps; BOUNDS.len()] };
    Arc::new(Histogram { count: 10.0 * steps, sum: steps, positive, ..Histogram::default() })
}

fn never() -> Option<StopReason> {
    None
}

fn evaluate(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions { max_samples: 200_000_000, ..EngineOptions::default() });
    let only = std::env::var("STREAMFLOW_BENCH_SERIES").ok().and_then(|text| text.parse::<usize>().ok());
    for series in [100, 10_000].into_iter().filter(|&series| only.is_none_or(|only| only == series)) {
        let db = store(series);
        for (name, query) in [
            ("rate", "rate(m[5m])"),
            ("sum_by_rate", "sum by (job) (rate(m[5m]))"),
            ("quantile", "histogram_quantile(0.99, sum by (le) (rate(b[5m])))"),
            ("native_quantile", "histogram_quantile(0.99, sum(rate(h[5m])))"),
        ] {
            let mut group = criterion.benchmark_group(name);
            group
                .sample_size(10)
                .measurement_time(Duration::from_secs(3))
                .warm_up_time(Duration::from_secs(1));
            for hours in [1, 6, 24] {
                let id = BenchmarkId::from_parameter(format!("{series} series {hours} h"));
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        let end_ms = 24 * HOUR_MS;
                        let grid = engine.grid(end_ms - hours * HOUR_MS, end_ms, STEP_MS as f64).unwrap();
                        let query = Query::parse(&engine, query).unwrap();
                        query.range(&engine, &db, grid, &never).unwrap()
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
