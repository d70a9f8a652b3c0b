//! A family as events.

use std::borrow::Cow;
use std::sync::Arc;

use streamflow_gotext::open_metrics;
use streamflow_histogram::{CUSTOM_BOUNDS, Histogram, ResetHint};

use super::Take;
use super::message::{
    self, Bucket, Exemplar as ExemplarMessage, HistogramMessage, LabelPair, Metric, MetricFamily, Timestamp,
};
use crate::classic::with_custom_bounds;
use crate::error::Error;
use crate::event::{Event, Exemplar, MetricType, Sample};
use crate::line;
use crate::native::{Integers, buckets, checked};

/// A family with its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    name: String,
    help: String,
    unit: String,
    kind: MetricType,
    samples: Vec<Row>,
}

/// A sample whose texts are its own.
#[derive(Debug, Clone, PartialEq, Default)]
struct Row {
    series: String,
    value: f64,
    histogram: Option<Arc<Histogram>>,
    timestamp_ms: Option<i64>,
    /// Labels as a set, value, time.
    exemplars: Vec<(String, f64, Option<i64>)>,
    start_ms: Option<i64>,
}

impl Family {
    /// The family of this number in its body.
    pub(super) fn read(family: MetricFamily, number: usize, take: Take) -> Result<Self, Error> {
        let kind = match family.kind {
            message::COUNTER => MetricType::Counter,
            message::GAUGE => MetricType::Gauge,
            message::SUMMARY => MetricType::Summary,
            message::HISTOGRAM => MetricType::Histogram,
            message::GAUGE_HISTOGRAM => MetricType::GaugeHistogram,
            _ => MetricType::Unknown,
        };
        let rows = Vec::with_capacity(family.metric.len());
        let mut rows = Rows { name: &family.name, number, kind, take, start_ms: None, rows };
        family.metric.iter().try_for_each(|metric| rows.metric(metric))?;
        let samples = rows.rows;
        Ok(Self { name: family.name, help: family.help, unit: family.unit, kind, samples })
    }

    /// What the family says, as a text would: its type, help and unit, then its samples.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let family = || Cow::Borrowed(self.name.as_str());
        let help = || Event::Help { family: family(), help: Cow::Borrowed(self.help.as_str()) };
        let unit = || Event::Unit { family: family(), unit: &self.unit };
        let about = [
            Some(Event::Type { family: family(), kind: self.kind }),
            (!self.help.is_empty()).then(help),
            (!self.unit.is_empty()).then(unit),
        ];
        about.into_iter().flatten().chain(self.samples.iter().map(|row| Event::Sample(row.sample())))
    }
}

impl Row {
    fn sample(&self) -> Sample<'_> {
        let exemplars = self.exemplars.iter().map(|(labels, value, timestamp_ms)| Exemplar {
            labels,
            value: *value,
            timestamp_ms: *timestamp_ms,
        });
        Sample {
            series: &self.series,
            value: self.value,
            timestamp_ms: self.timestamp_ms,
            exemplars: exemplars.collect(),
            histogram: self.histogram.clone(),
            start_ms: self.start_ms,
        }
    }
}

