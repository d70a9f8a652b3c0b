//! Parsing: a dashboard's query, the tallest chain that is accepted, a wide selector.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_promql::{format, parse};

const DASHBOARD: &str = "histogram_quantile(0.99, sum by (le, job) (rate(http_request_duration_seconds_bucket{\
                         job=~\"api.*\", code!=\"500\"}[5m] offset 1h))) / on (job) group_left () \
                         sum by (job) (up == 1) > bool 0.5";

fn parsing(criterion: &mut Criterion) {
    let chain = vec!["x"; 499].join(" + ");
    let matchers: Vec<String> = (0..1_000).map(|index| format!("l{index}=\"v\"")).collect();
    let wide = format!("x{{{}}}", matchers.join(","));
    let mut group = criterion.benchmark_group("parse");
    for (name, query) in [("dashboard", DASHBOARD), ("chain", &chain), ("wide", &wide)] {
        group.throughput(Throughput::Bytes(query.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(query))));
    }
    group.finish();
    let expr = parse(DASHBOARD).expect("the query above is PromQL");
    criterion.bench_function("format", |bencher| bencher.iter(|| format(black_box(&expr))));
}

criterion_group!(benches, parsing);
criterion_main!(benches);
