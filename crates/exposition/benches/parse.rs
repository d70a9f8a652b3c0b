//! A body of 1,000 series, as bytes and as samples a second: parsed, and with the labels of every series read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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

criterion_group!(benches, parse);
criterion_main!(benches);