/// The samples of a family in the making.
struct Rows<'a> {
    name: &'a str,
    number: usize,
    kind: MetricType,
    take: Take,
    /// When the metric at hand was created.
    start_ms: Option<i64>,
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn metric(&mut self, metric: &Metric) -> Result<(), Error> {
        self.start_ms = created(metric).and_then(milliseconds);
        match self.kind {
            MetricType::Counter => {
                let counter = metric.counter.as_deref().ok_or_else(|| self.lacks("counter"))?;
                self.push(metric, "", None, counter.value).exemplars =
                    counter.exemplar.iter().map(exemplar).collect();
            }
            MetricType::Gauge => {
                let gauge = metric.gauge.as_ref().ok_or_else(|| self.lacks("gauge"))?;
                self.push(metric, "", None, gauge.value);
            }
            MetricType::Summary => {
                let summary = metric.summary.as_deref().ok_or_else(|| self.lacks("summary"))?;
                self.push(metric, "_count", None, summary.sample_count as f64);
                self.push(metric, "_sum", None, summary.sample_sum);
                for quantile in &summary.quantile {
                    let at = open_metrics(quantile.quantile);
                    self.push(metric, "", Some(("quantile", &at)), quantile.value);
                }
            }
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let histogram = metric.histogram.as_deref().ok_or_else(|| self.lacks("histogram"))?;
                self.histogram(metric, histogram)?;
            }
            _ => {
                let untyped = metric.untyped.as_ref().ok_or_else(|| self.lacks("untyped value"))?;
                self.push(metric, "", None, untyped.value);
            }
        }
        Ok(())
    }

    fn lacks(&self, what: &str) -> Error {
        let reason = format!("a metric of {:?} without its {what}", self.name);
        Error::Family { number: self.number, reason }
    }

    fn push(&mut self, metric: &Metric, suffix: &str, beside: Option<(&str, &str)>, value: f64) -> &mut Row {
        let mut series = String::new();
        let labels = metric.label.iter().map(|LabelPair { name, value }| (name.as_str(), value.as_str()));
        line::series(&format!("{}{suffix}", self.name), labels.chain(beside), &mut series);
        let timestamp_ms = Some(metric.timestamp_ms).filter(|time| *time != 0);
        let value = ordinary(value);
        self.rows.push(Row { series, value, timestamp_ms, start_ms: self.start_ms, ..Row::default() });
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    fn histogram(&mut self, metric: &Metric, histogram: &HistogramMessage) -> Result<(), Error> {
        let native = self.take.native && is_native(histogram);
        let read = match native {
            true => Some(self.native(histogram)?),
            // What cannot be converted stays what it is.
            false => self.converted(histogram).filter(|_| self.take.native && self.take.convert),
        };
        let is_classic = read.is_none() || (self.take.classic && !histogram.bucket.is_empty());
        if let Some(read) = read {
            let of_buckets = || histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_deref());
            let exemplars: Vec<_> = match histogram.exemplars.as_slice() {
                [] => of_buckets().map(exemplar).collect(),
                own => own.iter().map(exemplar).collect(),
            };
            let row = self.push(metric, "", None, 0.0);
            (row.histogram, row.exemplars) = (Some(Arc::new(read)), exemplars);
        }
        if is_classic {
            self.classic(metric, histogram);
        }
        Ok(())
    }

    fn native(&self, message: &HistogramMessage) -> Result<Histogram, Error> {
        let floats = message.sample_count_float > 0.0
            || message.zero_count_float > 0.0
            || !message.positive_count.is_empty()
            || !message.negative_count.is_empty();
        let of = |side, spans, deltas, counts| {
            if floats { buckets(side, spans, &[], counts) } else { buckets(side, spans, deltas, &[]) }
        };
        let positive =
            of("positive", &message.positive_span, &message.positive_delta, &message.positive_count);
        let negative =
            of("negative", &message.negative_span, &message.negative_delta, &message.negative_count);
        let histogram = Histogram {
            reset: self.reset(),
            schema: message.schema,
            zero_threshold: message.zero_threshold,
            zero_count: if floats { message.zero_count_float } else { message.zero_count as f64 },
            count: count(message),
            sum: ordinary(message.sample_sum),
            positive: positive.map_err(|error| self.of_family(error))?,
            negative: negative.map_err(|error| self.of_family(error))?,
            custom_bounds: Vec::new(),
        };
        let integers = (!floats).then(|| Integers {
            count: message.sample_count,
            zero_count: message.zero_count,
            deltas: [&message.positive_delta, &message.negative_delta],
        });
        checked(histogram, integers).map_err(|error| self.of_family(error))
    }

    fn converted(&self, message: &HistogramMessage) -> Option<Histogram> {
        let pairs = message.bucket.iter().map(|bucket| (bucket.upper_bound, cumulative(bucket)));
        let histogram = with_custom_bounds(pairs, count(message), ordinary(message.sample_sum)).ok()?;
        Some(Histogram { reset: self.reset(), ..histogram })
    }

    fn reset(&self) -> ResetHint {
        match self.kind {
            MetricType::GaugeHistogram => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        }
    }

    fn of_family(&self, error: Error) -> Error {
        match error {
            Error::Histogram(reason) => Error::Histogram(format!("{reason}, in the family {:?}", self.name)),
            other => other,
        }
    }

    fn classic(&mut self, metric: &Metric, histogram: &HistogramMessage) {
        let count = count(histogram);
        self.push(metric, "_count", None, count);
        self.push(metric, "_sum", None, histogram.sample_sum);
        for bucket in &histogram.bucket {
            let bound = open_metrics(bucket.upper_bound);
            self.push(metric, "_bucket", Some(("le", &bound)), cumulative(bucket)).exemplars =
                bucket.exemplar.as_deref().map(exemplar).into_iter().collect();
        }
        if histogram.bucket.last().is_none_or(|last| last.upper_bound != f64::INFINITY) {
            self.push(metric, "_bucket", Some(("le", "+Inf")), count);
        }
    }
}

/// Tells whether there is a native histogram. One without observations says so by a span of no buckets.
fn is_native(histogram: &HistogramMessage) -> bool {
    histogram.zero_threshold > 0.0
        || histogram.zero_count > 0
        || histogram.zero_count_float > 0.0
        || !histogram.positive_span.is_empty()
        || !histogram.negative_span.is_empty()
        || histogram.schema == CUSTOM_BOUNDS
}

fn count(histogram: &HistogramMessage) -> f64 {
    if histogram.sample_count_float > 0.0 {
        histogram.sample_count_float
    } else {
        histogram.sample_count as f64
    }
}

fn cumulative(bucket: &Bucket) -> f64 {
    let float = bucket.cumulative_count_float;
    if float > 0.0 { float } else { bucket.cumulative_count as f64 }
}

fn exemplar(message: &ExemplarMessage) -> (String, f64, Option<i64>) {
    let mut labels = String::new();
    let pairs = message.label.iter().map(|LabelPair { name, value }| (name.as_str(), value.as_str()));
    line::set(pairs, &mut labels);
    let time = message.timestamp.as_ref();
    let ms =
        time.map(|time| time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000));
    (labels, message.value, ms)
}

/// When the counter, the summary or the histogram of a metric was created.
fn created(metric: &Metric) -> Option<&Timestamp> {
    let counter = metric.counter.as_ref().and_then(|counter| counter.created_timestamp.as_ref());
    let summary = || metric.summary.as_ref().and_then(|summary| summary.created_timestamp.as_ref());
    let histogram = || metric.histogram.as_ref().and_then(|histogram| histogram.created_timestamp.as_ref());
    counter.or_else(summary).or_else(histogram)
}

/// None for a time that protobuf has not, and for zero, which says that no time is known.
fn milliseconds(time: &Timestamp) -> Option<i64> {
    let nanos = Some(time.nanos).filter(|nanos| (0..1_000_000_000).contains(nanos))?;
    let ms = time.seconds.checked_mul(1000)?.checked_add(i64::from(nanos) / 1_000_000)?;
    (ms != 0).then_some(ms)
}

/// A number that is none has Prometheus's bits for it, never those of a stale marker.
fn ordinary(value: f64) -> f64 {
    if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0001) } else { value }
}
