//! Sends a history of made-up metrics to any remote-write receiver, as fast as it takes them.
//!
//! ```text
//! feed HOST:PORT --series N --histograms N --steps N [--natives N] [--interval-s 15] [--end UNIX_SECONDS]
//! ```
//!
//! The metrics look like a service's: `m` is a counter by `job`, `instance` and `series` (of which a fifth never
//! moves and a fifth grows by fractions), `b_bucket` a histogram of ten buckets by `instance`. Every series has a
//! label `small="yes"` for the first hundred of its kind, so that a query can ask for few of them. `n` is a native
//! histogram of ten buckets by `instance`, which is not counted. Values depend on the place of a series
//! and of a step alone. Prints the samples sent and the seconds taken.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use streamflow_exposition::BucketSpan;
use streamflow_exposition::remote_write::{Label, NativeHistogram, Sample, TimeSeries, WriteRequest, encode};

/// Steps and series of one request: ten thousand samples.
const STEPS: usize = 20;
const SERIES: usize = 500;
const BUCKETS: [&str; 10] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

struct Row {
    labels: Vec<Label>,
    kind: Kind,
    seed: u64,
    value: f64,
}

#[derive(Clone, Copy)]
enum Kind {
    Count,
    Constant,
    Fraction,
    /// Grows more the higher the bucket, always the same for one instance and step.
    Bucket(usize),
}

impl Row {
    fn next(&mut self, step: u64) -> f64 {
        let mut bits = self.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        self.value += match self.kind {
            Kind::Count => (bits % 20) as f64,
            Kind::Constant => 0.0,
            Kind::Fraction => (bits % 10_000) as f64 / 16_384.0,
            Kind::Bucket(place) => (bits % 8) as f64 * (place + 1) as f64,
        };
        self.value
    }
}

fn label(name: &str, value: impl ToString) -> Label {
    Label { name: name.into(), value: value.to_string() }
}

fn rows(series: usize, histograms: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for place in 0..series {
        let small = if place < 100 { "yes" } else { "no" };
        let labels = vec![
            label("__name__", "m"),
            label("instance", format!("10.0.{}.{}:8000", place / 250 % 250, place % 250)),
            label("job", format!("job-{}", place % 10)),
            label("series", place),
            label("small", small),
        ];
        let kind = match place % 5 {
            0 => Kind::Constant,
            1 => Kind::Fraction,
            _ => Kind::Count,
        };
        rows.push(Row { labels, kind, seed: place as u64, value: place as f64 });
    }
    for place in 0..histograms {
        let small = if place < 10 { "yes" } else { "no" };
        for (bucket, le) in BUCKETS.iter().enumerate() {
            let labels = vec![
                label("__name__", "b_bucket"),
                label("instance", format!("10.1.{}.{}:8000", place / 250 % 250, place % 250)),
                label("job", format!("job-{}", place % 10)),
                label("le", le),
                label("small", small),
            ];
            rows.push(Row { labels, kind: Kind::Bucket(bucket), seed: place as u64, value: 0.0 });
        }
    }
    rows
}

/// A native histogram at a step, whose buckets grow each by its own pace.
fn native(place: usize, step: i64, timestamp: i64) -> NativeHistogram {
    let counts: Vec<i64> = (0..10).map(|bucket| (step + 1) * (1 + (place as i64 + bucket) % 7)).collect();
    let before = std::iter::once(0).chain(counts.iter().copied());
    NativeHistogram {
        count_int: Some(counts.iter().sum::<i64>() as u64),
        sum: counts.iter().enumerate().map(|(bucket, count)| *count as f64 * (bucket as f64).exp2()).sum(),
        zero_threshold: 1e-6,
        zero_count_int: Some(0),
        positive_spans: vec![BucketSpan { offset: 0, length: 10 }],
        positive_deltas: counts.iter().zip(before).map(|(count, before)| count - before).collect(),
        timestamp,
        ..NativeHistogram::default()
    }
}

/// Sends the native histograms of some steps, many instances a request.
fn send_natives(stream: &mut BufReader<TcpStream>, host: &str, natives: usize, times: &[(i64, i64)]) {
    const INSTANCES: usize = 100;
    for first in (0..natives).step_by(INSTANCES) {
        let series = (first..natives.min(first + INSTANCES)).map(|place| TimeSeries {
            labels: vec![
                label("__name__", "n"),
                label("instance", format!("10.2.{}.{}:8000", place / 250 % 250, place % 250)),
                label("job", format!("job-{}", place % 10)),
            ],
            histograms: times.iter().map(|(step, time)| native(place, *step, *time)).collect(),
            ..TimeSeries::default()
        });
        let request = WriteRequest { timeseries: series.collect(), ..WriteRequest::default() };
        post(stream, host, &encode(&request));
    }
}

fn post(stream: &mut BufReader<TcpStream>, host: &str, body: &[u8]) {
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
         X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    stream.get_mut().write_all(body).unwrap();
    let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if status.is_empty() {
            status.clone_from(&line);
        }
        if let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            let _ = name;
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).unwrap();
    assert!(status.contains(" 20"), "{status}{}", String::from_utf8_lossy(&answer));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: i64| {
        let place = arguments.iter().position(|argument| argument == flag);
        place.map_or(default, |place| arguments[place + 1].parse().unwrap())
    };
    let host = &arguments[0];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let interval_ms = number("--interval-s", 15) * 1000;
    let steps = number("--steps", 240);
    let end_ms = number("--end", now) * 1000 / interval_ms * interval_ms;
    let mut rows = rows(number("--series", 1000) as usize, number("--histograms", 100) as usize);
    let mut stream = BufReader::new(TcpStream::connect(host).unwrap());
    stream.get_ref().set_nodelay(true).unwrap();

    let started = Instant::now();
    let mut sent = 0_u64;
    let time_of = |step| end_ms - (steps - 1 - step) * interval_ms;
    for window in (0..steps).step_by(STEPS) {
        let window = window..(window + STEPS as i64).min(steps);
        for block in rows.chunks_mut(SERIES) {
            let timeseries = block.iter_mut().map(|row| TimeSeries {
                labels: row.labels.clone(),
                samples: window
                    .clone()
                    .map(|step| Sample::new(time_of(step), row.next(step as u64)))
                    .collect(),
                ..TimeSeries::default()
            });
            let request = WriteRequest { timeseries: timeseries.collect(), ..WriteRequest::default() };
            sent += request.timeseries.iter().map(|series| series.samples.len() as u64).sum::<u64>();
            post(&mut stream, host, &encode(&request));
        }
        let times: Vec<(i64, i64)> = window.map(|step| (step, time_of(step))).collect();
        send_natives(&mut stream, host, number("--natives", 0) as usize, &times);
    }
    println!("{sent} samples in {:.2} s", started.elapsed().as_secs_f64());
}
