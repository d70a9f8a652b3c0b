//! Warnings and remarks beside an answer, in Prometheus's words.

use std::collections::BTreeMap;

use streamflow_gotext::{general, shortest};

use crate::ast::Span;

/// What is remarked. Equal ones at the same place are told once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Annotation {
    InvalidQuantile(f64),
    InvalidRatio {
        ratio: f64,
        capped: f64,
    },
    BadBucketLabel {
        metric: String,
        value: String,
    },
    PossiblyNotCounter(String),
    ForcedMonotonicity {
        metric: String,
        repair: Repair,
    },
    /// Words for what stands left, the operator, and right.
    IncompatibleTypes {
        lhs: &'static str,
        op: &'static str,
        rhs: &'static str,
    },
    IncompatibleBuckets {
        op: &'static str,
    },
    MixedSamples(String),
    MixedSamplesInAggregation,
    MixedSchemas(String),
    MixedClassicNative(String),
    NotCounter(String),
    NotGauge(String),
    IgnoredInRange(String),
    IgnoredInAggregation(&'static str),
    ConflictingResets(Combination),
    BoundsReconciled(Combination),
    QuantileIsNan(String),
    QuantileIsSkewed(String),
    FractionWithoutNan(String),
    /// Aggregates of these windows stood in for samples that are gone.
    FromAggregates(&'static str),
    /// A function that is not known from aggregates saw one value a window of this length.
    OneOfWindow(&'static str, &'static str),
    StartsOverlap(String),
}

/// How histograms came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combination {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// What was repaired in classic buckets that decreased.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Repair {
    pub(crate) min_bucket: f64,
    pub(crate) max_bucket: f64,
    pub(crate) max_difference: f64,
    pub(crate) min_time_ms: i64,
    pub(crate) max_time_ms: i64,
    pub(crate) count: u64,
}

impl Repair {
    pub(crate) fn merge(&mut self, other: &Repair) {
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_difference = self.max_difference.max(other.max_difference);
        self.min_time_ms = self.min_time_ms.min(other.min_time_ms);
        self.max_time_ms = self.max_time_ms.max(other.max_time_ms);
        self.count += other.count;
    }
}

const REPAIRED: &str = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

impl Annotation {
    fn is_info(&self) -> bool {
        matches!(
            self,
            Annotation::PossiblyNotCounter(_)
                | Annotation::ForcedMonotonicity { .. }
                | Annotation::IncompatibleTypes { .. }
                | Annotation::IgnoredInRange(_)
                | Annotation::IgnoredInAggregation(_)
                | Annotation::BoundsReconciled(_)
                | Annotation::QuantileIsNan(_)
                | Annotation::QuantileIsSkewed(_)
                | Annotation::FractionWithoutNan(_)
                | Annotation::FromAggregates(_)
        )
    }

    /// The text without what is gathered over several.
    fn text(&self) -> String {
        let for_metric = |metric: &str| {
            if metric.is_empty() { String::new() } else { format!(" for metric name {metric:?}") }
        };
        match self {
            Annotation::InvalidQuantile(quantile) => {
                format!(
                    "PromQL warning: quantile value should be between 0 and 1, got {}",
                    shortest(*quantile)
                )
            }
            Annotation::InvalidRatio { ratio, capped } => format!(
                "PromQL warning: ratio value should be between -1 and 1, got {}, capping to {}",
                shortest(*ratio),
                shortest(*capped)
            ),
            Annotation::BadBucketLabel { metric, value } => format!(
                "PromQL warning: bucket label \"le\" is missing or has a malformed value of {value:?}{}",
                for_metric(metric)
            ),
            Annotation::PossiblyNotCounter(metric) => format!(
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
            ),
            Annotation::ForcedMonotonicity { metric, .. } => {
                format!("PromQL info: {REPAIRED}{}", for_metric(metric))
            }
            Annotation::FromAggregates(windows) => {
                format!("PromQL info: samples that are gone were answered from aggregates of {windows}")
            }
            Annotation::OneOfWindow(function, windows) => format!(
                "PromQL warning: {function} is not known from aggregates: of samples that are gone it saw the last of each {windows}"
            ),
            Annotation::StartsOverlap(metric) => format!(
                "PromQL warning: sample has start time that overlaps with previous sample timestamp for metric {metric:?}"
            ),
            native => {
                format!("PromQL {}: {}", if native.is_info() { "info" } else { "warning" }, native.native())
            }
        }
    }

