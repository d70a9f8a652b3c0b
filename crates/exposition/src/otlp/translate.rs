//! Series of Prometheus, made of a request.

use std::collections::BTreeMap;

use prost::Message as _;
use streamflow_gotext::fixed;

use super::exemplar::exemplar;
use super::message::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, KeyValue, Metric, NumberDataPoint, Request,
    Resource, SummaryDataPoint,
};
use super::names::{Kind, Translation};
use super::native;
use super::value::text;
use crate::error::Error;
use crate::remote_write::{Label, Limits, NativeHistogram, Sample, TimeSeries, within};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: i32 = 2;
/// Prometheus's mark of a series that has ended.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// Between two samples of `target_info`: half the time for which a query looks back.
const TARGET_INFO_STEP_NS: u64 = 150_000_000_000;
/// Samples of `target_info` of one resource: seventeen days of them.
const TARGET_INFO_MAX: u64 = 10_000;

/// What Prometheus's section `otlp` sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// How names are translated.
    pub translation: Translation,
    /// Attributes of the resource that become labels of all its series, or those that do not where `promote_all` is set.
    pub promoted: Vec<String>,
    /// Whether all attributes of the resource become labels.
    pub promote_all: bool,
    /// Whether `target_info` also has the attributes of which `job` and `instance` are made.
    pub keep_identifying: bool,
    /// Whether histograms with explicit bounds become native histograms with custom bounds.
    pub custom_bounds: bool,
}

/// The series of a request, and what became none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Translated {
    /// One entry a point and series: a series stands there as often as it has points.
    pub series: Vec<TimeSeries>,
    /// By metric.
    pub refused: Vec<Refused>,
}

/// Points of a metric that become no series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A word for a counter.
    pub reason: &'static str,
    /// How many points.
    pub points: usize,
    /// What is wrong with which metric, and what is expected.
    pub message: String,
}

/// Makes series of a request. Every series has the labels of its resource and its point, so a few bytes may stand for
/// many: `limits` bound how many bytes labels and buckets have in all.
///
/// # Errors
/// More bytes of labels and buckets than the limits allow.
pub fn translate(request: &Request, settings: &Settings, limits: &Limits) -> Result<Translated, Error> {
    let mut translated = Translated::default();
    let mut bytes = 0;
    for resource_metrics in &request.resource_metrics {
        let none = Resource::default();
        let resource = resource_metrics.resource.as_ref().unwrap_or(&none);
        let mut of = Of {
            resource,
            settings,
            limit: limits.named_bytes,
            bytes: &mut bytes,
            to: &mut translated,
            times: None,
        };
        for metric in resource_metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            of.metric(metric)?;
        }
        of.target_info()?;
    }
    Ok(translated)
}

/// The series of one resource.
struct Of<'a> {
    resource: &'a Resource,
    settings: &'a Settings,
    limit: u64,
    /// Of the labels of all series.
    bytes: &'a mut u64,
    to: &'a mut Translated,
    /// The first and the last point, in nanoseconds since 1970.
    times: Option<(u64, u64)>,
}

/// A point: its labels but the name, its time, when what it counts began, and whether it has values.
struct Point {
    labels: BTreeMap<String, String>,
    bytes: u64,
    timestamp: i64,
    /// 0 where that is not known.
    started: i64,
    is_recorded: bool,
}

impl Point {
    /// The start of a sample of the point; a marker that there is none has no start.
    fn start(&self) -> i64 {
        if self.is_recorded { self.started } else { 0 }
    }
}

/// When a point was taken, when it began, and its flags.
#[derive(Clone, Copy)]
struct Taken {
    time_ns: u64,
    start_ns: u64,
    flags: u32,
}

