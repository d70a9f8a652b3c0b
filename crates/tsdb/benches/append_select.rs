//! Appending, selecting, decoding, opening; and bytes per sample of what scraping a service gives.
// A bench is a program: its sizes go to the terminal beside criterion's times.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use streamflow_tsdb::{Db, Fsync, Labels, MatchOp, Matcher, Options, Sample, Samples, SeriesRef, Value};

const SCRAPE_MS: i64 = 15_000;
const SERIES: usize = 10_000;

/// A small fixed generator: the same data in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a service exposes, by the row: each has its own way of growing.
#[derive(Clone, Copy)]
enum Kind {
    Up,
    Counter(u64),
    Bucket(u64),
    LatencySum,
    CpuSeconds,
    MemoryBytes,
    Goroutines,
    StartTime,
    Temperature,
    LoadAverage,
}

const KINDS: [Kind; 20] = [
    Kind::Up,
    Kind::Counter(1),
    Kind::Counter(20),
    Kind::Counter(3000),
    Kind::Counter(0),
    Kind::Bucket(0),
    Kind::Bucket(1),
    Kind::Bucket(2),
    Kind::Bucket(8),
    Kind::Bucket(16),
    Kind::Bucket(16),
    Kind::Bucket(16),
    Kind::LatencySum,
    Kind::LatencySum,
    Kind::CpuSeconds,
    Kind::MemoryBytes,
    Kind::Goroutines,
    Kind::StartTime,
    Kind::Temperature,
    Kind::LoadAverage,
];

fn step(kind: Kind, last: f64, random: &mut Random) -> f64 {
    match kind {
        Kind::Up => 1.0,
        Kind::Counter(0) => last,
        Kind::Counter(rate) | Kind::Bucket(rate) => last + random.below(2 * rate + 1) as f64,
        Kind::LatencySum => (0..random.below(12)).fold(last, |sum, _| sum + random.unit() * 0.08),
        Kind::CpuSeconds => ((last * 100.0).round() + random.below(40) as f64) / 100.0,
        Kind::MemoryBytes if random.below(3) == 0 => last,
        Kind::MemoryBytes => 5e7 + 4096.0 * random.below(3000) as f64,
        Kind::Goroutines => 30.0 + random.below(8) as f64,
        Kind::StartTime => 1_700_000_000.25,
        Kind::Temperature => ((last * 10.0).round() + random.below(3) as f64 - 1.0) / 10.0,
        Kind::LoadAverage => (random.unit() * 200.0).round() / 100.0,
    }
}

fn labels(n: usize) -> Labels {
    Labels::new([
        ("__name__", format!("service_metric_{}", n % KINDS.len())),
        ("instance", format!("10.0.{}.{}:8000", n / KINDS.len() / 250, n / KINDS.len() % 250)),
        ("job", "api".to_owned()),
        ("le", if (5..12).contains(&(n % KINDS.len())) { format!("0.{}", n % 20) } else { String::new() }),
    ])
}

/// Scrapes of all series; each instance at its own offset, with `jitter_ms` around it.
fn fill(db: &Db, series: usize, scrapes: i64, jitter_ms: u64) {
    let mut random = Random(7);
    let mut values = vec![0.0; series];
    let mut refs: Vec<SeriesRef> = Vec::new();
    for scrape in 0..scrapes {
        let mut batch = db.batch();
        let mut t = 0;
        for (n, value) in values.iter_mut().enumerate() {
            if n % KINDS.len() == 0 {
                let offset = (n as i64 * 7919) % SCRAPE_MS;
                t = 1_700_000_000_000 + scrape * SCRAPE_MS + offset + random.below(2 * jitter_ms + 1) as i64;
            }
            *value = step(KINDS[n % KINDS.len()], *value, &mut random);
            match refs.get(n) {
                Some(known) => batch.add_ref(*known, t, *value).unwrap(),
                None => refs.push(batch.add(&labels(n), t, *value).unwrap()),
            }
        }
        batch.commit().unwrap();
    }
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    group
        .throughput(Throughput::Elements(SERIES as u64))
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    let dir = tempfile::tempdir().unwrap();
    let options = Options { fsync: Fsync::Interval(Duration::from_secs(5)), ..Options::default() };
    for (name, db) in [
        ("log_10k_refs", Db::open(dir.path(), options).unwrap()),
        ("memory_10k_refs", Db::in_memory(Options::default())),
    ] {
        let mut batch = db.batch();
        let refs: Vec<SeriesRef> = (0..SERIES).map(|n| batch.add(&labels(n), 0, 0.0).unwrap()).collect();
        batch.commit().unwrap();
        let mut random = Random(3);
        let (mut t, mut values) = (0, vec![0.0; SERIES]);
        group.bench_function(name, |b| {
            b.iter(|| {
                t += SCRAPE_MS;
                let mut batch = db.batch();
                for (n, (series, value)) in refs.iter().zip(&mut values).enumerate() {
                    *value = step(KINDS[n % KINDS.len()], *value, &mut random);
                    batch.add_ref(*series, t, *value).unwrap();
                }
                batch.commit().unwrap()
            });
        });
    }
}

