//! Samples as families in protobuf: what a federation endpoint answers to those who want it so.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message as _;
use streamflow_gotext::Escaping;
use streamflow_histogram::{Histogram, ResetHint};

use super::message::{self, HistogramMessage, LabelPair, Metric, MetricFamily, Number};
use crate::native::{BucketSpan, spans};

/// What a sample holds.
#[derive(Debug, Clone, Copy)]
pub enum Held<'a> {
    /// A number, of a family without a type.
    Number(f64),
    /// A native histogram; one with custom bounds has no form here.
    Histogram(&'a Histogram),
}

/// Collects samples by family and writes the families in the order of their names, numbers before histograms; within a family the
/// order of [`Encoder::sample`] is kept.
#[derive(Debug, Default)]
pub struct Encoder {
    escaping: Escaping,
    families: BTreeMap<(String, bool), MetricFamily>,
}

impl Encoder {
    /// Without a sample, for a reader who wants names spelled so.
    #[must_use]
    pub fn with_escaping(escaping: Escaping) -> Self {
        Self { escaping, ..Self::default() }
    }

    /// Adds what the series `name{labels}` holds; a pair `__name__` among the labels is left out. False, and nothing is added,
    /// for a histogram with custom bounds.
    pub fn sample<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        held: Held,
        timestamp_ms: i64,
    ) -> bool {
        let labels = labels.into_iter().filter(|(label, _)| *label != "__name__");
        let label = labels
            .map(|(label, value)| LabelPair {
                name: self.escaping.escape(label).into_owned(),
                value: value.to_owned(),
            })
            .collect();
        let metric = Metric { label, timestamp_ms, ..Metric::default() };
        let (kind, metric) = match held {
            Held::Number(value) => (message::UNTYPED, Metric { untyped: Some(Number { value }), ..metric }),
            Held::Histogram(histogram) if histogram.has_custom_bounds() => return false,
            Held::Histogram(histogram) => {
                let kind = match histogram.reset {
                    ResetHint::Gauge => message::GAUGE_HISTOGRAM,
                    _ => message::HISTOGRAM,
                };
                (kind, Metric { histogram: Some(Box::new(written(histogram))), ..metric })
            }
        };
        let name = self.escaping.escape(name);
        let new = |name: Cow<str>| MetricFamily { name: name.into_owned(), kind, ..MetricFamily::default() };
        let place = (name.clone().into_owned(), kind != message::UNTYPED);
        self.families.entry(place).or_insert_with(|| new(name)).metric.push(metric);
        true
    }

    /// The body; empty without samples.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.families.values().flat_map(|family| family.encode_length_delimited_to_vec()).collect()
    }
}

fn written(histogram: &Histogram) -> HistogramMessage {
    let mut positive_span = spans(&histogram.positive);
    if positive_span.is_empty() && histogram.negative.indices.is_empty() {
        // One without buckets is told from a classic one by a span of none.
        positive_span.push(BucketSpan::default());
    }
    HistogramMessage {
        sample_count_float: histogram.count,
        sample_sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count_float: histogram.zero_count,
        negative_span: spans(&histogram.negative),
        negative_count: histogram.negative.counts.clone(),
        positive_span,
        positive_count: histogram.positive.counts.clone(),
        ..HistogramMessage::default()
    }
}

#[cfg(test)]
mod tests {
    use streamflow_histogram::{Buckets, CUSTOM_BOUNDS};

    use super::super::{Families, Take};
    use super::*;
    use crate::event::Event;

    #[test]
    fn what_is_written_is_read() {
        let mut encoder = Encoder::with_escaping(Escaping::Underscores);
        let native = Histogram {
            schema: 2,
            count: 5.5,
            sum: -1.0,
            zero_threshold: 0.25,
            zero_count: 1.0,
            positive: Buckets { indices: vec![-1, 4], counts: vec![1.5, 2.0] },
            negative: Buckets { indices: vec![0], counts: vec![1.0] },
            ..Histogram::default()
        };
        let empty = Histogram { reset: ResetHint::Gauge, ..Histogram::default() };
        let custom = Histogram { schema: CUSTOM_BOUNDS, custom_bounds: vec![1.0], ..Histogram::default() };
        assert!(encoder.sample("b", [("__name__", "b"), ("job.x", "a")], Held::Number(f64::INFINITY), 7));
        assert!(encoder.sample("b", [("job.x", "b")], Held::Histogram(&native), -7));
        assert!(encoder.sample("a.a", [], Held::Histogram(&empty), 8));
        assert!(!encoder.sample("c", [], Held::Histogram(&custom), 9));
        let body = encoder.finish();
        let mut found = Vec::new();
        for family in Families::new(&body, Take { native: true, ..Take::default() }) {
            for event in family.unwrap().events() {
                match event {
                    Event::Type { family, kind } => found.push(format!("{family} {}", kind.as_str())),
                    Event::Sample(sample) => {
                        let held = sample.histogram.as_ref().map(|histogram| (**histogram).clone());
                        if sample.series == "b{job_x=\"b\"}" {
                            assert_eq!(held.as_ref(), Some(&native));
                        }
                        let count = held.map_or(sample.value, |histogram| histogram.count);
                        found.push(format!("{} {count} {:?}", sample.series, sample.timestamp_ms));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let expected = [
            "a_a gaugehistogram",
            "a_a 0 Some(8)",
            "b unknown",
            "b{job_x=\"a\"} inf Some(7)",
            "b histogram",
            "b{job_x=\"b\"} 5.5 Some(-7)",
        ];
        assert_eq!(found, expected);
        assert!(Encoder::default().finish().is_empty());
    }
}