impl Of<'_> {
    fn metric(&mut self, metric: &Metric) -> Result<(), Error> {
        let translation = self.settings.translation;
        let name = |kind| translation.metric(&metric.name, &metric.unit, kind);
        let (temporality, points) = if let Some(gauge) = &metric.gauge {
            let points = self.timed(metric, &gauge.data_points, |point| point.time_unix_nano);
            let name = name(Kind::Gauge);
            points.iter().try_for_each(|point| self.number(&name, point, Number::Gauge))?;
            (CUMULATIVE, points.len())
        } else if let Some(sum) = &metric.sum {
            let points = self.timed(metric, &sum.data_points, |point| point.time_unix_nano);
            let name = name(if sum.is_monotonic { Kind::MonotonicSum } else { Kind::Other });
            if sum.aggregation_temporality == CUMULATIVE {
                let kind = if sum.is_monotonic { Number::Counter } else { Number::Sum };
                points.iter().try_for_each(|point| self.number(&name, point, kind))?;
            }
            (sum.aggregation_temporality, points.len())
        } else if let Some(histogram) = &metric.histogram {
            let points = self.timed(metric, &histogram.data_points, |point| point.time_unix_nano);
            if histogram.aggregation_temporality == CUMULATIVE {
                let name = name(Kind::Other);
                points.iter().try_for_each(|point| self.histogram(&name, point))?;
            }
            (histogram.aggregation_temporality, points.len())
        } else if let Some(histogram) = &metric.exponential_histogram {
            let points = self.timed(metric, &histogram.data_points, |point| point.time_unix_nano);
            if histogram.aggregation_temporality == CUMULATIVE {
                self.exponential_histograms(&metric.name, &name(Kind::Other), &points)?;
            }
            (histogram.aggregation_temporality, points.len())
        } else if let Some(summary) = &metric.summary {
            let points = self.timed(metric, &summary.data_points, |point| point.time_unix_nano);
            let name = name(Kind::Other);
            points.iter().try_for_each(|point| self.summary(&name, point))?;
            (CUMULATIVE, points.len())
        } else {
            let message = format!("metric {:?} has no data of a known kind", metric.name);
            self.refuse("unknown_kind", 0, message);
            return Ok(());
        };
        if temporality != CUMULATIVE {
            let message = format!(
                "metric {:?} has no cumulative temporality; set the sender's temporality preference to cumulative",
                metric.name
            );
            self.refuse("temporality", points, message);
        }
        Ok(())
    }

    fn refuse(&mut self, reason: &'static str, points: usize, message: String) {
        self.to.refused.push(Refused { reason, points, message });
    }

    /// The points that have a time. OTLP's time of 0 is one that is not known: the point belongs nowhere, and not to 1970.
    fn timed<'p, P>(&mut self, metric: &Metric, points: &'p [P], time: fn(&P) -> u64) -> Vec<&'p P> {
        if points.is_empty() {
            self.refuse("empty", 0, format!("metric {:?} has no data points", metric.name));
        }
        let timed: Vec<&P> = points.iter().filter(|point| time(point) > 0).collect();
        if timed.len() < points.len() {
            let message =
                format!("metric {:?} has points without a time, expected time_unix_nano", metric.name);
            self.refuse("no_time", points.len() - timed.len(), message);
        }
        for time in timed.iter().map(|point| time(point)) {
            let (first, last) = self.times.get_or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
        timed
    }

    fn number(&mut self, name: &str, point: &NumberDataPoint, kind: Number) -> Result<(), Error> {
        let value = number(point.as_double, point.as_int).unwrap_or_default();
        let start_ns = if kind == Number::Counter { point.start_time_unix_nano } else { 0 };
        let taken = Taken { time_ns: point.time_unix_nano, start_ns, flags: point.flags };
        let mut of = self.point(&point.attributes, taken)?;
        // The name of the metric wins over an attribute that is called so.
        of.labels.remove("__name__");
        let mut series = self.series(&of, name, None, value)?;
        if kind != Number::Gauge {
            series.exemplars = point.exemplars.iter().filter_map(exemplar).collect();
        }
        self.to.series.push(series);
        Ok(())
    }

    fn histogram(&mut self, name: &str, point: &HistogramDataPoint) -> Result<(), Error> {
        let (time_ns, start_ns) = (point.time_unix_nano, point.start_time_unix_nano);
        let of = self.point(&point.attributes, Taken { time_ns, start_ns, flags: point.flags })?;
        if self.settings.custom_bounds {
            return self.native(of, name, native::with_custom_bounds(point), &point.exemplars);
        }
        if let Some(sum) = point.sum {
            self.push(&of, &format!("{name}_sum"), None, sum)?;
        }
        self.push(&of, &format!("{name}_count"), None, count(point.count))?;
        let bucket = format!("{name}_bucket");
        let mut cumulative = 0_u64;
        let mut buckets: Vec<(f64, TimeSeries)> = Vec::new();
        for (bound, in_bucket) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
            cumulative = cumulative.wrapping_add(*in_bucket);
            let le = Some(("le", fixed(*bound, None)));
            buckets.push((*bound, self.series(&of, &bucket, le, count(cumulative))?));
        }
        let all = self.series(&of, &bucket, Some(("le", "+Inf".to_owned())), count(point.count))?;
        buckets.push((f64::INFINITY, all));
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let exemplars = point.exemplars.iter().filter_map(exemplar);
        for exemplar in exemplars.filter(|exemplar| !exemplar.value.is_nan()) {
            let place = buckets.partition_point(|(bound, _)| *bound < exemplar.value);
            if let Some((_, series)) = buckets.get_mut(place) {
                series.exemplars.push(exemplar);
            }
        }
        self.to.series.extend(buckets.into_iter().map(|(_, series)| series));
        Ok(())
    }

    /// A point that is no native histogram is refused, and the others are kept.
    fn exponential_histograms(
        &mut self,
        metric: &str,
        name: &str,
        points: &[&ExponentialHistogramDataPoint],
    ) -> Result<(), Error> {
        let (mut refused, mut first) = (0, None);
        for point in points {
            match native::exponential(point) {
                Ok(histogram) => {
                    let (time_ns, start_ns) = (point.time_unix_nano, point.start_time_unix_nano);
                    let of =
                        self.point(&point.attributes, Taken { time_ns, start_ns, flags: point.flags })?;
                    self.native(of, name, histogram, &point.exemplars)?;
                }
                Err(reason) => {
                    refused += 1;
                    first.get_or_insert(reason);
                }
            }
        }
        if let Some(reason) = first {
            let message = format!("metric {metric:?} has an exponential histogram with {reason}");
            self.refuse("exponential_histogram", refused, message);
        }
        Ok(())
    }

    fn native(
        &mut self,
        mut of: Point,
        name: &str,
        histogram: NativeHistogram,
        exemplars: &[Exemplar],
    ) -> Result<(), Error> {
        // The name of the metric wins over an attribute that is called so.
        of.labels.remove("__name__");
        let mut series = self.series(&of, name, None, 0.0)?;
        if of.is_recorded {
            self.charge(histogram.encoded_len() as u64)?;
            series.samples.clear();
            let (timestamp, start_timestamp) = (of.timestamp, of.start());
            series.histograms.push(NativeHistogram { timestamp, start_timestamp, ..histogram });
        }
        series.exemplars = exemplars.iter().filter_map(exemplar).collect();
        self.to.series.push(series);
        Ok(())
    }

    fn summary(&mut self, name: &str, point: &SummaryDataPoint) -> Result<(), Error> {
        let (time_ns, start_ns) = (point.time_unix_nano, point.start_time_unix_nano);
        let of = self.point(&point.attributes, Taken { time_ns, start_ns, flags: point.flags })?;
        self.push(&of, &format!("{name}_sum"), None, point.sum.unwrap_or_default())?;
        self.push(&of, &format!("{name}_count"), None, count(point.count))?;
        for quantile in &point.quantile_values {
            let label = Some(("quantile", fixed(quantile.quantile.unwrap_or_default(), None)));
            self.push(&of, name, label, quantile.value.unwrap_or_default())?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        of: &Point,
        name: &str,
        more: Option<(&str, String)>,
        value: f64,
    ) -> Result<(), Error> {
        let series = self.series(of, name, more, value)?;
        self.to.series.push(series);
        Ok(())
    }

    /// A series of one point.
    fn series(
        &mut self,
        of: &Point,
        name: &str,
        more: Option<(&str, String)>,
        value: f64,
    ) -> Result<TimeSeries, Error> {
        self.charge(of.bytes + name.len() as u64)?;
        let of_point = of.labels.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let labels = of_point.chain(more).chain([("__name__", name.to_owned())]);
        let labels = labels.map(|(name, value)| Label { name: name.to_owned(), value }).collect();
        let value = if of.is_recorded { value } else { f64::from_bits(STALE) };
        let samples = vec![Sample { value, timestamp: of.timestamp, start_timestamp: of.start() }];
        Ok(TimeSeries { labels, samples, ..TimeSeries::default() })
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Error> {
        *self.bytes += bytes;
        within("bytes of labels and buckets of the request", *self.bytes, self.limit)
    }

    fn point(&mut self, attributes: &[KeyValue], taken: Taken) -> Result<Point, Error> {
        let settings = self.settings;
        let promoted = self.resource.attributes.iter();
        let promoted = promoted.filter(|pair| settings.promoted.contains(&pair.key) != settings.promote_all);
        let labels = self.labels(attributes.iter().collect(), promoted.collect());
        let bytes = labels.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum();
        self.charge(bytes)?;
        let (timestamp, started) = (milliseconds(taken.time_ns), milliseconds(taken.start_ns));
        Ok(Point { labels, bytes, timestamp, started, is_recorded: taken.flags & 1 == 0 })
    }

    /// Labels of attributes, those of the resource that are promoted, `job` and `instance`.
    fn labels(
        &self,
        mut attributes: Vec<&KeyValue>,
        mut promoted: Vec<&KeyValue>,
    ) -> BTreeMap<String, String> {
        let translation = self.settings.translation;
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        attributes.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in attributes {
            let value = text(pair.value.as_ref());
            let several = |known: &mut String| {
                known.push(';');
                known.push_str(&value);
            };
            labels.entry(translation.label(&pair.key)).and_modify(several).or_insert_with(|| value.clone());
        }
        promoted.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in promoted {
            labels.entry(translation.label(&pair.key)).or_insert_with(|| text(pair.value.as_ref()));
        }
        for (name, value) in [("job", self.job()), ("instance", self.attribute("service.instance.id"))] {
            labels.extend(value.map(|value| (name.to_owned(), value)));
        }
        labels
    }

    fn attribute(&self, key: &str) -> Option<String> {
        let pair = self.resource.attributes.iter().find(|pair| pair.key == key)?;
        Some(text(pair.value.as_ref()))
    }

    fn job(&self) -> Option<String> {
        let name = self.attribute("service.name")?;
        let namespace = self.attribute("service.namespace");
        Some(namespace.map_or(name.clone(), |namespace| format!("{namespace}/{name}")))
    }

    /// What the resource says of itself, from its first point to its last.
    fn target_info(&mut self) -> Result<(), Error> {
        const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];
        let Some((first, last)) = self.times else { return Ok(()) };
        let attributes: Vec<&KeyValue> = self.resource.attributes.iter().collect();
        let is_identifying = |pair: &&KeyValue| IDENTIFYING.contains(&pair.key.as_str());
        if attributes.iter().all(is_identifying) {
            return Ok(());
        }
        let keep = self.settings.keep_identifying;
        let shown = attributes.into_iter().filter(|pair| keep || !is_identifying(pair)).collect();
        let mut labels = self.labels(shown, Vec::new());
        if !labels.contains_key("job") && !labels.contains_key("instance") {
            return Ok(());
        }
        labels.insert("__name__".to_owned(), "target_info".to_owned());
        let labels = labels.into_iter().map(|(name, value)| Label { name, value }).collect();
        let steps = (last - first).div_ceil(TARGET_INFO_STEP_NS).min(TARGET_INFO_MAX);
        let first = first.max(last.saturating_sub(steps * TARGET_INFO_STEP_NS));
        let times = (0..steps).map(|step| milliseconds(first + step * TARGET_INFO_STEP_NS));
        let mut times: Vec<i64> = times.chain([milliseconds(last)]).collect();
        times.dedup();
        self.charge((times.len() * size_of::<Sample>()) as u64)?;
        let samples = times.into_iter().map(|timestamp| Sample::new(timestamp, 1.0)).collect();
        self.to.series.push(TimeSeries { labels, samples, ..TimeSeries::default() });
        Ok(())
    }
}

/// What a number is: a gauge has no exemplars, and only what grows alone has a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Gauge,
    Counter,
    Sum,
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn number(double: Option<f64>, int: Option<i64>) -> Option<f64> {
    double.or(int.map(|int| int as f64))
}

#[allow(clippy::cast_precision_loss)]
fn count(count: u64) -> f64 {
    count as f64
}

/// As Prometheus converts times: those above the year 2262 are negative.
pub(super) fn milliseconds(time_ns: u64) -> i64 {
    time_ns.cast_signed() / 1_000_000
}
