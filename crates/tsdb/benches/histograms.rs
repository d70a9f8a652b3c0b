//! Appending and reading native histograms, and their bytes per sample and per bucket.
// A bench is a program: its sizes go to the terminal beside criterion's times.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_histogram::{Buckets, Histogram};
use streamflow_tsdb::{Db, Labels, Options, Samples, SeriesRef};

const SCRAPE_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;
const SERIES: usize = 500;
/// Requests between two scrapes.
const REQUESTS: u64 = 100;

/// A small fixed generator: the same data in every run.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Latencies that are log-normal around 50 ms, counted at schema 3 as a client library does.
struct Service {
    random: Random,
    counts: std::collections::BTreeMap<i32, f64>,
    sum: f64,
}

impl Service {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed * 2 + 1), counts: std::collections::BTreeMap::new(), sum: 0.0 }
    }

    fn scrape(&mut self) -> Arc<Histogram> {
        for _ in 0..self.random.unit().mul_add(REQUESTS as f64, REQUESTS as f64 / 2.0) as u64 {
            let normal = (0..12).map(|_| self.random.unit()).sum::<f64>() - 6.0;
            let seconds = 0.05 * (0.8 * normal).exp();
            *self.counts.entry((seconds.log2() * 8.0).ceil() as i32).or_default() += 1.0;
            self.sum += seconds;
        }
        let (indices, counts): (Vec<i32>, Vec<f64>) = self.counts.iter().unzip();
        Arc::new(Histogram {
            schema: 3,
            zero_threshold: 2_f64.powi(-128),
            count: counts.iter().sum(),
            sum: self.sum,
            positive: Buckets { indices, counts },
            ..Histogram::default()
        })
    }
}

fn labels(n: usize) -> Labels {
    Labels::new([("__name__", "latency_seconds"), ("instance", &format!("10.0.0.{n}:8000")), ("job", "api")])
}

/// So many scrapes of all series, and the buckets of the last.
fn fill(db: &Db, scrapes: i64) -> f64 {
    let mut services: Vec<Service> = (0..SERIES as u64).map(Service::new).collect();
    let (mut refs, mut buckets) = (Vec::<SeriesRef>::new(), 0);
    for scrape in 0..scrapes {
        let (mut batch, t) = (db.batch(), START_MS + scrape * SCRAPE_MS);
        for (n, service) in services.iter_mut().enumerate() {
            let histogram = service.scrape();
            buckets += histogram.positive.indices.len();
            match refs.get(n) {
                Some(known) => batch.add_histogram_ref(*known, t, histogram).unwrap(),
                None => refs.push(batch.add_histogram(&labels(n), t, histogram).unwrap()),
            }
        }
        batch.commit().unwrap();
    }
    buckets as f64
}

fn sizes(_: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let scrapes = 6 * 240;
    let buckets = fill(&db, scrapes);
    let (log, head) = (db.stats().wal_bytes as f64, db.stats().head_bytes as f64);
    db.maintain(START_MS + scrapes * SCRAPE_MS + 10 * 3_600_000).unwrap();
    let (stats, samples) = (db.stats(), (SERIES as i64 * scrapes) as f64);
    println!(
        "{:.1} buckets a sample: {:.1} bytes a sample ({:.2} a bucket) in blocks, {:.1} in the head, {:.1} in the log",
        buckets / samples,
        stats.block_bytes as f64 / stats.block_samples as f64,
        stats.block_bytes as f64 / buckets,
        head / samples,
        log / samples,
    );
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("histograms");
    group.throughput(Throughput::Elements(SERIES as u64)).measurement_time(Duration::from_secs(4));
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let mut services: Vec<Service> = (0..SERIES as u64).map(Service::new).collect();
    let mut batch = db.batch();
    let mut t = START_MS;
    let refs: Vec<SeriesRef> = services
        .iter_mut()
        .enumerate()
        .map(|(n, service)| batch.add_histogram(&labels(n), t, service.scrape()).unwrap())
        .collect();
    batch.commit().unwrap();
    group.bench_function("append_500_refs", |b| {
        b.iter_batched(
            || services.iter_mut().map(Service::scrape).collect::<Vec<_>>(),
            |scraped| {
                t += SCRAPE_MS;
                let mut batch = db.batch();
                for (series, histogram) in refs.iter().zip(scraped) {
                    batch.add_histogram_ref(*series, t, histogram).unwrap();
                }
                batch.commit().unwrap()
            },
            criterion::BatchSize::SmallInput,
        );
    });
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("histograms");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let db = Db::in_memory(Options::default());
    fill(&db, 240);
    let mut samples = Samples::default();
    let series = db.select(&[], i64::MIN, i64::MAX).unwrap();
    group.throughput(Throughput::Elements(SERIES as u64 * 240));
    group.bench_function("read_500_series_1h", |b| {
        b.iter(|| series.iter().for_each(|series| series.read(&mut samples).unwrap()))
    });
}

criterion_group!(benches, sizes, append, read);
criterion_main!(benches);