/// Requests of a sender that has something to make up for: twenty samples of each of 500 series, by their labels.
fn append_requests(c: &mut Criterion) {
    const STEPS: i64 = 20;
    let mut group = c.benchmark_group("append_requests");
    group
        .throughput(Throughput::Elements(500 * STEPS as u64))
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    let series: Vec<Labels> = (0..500).map(labels).collect();
    for (name, by_series) in [("each_sample_by_labels", false), ("each_series_by_labels", true)] {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), Options::default()).unwrap();
        let mut random = Random(3);
        let (mut t, mut values) = (0, vec![0.0; series.len()]);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut batch = db.batch();
                for (n, (labels, value)) in series.iter().zip(&mut values).enumerate() {
                    let samples = (1..=STEPS).map(|at| {
                        *value = step(KINDS[n % KINDS.len()], *value, &mut random);
                        (t + at * SCRAPE_MS, *value)
                    });
                    if by_series {
                        let samples = samples.map(|(t, value)| Sample::new(t, Value::Float(value)));
                        batch.add_all(labels, samples, |error| panic!("{error}"));
                    } else {
                        samples.for_each(|(t, value)| assert!(batch.add(labels, t, value).is_ok()));
                    }
                }
                t += STEPS * SCRAPE_MS;
                batch.commit().unwrap()
            });
        });
    }
}

fn read_all(db: &Db, min: i64, max: i64) -> u64 {
    let mut samples = Samples::default();
    let metric = [Matcher::new("job", MatchOp::Equal, "api").unwrap()];
    let mut count = 0;
    for series in db.select(&metric, min, max).unwrap() {
        series.read(&mut samples).unwrap();
        count += samples.len() as u64;
    }
    count
}

fn select(c: &mut Criterion) {
    let mut group = c.benchmark_group("select");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let scrapes = 6 * 240;
    fill(&db, SERIES, scrapes, 0);
    let all = (1_700_000_000_000, 1_700_000_000_000 + scrapes * SCRAPE_MS);
    let metric = [Matcher::new("job", MatchOp::Equal, "api").unwrap()];
    for place in ["head", "blocks"] {
        let samples = read_all(&db, all.0, all.1);
        group.throughput(Throughput::Elements(samples));
        group.bench_function(format!("{place}_10k_series_6h_read"), |b| {
            b.iter(|| read_all(&db, all.0, all.1))
        });
        group.throughput(Throughput::Elements(SERIES as u64));
        group.bench_function(format!("{place}_10k_series_6h_select"), |b| {
            b.iter(|| db.select(&metric, all.0, all.1))
        });
        group.bench_function(format!("{place}_10k_series_5m_read"), |b| {
            b.iter(|| read_all(&db, all.1 - 300_000, all.1))
        });
        db.maintain(all.1 + 10 * 3_600_000).unwrap();
    }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.measurement_time(Duration::from_secs(2));
    let mut random = Random(5);
    for (name, kind) in [
        ("up", Kind::Up),
        ("counter", Kind::Counter(20)),
        ("latency_sum", Kind::LatencySum),
        ("cpu_seconds", Kind::CpuSeconds),
    ] {
        let db = Db::in_memory(Options::default());
        let (mut batch, mut value) = (db.batch(), 0.0);
        for t in 0..12_000 {
            value = step(kind, value, &mut random);
            batch.add(&labels(0), t * SCRAPE_MS, value).unwrap();
        }
        batch.commit().unwrap();
        let series = db.select(&[], 0, i64::MAX).unwrap();
        let mut samples = Samples::default();
        group.throughput(Throughput::Elements(12_000));
        group.bench_function(name, |b| b.iter(|| series[0].read(&mut samples).unwrap()));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { assert!(std::fs::copy(&path, &target).is_ok()) }
    }
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    fill(&db, SERIES, 100, 2);
    drop(db);
    group.throughput(Throughput::Elements(1_000_000));
    let fresh = || {
        let target = tempfile::tempdir().unwrap();
        copy(dir.path(), target.path());
        target
    };
    group.bench_function("log_of_1m_samples", |b| {
        b.iter_batched(
            fresh,
            |target| (Db::open(target.path(), Options::default()).unwrap(), target),
            BatchSize::PerIteration,
        );
    });
}

fn sizes(_: &mut Criterion) {
    for jitter_ms in [0, 2] {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), Options::default()).unwrap();
        let scrapes = 6 * 240;
        let start = Instant::now();
        fill(&db, 2000, scrapes, jitter_ms);
        let samples = (2000 * scrapes) as f64;
        let filled = start.elapsed();
        let log = db.stats().wal_bytes as f64;
        let head = db.stats().head_bytes as f64;
        db.maintain(1_700_000_000_000 + scrapes * SCRAPE_MS + 10 * 3_600_000).unwrap();
        let stats = db.stats();
        println!(
            "jitter {jitter_ms} ms: {:.2} bytes per sample in blocks (chunks and index), {:.2} in the head, {:.2} in the log; \
             {:.0} samples/s with the generator",
            stats.block_bytes as f64 / stats.block_samples as f64,
            head / samples,
            log / samples,
            samples / filled.as_secs_f64(),
        );
    }
}

criterion_group!(benches, sizes, append, append_requests, select, decode, open);
criterion_main!(benches);
