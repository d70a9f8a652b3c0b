//! What a parser finds, one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use streamflow_histogram::Histogram;

use crate::labels::LabelPairs;

/// What a line of an exposition says; comments are left out.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// `# TYPE`
    Type {
        /// The family's name.
        family: Cow<'a, str>,
        /// Its type.
        kind: MetricType,
    },
    /// `# HELP`
    Help {
        /// The family's name.
        family: Cow<'a, str>,
        /// The text, escapes read.
        help: Cow<'a, str>,
    },
    /// `# UNIT`, OpenMetrics only.
    Unit {
        /// The family's name.
        family: Cow<'a, str>,
        /// The unit; may be empty.
        unit: &'a str,
    },
    /// A line with a value.
    Sample(Sample<'a>),
}

/// A value of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// The text that names the series, as it was sent: the key under which a known series is found without reading
    /// its labels. Two texts can name one series (other order, other escapes, blanks).
    pub series: &'a str,
    /// The value; a number that is none has Prometheus's bits for it, never those of a stale marker.
    pub value: f64,
    /// Milliseconds since 1970, when the target gave a time.
    pub timestamp_ms: Option<i64>,
    /// OpenMetrics and protobuf only; one in a text, several where the sample is a histogram.
    pub exemplars: Vec<Exemplar<'a>>,
    /// What the sample is in place of its value; protobuf only.
    pub histogram: Option<Arc<Histogram>>,
    /// When what is counted was nothing, in milliseconds since 1970, where the target said so. The `_created` lines of a text
    /// stand for themselves here: see [`Created`](crate::Created).
    pub start_ms: Option<i64>,
}

impl<'a> Sample<'a> {
    /// The labels, the metric's name first as `__name__`, the others as sent: neither sorted nor unique, values may be
    /// empty.
    #[must_use]
    pub fn labels(&self) -> LabelPairs<'a> {
        LabelPairs::of_series(self.series)
    }
}

/// An example behind a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'a> {
    pub(crate) labels: &'a str,
    /// The example's value.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl<'a> Exemplar<'a> {
    /// The labels as sent.
    #[must_use]
    pub fn labels(&self) -> LabelPairs<'a> {
        LabelPairs::of_set(self.labels)
    }
}

/// What a family measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Only grows, except when its process starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// A histogram whose buckets may shrink; OpenMetrics only.
    GaugeHistogram,
    /// Quantiles by the target.
    Summary,
    /// Labels that describe; OpenMetrics only.
    Info,
    /// One of several states; OpenMetrics only.
    StateSet,
    /// Not said.
    Unknown,
}

impl MetricType {
    const ALL: [Self; 8] = [
        MetricType::Unknown,
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::GaugeHistogram,
        MetricType::Summary,
        MetricType::Info,
        MetricType::StateSet,
    ];

    /// The type of a name that Prometheus's API gives.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Unknown)
    }

    /// The type of a number of remote write, in both of its versions.
    #[must_use]
    pub fn of_code(code: i32) -> Self {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied().unwrap_or(Self::Unknown)
    }

    /// The number that remote write gives it.
    #[must_use]
    pub fn code(self) -> i32 {
        Self::ALL.iter().position(|kind| *kind == self).unwrap_or(0) as i32
    }

    /// The name that Prometheus's API gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
            MetricType::Unknown => "unknown",
        }
    }
}
