//! A range query over a year, from samples every 15 s and from their aggregates of 1 hour; and the bytes that both take.
//!
//! `STREAMFLOW_BENCH_DAYS=30` takes a month in the place of the year.
// A bench is a program: its sizes go to the terminal beside criterion's times.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use streamflow_promql::{Engine, Query, StopReason};
use streamflow_tsdb::{Db, Downsampling, Labels, Options, copy_in_use};

const SCRAPE_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const SERIES: usize = 10;

/// A small fixed generator: the same data in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn never() -> Option<StopReason> {
    None
}

/// Seven counters of different speed, one of them a sum of seconds, and three gauges.
fn value(series: usize, last: f64, random: &mut Random) -> f64 {
    match series {
        0..6 => last + random.below(1 << (2 * series)) as f64,
        6 => last + random.below(1000) as f64 * 0.000_37,
        7 => 5e7 + 4096.0 * random.below(3000) as f64,
        8 => 20.0 + random.below(100) as f64 / 10.0,
        _ => random.below(1_000_000) as f64 / 1e6 + random.below(7) as f64,
    }
}

fn fill(db: &Db, days: i64) {
    let labels = |series: usize| {
        let name = if series < 7 { "requests_total" } else { "memory_bytes" };
        Labels::new([("__name__", name), ("instance", &format!("host-{series}:9090"))])
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut last = [0.0; SERIES];
    for day in 0..days {
        let mut batch = db.batch();
        let references: Vec<_> = (0..SERIES)
            .map(|series| batch.add(&labels(series), day * DAY_MS + 1, last[series]).unwrap())
            .collect();
        for time in (day * DAY_MS + SCRAPE_MS..(day + 1) * DAY_MS).step_by(SCRAPE_MS as usize) {
            for (series, last) in last.iter_mut().enumerate() {
                *last = value(series, *last, &mut random);
                batch.add_ref(references[series], time, *last).unwrap();
            }
        }
        batch.commit().unwrap();
        while db.maintain((day + 1) * DAY_MS).unwrap().blocks_merged > 0 {}
    }
}

fn a_year(criterion: &mut Criterion) {
    let days = std::env::var("STREAMFLOW_BENCH_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(365);
    let dir = tempfile::tempdir().unwrap();
    let raw = Db::open(&dir.path().join("raw"), Options::default()).unwrap();
    fill(&raw, days);
    copy_in_use(&dir.path().join("raw"), &dir.path().join("old")).unwrap();
    let options = Options {
        retention_ms: Some(DAY_MS),
        downsampling: Downsampling { five_minutes_ms: Some(i64::MAX), one_hour_ms: Some(i64::MAX) },
        ..Options::default()
    };
    let old = Db::open(&dir.path().join("old"), options).unwrap();
    let started = Instant::now();
    // A day later, so that all of it is too old.
    old.maintain((days + 2) * DAY_MS).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let (before, after) = (raw.stats(), old.stats());
    let samples = before.block_samples as f64;
    println!(
        "{samples} samples in {} bytes: {:.2} each",
        before.block_bytes,
        before.block_bytes as f64 / samples
    );
    println!("aggregated in {seconds:.1} s: {:.1} million samples a second", samples / seconds / 1e6);
    for tier in &after.aggregates {
        println!(
            "{}: {} windows in {} bytes: {:.1} a window, {:.4} a sample",
            tier.resolution.name(),
            tier.windows,
            tier.bytes,
            tier.bytes as f64 / tier.windows as f64,
            tier.bytes as f64 / samples
        );
    }
    let engine = Engine::default();
    let mut group = criterion.benchmark_group("year");
    group.sample_size(10).measurement_time(Duration::from_secs(10)).warm_up_time(Duration::from_secs(1));
    for (name, text) in [
        ("rate", "sum(rate(requests_total[1h]))"),
        ("max_over_time", "max_over_time(memory_bytes[1h])"),
        ("selector", "memory_bytes"),
    ] {
        let query = Query::parse(&engine, text).unwrap();
        for (store, db) in [("samples", &raw), ("1h", &old)] {
            let grid = engine.grid(HOUR_MS, days * DAY_MS - 3 * HOUR_MS, HOUR_MS as f64).unwrap();
            group.bench_function(format!("{name}/{store}"), |bencher| {
                bencher.iter(|| query.range(&engine, db, grid, &never).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, a_year);
criterion_main!(benches);
