//! What there is to query: the label sets of 100,000 series and the values of a label, as a metrics browser asks.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_tsdb::{Db, Labels, MatchOp, Matcher, Options};

const SERIES: usize = 100_000;
const SCRAPE_MS: i64 = 15_000;
const SCRAPES: i64 = 4;

fn labels(n: usize) -> Labels {
    Labels::new([
        ("__name__", "m".to_owned()),
        ("instance", format!("10.0.{}.{}:8000", n / 500 / 250, n / 500 % 250)),
        ("job", format!("job-{}", n % 10)),
        ("series", n.to_string()),
    ])
}

fn fill(db: &Db) {
    // Series do not appear in the order of their labels: 7919 and the number of series have no common factor.
    let all: Vec<Labels> = (0..SERIES).map(|n| labels(n * 7919 % SERIES)).collect();
    for scrape in 0..SCRAPES {
        let mut batch = db.batch();
        for labels in &all {
            batch.add(labels, scrape * SCRAPE_MS, 1.0).unwrap();
        }
        batch.commit().unwrap();
    }
}

fn listing(c: &mut Criterion) {
    let mut group = c.benchmark_group("listing");
    group
        .throughput(Throughput::Elements(SERIES as u64))
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    fill(&db);
    let metric = [vec![Matcher::new("__name__", MatchOp::Equal, "m").unwrap()]];
    let end = SCRAPES * SCRAPE_MS;
    for place in ["head", "block"] {
        assert_eq!(db.series(&metric, 0, end).unwrap().len(), SERIES);
        group.bench_function(format!("{place}_series"), |b| b.iter(|| db.series(&metric, 0, end).unwrap()));
        for name in ["series", "job"] {
            group.bench_function(format!("{place}_values_of_{name}"), |b| {
                b.iter(|| db.label_values(name, &[], 0, end).unwrap());
            });
            group.bench_function(format!("{place}_values_of_{name}_of_a_metric"), |b| {
                b.iter(|| db.label_values(name, &metric, 0, end).unwrap());
            });
        }
        group.bench_function(format!("{place}_select"), |b| {
            b.iter(|| db.select(&metric[0], 0, end).unwrap());
        });
        db.maintain(end + 10 * 3_600_000).unwrap();
    }
}

criterion_group!(benches, listing);
criterion_main!(benches);
