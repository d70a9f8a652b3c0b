//! Queries over 100,000 series with forty samples each, as an overview of a large fleet asks them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use streamflow_promql::{Engine, EngineOptions, Query, StopReason};
use streamflow_tsdb::{Db, Labels, Options};

const SERIES: usize = 100_000;
const STEP_MS: i64 = 15_000;
const STEPS: i64 = 40;

fn store() -> Db {
    let db = Db::in_memory(Options::default());
    let labels = |n: usize| {
        Labels::new([
            ("__name__", "m".to_owned()),
            ("instance", format!("10.0.{}.{}:8000", n / 250 % 250, n % 250)),
            ("job", format!("job-{}", n % 10)),
            ("series", n.to_string()),
        ])
    };
    let mut batch = db.batch();
    let all: Vec<_> = (0..SERIES).map(|n| batch.add(&labels(n), 0, n as f64).unwrap()).collect();
    batch.commit().unwrap();
    for step in 1..STEPS {
        let mut batch = db.batch();
        for (n, series) in all.iter().enumerate() {
            batch.add_ref(*series, step * STEP_MS, n as f64 + (step * (n as i64 % 7)) as f64).unwrap();
        }
        batch.commit().unwrap();
    }
    db
}

fn never() -> Option<StopReason> {
    None
}

fn wide(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default());
    let db = store();
    let mut group = criterion.benchmark_group("wide");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (name, query) in [
        ("topk", "topk(10, m)"),
        ("count", "count by (job) (m)"),
        ("regex", r#"m{series=~".*[02468][13579]|.*00"}"#),
        ("suffix", r#"sum by (instance) (rate(m{series=~".*07"}[1m]))"#),
        ("subquery", "max_over_time(sum(rate(m[1m]))[10m:30s])"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let grid = engine.grid(0, (STEPS - 1) * STEP_MS, STEP_MS as f64).unwrap();
                let query = Query::parse(&engine, query).unwrap();
                query.range(&engine, &db, grid, &never).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, wide);
criterion_main!(benches);
