//! A body of 1,000 series, as bytes and as samples a second: parsed, and with the labels of every series read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use streamflow_exposition::remote_write::{
    Label, Limits, Received, Sample, TimeSeries, WriteRequest, decode, encode, unpack, v2,
};
use streamflow_exposition::{Event, Format, Parser};

/// Ten families of a hundred series with three labels, the shape of a service's own metrics.
fn body(end: &str) -> String {
    let mut body = String::new();
    for family in 0..10 {
        body += &format!("# HELP api_requests_{family}_total What was answered.\n");
        body += &format!("# TYPE api_requests_{family}_total counter\n");
        for series in 0..100 {
            let value = f64::from(family * 1000 + series) * 1.37;
            let code = 200 + series % 5;
            body += &format!(
                "api_requests_{family}_total{{code=\"{code}\",handler=\"/predict/{series}\",method=\"post\"}} {value}\n"
            );
        }
    }
    body + end
}

fn parse(criterion: &mut Criterion) {
    for (name, format, end) in [("text", Format::Text, ""), ("openmetrics", Format::OpenMetrics, "# EOF\n")] {
        let body = body(end);
        for (unit, throughput) in
            [("bytes", Throughput::Bytes(body.len() as u64)), ("samples", Throughput::Elements(1000))]
        {
            let mut group = criterion.benchmark_group(format!("{name} {unit}"));
            group.throughput(throughput);
            group.bench_function("known series", |bencher| {
                bencher.iter(|| {
                    for event in Parser::new(format, black_box(body.as_bytes())) {
                        black_box(event.unwrap());
                    }
                });
            });
            group.bench_function("with labels", |bencher| {
                bencher.iter(|| {
                    for event in Parser::new(format, black_box(body.as_bytes())) {
                        if let Event::Sample(sample) = event.unwrap() {
                            sample.labels().for_each(|pair| drop(black_box(pair)));
                        }
                    }
                });
            });
            group.finish();
        }
    }
}

/// A request of 2,000 samples as Prometheus sends it, one of each series with ten labels; and of 500 series with 20 samples.
fn request(series: usize, samples: usize) -> WriteRequest {
    let label = |name: String, value: String| Label { name, value };
    let timeseries = (0..series).map(|place| TimeSeries {
        labels: std::iter::once(label("__name__".into(), "api_requests_total".into()))
            .chain((0..9).map(|at| label(format!("label_{at}"), format!("value {}", place * (at + 1)))))
            .collect(),
        samples: (0..samples)
            .map(|at| Sample::new(1_700_000_000_000 + at as i64 * 15_000, at as f64))
            .collect(),
        ..TimeSeries::default()
    });
    WriteRequest { timeseries: timeseries.collect(), metadata: Vec::new() }
}

/// Samples a second, unpacked and read as a receiver reads them, beside the messages that own their texts.
fn remote_write(criterion: &mut Criterion) {
    let limits = Limits::default();
    for (series, samples) in [(2000, 1), (500, 20)] {
        let request = request(series, samples);
        let (one, two) = (encode(&request), v2::encode(&request));
        let mut group = criterion.benchmark_group(format!("remote write, {series} x {samples}"));
        group.throughput(Throughput::Elements((series * samples) as u64));
        group.bench_function("version 1", |bencher| {
            bencher.iter(|| {
                let message = unpack(black_box(&one), &limits).unwrap();
                Received::v1(&message, &limits).unwrap().series().len()
            });
        });
        group.bench_function("version 2", |bencher| {
            bencher.iter(|| {
                let message = unpack(black_box(&two), &limits).unwrap();
                Received::v2(&message, &limits).unwrap().series().len()
            });
        });
        group.bench_function("version 1 as messages", |bencher| {
            bencher.iter(|| decode(black_box(&one), &limits).unwrap().timeseries.len());
        });
        group.finish();
    }
}

criterion_group!(benches, parse, remote_write);
criterion_main!(benches);
