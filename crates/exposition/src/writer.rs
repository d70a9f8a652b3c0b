//! Metrics as text: Prometheus's classic format as Python's client writes it, and OpenMetrics 1.0.
//!
//! Python's client writes numbers as floats (`6.0`, `le="1.0"`) and, in the classic format, a `_created`
//! gauge beside every counter and histogram; `prometheus`'s own encoder writes `6`, `le="1"` and none.
//! Source of the spelling: prometheus_client 0.26, `generate_latest` of `exposition` and
//! `openmetrics.exposition`; compared in this file's tests.

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType};
use streamflow_gotext::exponential;

use crate::format::Format;
use crate::line::{escape, series};

/// A text being written, family by family.
pub struct Writer {
    format: Format,
    text: String,
}

impl Writer {
    /// An empty text.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Writer { format, text: String::with_capacity(8 << 10) }
    }

    /// Writes a counter, gauge or histogram; counters and histograms with when they were `created`, in
    /// seconds since 1970, where that is known.
    pub fn family(&mut self, family: &MetricFamily, created: Option<f64>) {
        let (name, help, metrics) = (family.name(), family.help(), family.get_metric());
        let kind = family.get_field_type();
        let base = name.strip_suffix("_total").unwrap_or(name);
        match kind {
            MetricType::COUNTER => {
                self.head(if self.format == Format::OpenMetrics { base } else { name }, help, "counter");
                for metric in metrics {
                    self.sample(&format!("{base}_total"), &labels(metric), metric.get_counter().get_value());
                }
            }
            MetricType::HISTOGRAM => {
                self.head(name, help, "histogram");
                for metric in metrics {
                    self.histogram(name, &labels(metric), metric.get_histogram());
                }
            }
            _ => {
                self.head(name, help, "gauge");
                for metric in metrics {
                    self.sample(name, &labels(metric), metric.get_gauge().get_value());
                }
            }
        }
        let Some(created) = created.filter(|_| matches!(kind, MetricType::COUNTER | MetricType::HISTOGRAM))
        else {
            return;
        };
        let created_name = format!("{base}_created");
        if self.format == Format::Text {
            self.head(&created_name, help, "gauge");
        }
        for metric in metrics {
            self.sample(&created_name, &labels(metric), created);
        }
    }

    /// Writes a gauge of one sample.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.head(name, help, "gauge");
        self.sample(name, labels, value);
    }

    /// Writes a gauge of one sample for each item; nothing at all for none.
    pub fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        self.samples(name, help, "gauge", samples);
    }

    /// Writes a counter of one sample for each item; nothing at all for none.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        self.samples(name, help, "counter", samples);
    }

    fn samples<'a>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        samples: impl Iterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let base = name.strip_suffix("_total").unwrap_or(name);
        for (place, (labels, value)) in samples.enumerate() {
            if place == 0 {
                let is_base = kind == "counter" && self.format == Format::OpenMetrics;
                self.head(if is_base { base } else { name }, help, kind);
            }
            self.sample(name, &labels, value);
        }
    }

    /// Writes a counter of one sample without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, std::iter::once((Vec::new(), value)));
    }

    /// The whole text.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.text.push_str("# HELP ");
        self.text.push_str(name);
        self.text.push(' ');
        escape(help, self.format == Format::OpenMetrics, &mut self.text);
        self.text.push_str("\n# TYPE ");
        self.text.push_str(name);
        self.text.push(' ');
        self.text.push_str(kind);
        self.text.push('\n');
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket_name = format!("{name}_bucket");
        let count = histogram.get_sample_count();
        let bounds =
            histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        let finite = bounds.filter(|(bound, _)| bound.is_finite());
        for (bound, cumulative) in finite.chain([(f64::INFINITY, count)]) {
            let bound = number(bound);
            let mut with_bound = labels.to_vec();
            with_bound.push(("le", bound.as_str()));
            self.sample(&bucket_name, &with_bound, cumulative as f64);
        }
        self.sample(&format!("{name}_count"), labels, count as f64);
        self.sample(&format!("{name}_sum"), labels, histogram.get_sample_sum());
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        series(name, labels.iter().copied(), &mut self.text);
        self.text.push(' ');
        self.text.push_str(&number(value));
        self.text.push('\n');
    }
}

fn labels(metric: &Metric) -> Vec<(&str, &str)> {
    metric.get_label().iter().map(|label| (label.name(), label.value())).collect()
}

/// A number as Python's client writes it: its `repr`, but from a million on with Go's exponent.
fn number(value: f64) -> String {
    let size = value.abs();
    // Python's repr changes to an exponent below 1e-4 and from 1e16, the client from 1e6.
    if !value.is_finite() || (size != 0.0 && size < 1e-4) || value >= 1e6 || value <= -1e16 {
        exponential(value, None)
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::core::Collector;
    use prometheus::{IntCounterVec, Opts};

    #[test]
    fn numbers_are_spelled_as_in_python() {
        for line in include_str!("../tests/golden/numbers.txt").lines() {
            let (python, expected) = line.split_once(' ').unwrap();
            assert_eq!(number(python.parse().unwrap()), expected, "{python}");
        }
    }

    #[test]
    fn help_and_labels_are_escaped_as_in_python() {
        let counter =
            prometheus::CounterVec::new(Opts::new("escaped_total", "A \\ and a \n and a \""), &["code"])
                .unwrap();
        counter.with_label_values(&["2\"\\0\n0"]).inc_by(12_345_678.5);
        for (format, expected) in [
            (Format::Text, include_str!("../tests/golden/escaped.classic.txt")),
            (Format::OpenMetrics, include_str!("../tests/golden/escaped.openmetrics.txt")),
        ] {
            let mut text = Writer::new(format);
            text.family(&counter.collect()[0], Some(1_700_000_000.25));
            assert_eq!(text.finish(), expected);
        }
    }

    #[test]
    fn a_family_without_children_is_its_head() {
        let counter = IntCounterVec::new(Opts::new("empty_total", "Nothing yet."), &["code"]).unwrap();
        let mut text = Writer::new(Format::Text);
        text.family(&counter.collect()[0], None);
        assert_eq!(text.finish(), "# HELP empty_total Nothing yet.\n# TYPE empty_total counter\n");
    }
}