    /// What is remarked on native histograms.
    fn native(&self) -> String {
        let named = |text: &str, metric: &str| {
            if metric.is_empty() { text.to_owned() } else { format!("{text} for metric name {metric:?}") }
        };
        match self {
            Annotation::IncompatibleTypes { lhs, op, rhs } => {
                format!("incompatible sample types encountered for binary operator {op:?}: {lhs} {op} {rhs}")
            }
            Annotation::IncompatibleBuckets { op } => {
                format!("incompatible bucket layout encountered for binary operator {op}")
            }
            Annotation::MixedSamples(metric) => named("encountered a mix of histograms and floats", metric),
            Annotation::MixedSamplesInAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Annotation::MixedSchemas(metric) => named(
                "vector contains a mix of histograms with exponential and custom buckets schemas",
                metric,
            ),
            Annotation::MixedClassicNative(metric) => {
                named("vector contains a mix of classic and native histograms", metric)
            }
            Annotation::NotCounter(metric) => {
                format!("this native histogram metric is not a counter: {metric:?}")
            }
            Annotation::NotGauge(metric) => {
                format!("this native histogram metric is not a gauge: {metric:?}")
            }
            Annotation::IgnoredInRange(metric) => {
                named("ignored histograms in a range containing both floats and histograms", metric)
            }
            Annotation::IgnoredInAggregation(name) => format!("ignored histogram in {name} aggregation"),
            Annotation::ConflictingResets(how) => {
                format!("conflicting counter resets during histogram {}", how.as_str())
            }
            Annotation::BoundsReconciled(how) => {
                format!("mismatched custom buckets were reconciled during {}", how.as_str())
            }
            Annotation::QuantileIsNan(metric) => {
                named("input to histogram_quantile has NaN observations, result is NaN", metric)
            }
            Annotation::QuantileIsSkewed(metric) => {
                named("input to histogram_quantile has NaN observations, result is skewed higher", metric)
            }
            Annotation::FractionWithoutNan(metric) => named(
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
                metric,
            ),
            _ => String::new(),
        }
    }
}

impl Repair {
    fn text(&self) -> String {
        let time = |ms: i64| {
            jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
        };
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            shortest(self.min_bucket),
            shortest(self.max_bucket),
            general(self.max_difference, 2),
            self.count,
            time(self.min_time_ms),
            time(self.max_time_ms)
        )
    }
}

/// All that is remarked on one query.
#[derive(Debug, Default)]
pub(crate) struct Annotations {
    by_place: BTreeMap<(usize, String), Annotation>,
}

impl Annotations {
    pub(crate) fn add(&mut self, annotation: Annotation, span: Span) {
        let key = (span.start, annotation.text());
        match (self.by_place.get_mut(&key), &annotation) {
            (
                Some(Annotation::ForcedMonotonicity { repair, .. }),
                Annotation::ForcedMonotonicity { repair: more, .. },
            ) => {
                repair.merge(more);
            }
            (Some(_), _) => {}
            (None, _) => {
                self.by_place.insert(key, annotation);
            }
        }
    }

    /// Warnings and infos with their `(line:column)` in `query`.
    pub(crate) fn into_texts(self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for ((start, text), annotation) in self.by_place {
            let detail = match &annotation {
                Annotation::ForcedMonotonicity { repair, .. } => repair.text(),
                _ => String::new(),
            };
            let line = format!("{text}{detail} ({})", position(query, start));
            if annotation.is_info() { infos.push(line) } else { warnings.push(line) }
        }
        (warnings, infos)
    }
}

/// `line:column` of a byte of the query, both from 1.
fn position(query: &str, start: usize) -> String {
    let before = query.get(..start).unwrap_or(query).as_bytes();
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    format!("{line}:{}", start - line_start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_positions() {
        let mut annotations = Annotations::default();
        let span = |start| Span { start, end: start + 1 };
        annotations.add(Annotation::InvalidQuantile(1.5), span(4));
        annotations.add(Annotation::InvalidQuantile(1.5), span(4));
        annotations.add(Annotation::InvalidQuantile(1e6), span(0));
        annotations.add(Annotation::PossiblyNotCounter("up".into()), span(2));
        let (warnings, infos) = annotations.into_texts("a +\nb");
        assert_eq!(
            warnings,
            [
                "PromQL warning: quantile value should be between 0 and 1, got 1e+06 (1:1)",
                "PromQL warning: quantile value should be between 0 and 1, got 1.5 (2:1)"
            ]
        );
        assert_eq!(
            infos,
            [
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:3)"
            ]
        );
    }

    #[test]
    fn repairs_are_gathered() {
        let repair = |time| Repair {
            min_bucket: 0.5,
            max_bucket: 1.0,
            max_difference: 10.126,
            min_time_ms: time,
            max_time_ms: time,
            count: 1,
        };
        let mut annotations = Annotations::default();
        for time in [60_000, 0] {
            annotations.add(
                Annotation::ForcedMonotonicity { metric: String::new(), repair: repair(time) },
                Span { start: 0, end: 1 },
            );
        }
        let (_, infos) = annotations.into_texts("x");
        assert_eq!(infos.len(), 1);
        assert!(
            infos[0].ends_with(", from buckets 0.5 to 1, with a max diff of 10, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:1)"),
            "{}",
            infos[0]
        );
    }
}
