//! Metrics as text: Prometheus's classic format as Python's client writes it, and OpenMetrics 1.0.
//!
//! Python's client writes numbers as floats (`6.0`, `le="1.0"`) and, in the classic format, a `_created`
//! gauge beside every counter and histogram; `prometheus`'s own encoder writes `6`, `le="1"` and none.
//! Source of the spelling: prometheus_client 0.26, `generate_latest` of `exposition` and
//! `openmetrics.exposition`; compared in this file's tests.

use std::fmt::Write;

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType};

/// The two formats of `GET /metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Classic,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format an `Accept` header prefers; the classic one when it does not say.
    pub fn accepted(accept: &str) -> Format {
        let (mut classic, mut open_metrics) = (0.0_f64, 0.0_f64);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut quality = 1.0;
            for part in parts {
                if let Some(value) = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")) {
                    quality = value.parse().unwrap_or(0.0);
                }
            }
            match media_type.as_str() {
                "application/openmetrics-text" => open_metrics = open_metrics.max(quality),
                "text/plain" | "text/*" | "*/*" => classic = classic.max(quality),
                _ => {}
            }
        }
        // Prometheus before 2.49 gives both no quality and lists OpenMetrics first.
        if open_metrics > 0.0 && open_metrics >= classic { Format::OpenMetrics } else { Format::Classic }
    }

    /// The `Content-Type` of the text.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A text being written, family by family.
pub struct Exposition {
    format: Format,
    text: String,
}

impl Exposition {
    /// An empty text.
    pub fn new(format: Format) -> Self {
        Exposition { format, text: String::with_capacity(8 << 10) }
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
        if self.format == Format::Classic {
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
        let quotes = self.format == Format::OpenMetrics;
        self.escaped(help, quotes);
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
        self.text.push_str(name);
        for (position, (label, value)) in labels.iter().enumerate() {
            self.text.push(if position == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.escaped(value, true);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.text.push(' ');
        self.text.push_str(&number(value));
        self.text.push('\n');
    }

    fn escaped(&mut self, text: &str, quotes: bool) {
        for character in text.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '"' if quotes => self.text.push_str("\\\""),
                other => self.text.push(other),
            }
        }
    }
}

fn labels(metric: &Metric) -> Vec<(&str, &str)> {
    metric.get_label().iter().map(|label| (label.name(), label.value())).collect()
}

/// A number as Python's client writes it: its `repr`, but from a million on with Go's exponent.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    let mut text = String::new();
    // Python's repr changes to an exponent below 1e-4 and from 1e16, Go's from 1e21 but the client from 1e6.
    if magnitude != 0.0 && magnitude < 1e-4 || value >= 1e6 || value <= -1e16 {
        let digits = format!("{value:e}");
        let (mantissa, exponent) = digits.split_once('e').expect("the e format writes an exponent");
        let sign = if exponent.starts_with('-') { '-' } else { '+' };
        let _ = write!(text, "{mantissa}e{sign}{:0>2}", exponent.trim_start_matches('-'));
    } else {
        let _ = write!(text, "{value:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::core::Collector;
    use prometheus::{IntCounterVec, Opts};

    #[test]
    fn numbers_are_spelled_as_in_python() {
        for line in include_str!("../../tests/golden/numbers.txt").lines() {
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
            (Format::Classic, include_str!("../../tests/golden/escaped.classic.txt")),
            (Format::OpenMetrics, include_str!("../../tests/golden/escaped.openmetrics.txt")),
        ] {
            let mut text = Exposition::new(format);
            text.family(&counter.collect()[0], Some(1_700_000_000.25));
            assert_eq!(text.finish(), expected);
        }
    }

    #[test]
    fn a_family_without_children_is_its_head() {
        let counter = IntCounterVec::new(Opts::new("empty_total", "Nothing yet."), &["code"]).unwrap();
        let mut text = Exposition::new(Format::Classic);
        text.family(&counter.collect()[0], None);
        assert_eq!(text.finish(), "# HELP empty_total Nothing yet.\n# TYPE empty_total counter\n");
    }

    #[test]
    fn the_accept_header_decides() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Format::Classic),
            ("*/*", Format::Classic),
            ("text/html, */*;q=0.8", Format::Classic),
            ("text/plain;version=0.0.4", Format::Classic),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Classic),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Classic),
            ("application/openmetrics-text;q=what", Format::Classic),
            (prometheus_3, Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }
}
