//! The bounds of what counts as normal for a metric, from the chunks of the reference.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chunk::Chunk;
use crate::confusion::ValueMatrix;
use crate::error::Error;
use crate::measured::Labelled;
use crate::metric::{Better, Metric, binary_metrics};
use crate::rows::Rows;

/// Chunks of the reference below which its spread says nothing.
pub const MIN_REFERENCE_CHUNKS: usize = 6;

/// Values below `lower` or above `upper` alert; an absent bound never does.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Lower bound.
    pub lower: Option<f64>,
    /// Upper bound.
    pub upper: Option<f64>,
}

impl Thresholds {
    /// Mean ± 3 standard deviations (population) of the values of the reference's chunks, clipped to the metric's range.
    ///
    /// Undefined values are left out. `None` when fewer than `min_chunks` are defined: the deviation of a few chunks is
    /// too small by chance, that of one chunk is 0, and every later chunk would alert.
    #[must_use]
    pub fn of_chunks(values: &[Option<f64>], range: (f64, f64), min_chunks: usize) -> Option<Self> {
        let defined: Vec<f64> = values.iter().flatten().copied().collect();
        if defined.is_empty() || defined.len() < min_chunks {
            return None;
        }
        let rows = defined.len() as f64;
        let mean = defined.iter().sum::<f64>() / rows;
        let deviation = (defined.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
        Some(Self {
            lower: Some((mean - 3.0 * deviation).max(range.0)),
            upper: Some((mean + 3.0 * deviation).min(range.1)),
        })
    }

    /// Without the bound on the good side of the metric, so that an improvement is no alert. Both bounds stay for a
    /// metric without a good side.
    #[must_use]
    pub fn against_worse(self, metric: Metric) -> Self {
        match metric.about().better {
            Better::Higher => Self { upper: None, ..self },
            Better::Lower => Self { lower: None, ..self },
            Better::Neither => self,
        }
    }

    /// Tells whether a value is outside; `None` for an undefined value, which is neither.
    #[must_use]
    pub fn alert(&self, value: Option<f64>) -> Option<bool> {
        let value = value?;
        Some(self.lower.is_some_and(|lower| value < lower) || self.upper.is_some_and(|upper| value > upper))
    }
}

/// The thresholds of every metric from the realised values of a reference's chunks, which should be cut as later chunks
/// will be; a metric with fewer than `min_chunks` defined values has none. [`MIN_REFERENCE_CHUNKS`] is a good minimum.
///
/// # Errors
/// [`Error::NoSuchRow`].
pub fn reference_thresholds(
    reference: &Rows,
    chunks: &[Chunk],
    values: Option<&ValueMatrix>,
    min_chunks: usize,
) -> Result<BTreeMap<Metric, Thresholds>, Error> {
    let chunks: Result<Vec<Labelled>, Error> =
        chunks.iter().map(|chunk| Ok(Labelled::new(&reference.select(&chunk.rows)?))).collect();
    let chunks = chunks?;
    let of_metric = |metric: Metric| {
        let realised: Vec<Option<f64>> = chunks.iter().map(|chunk| chunk.value(metric, values)).collect();
        Some((metric, Thresholds::of_chunks(&realised, metric.about().range, min_chunks)?))
    };
    Ok(binary_metrics().iter().filter_map(|about| of_metric(about.metric)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_from_enough_chunks() {
        let check = |values: &[Option<f64>], min_chunks, expected: Option<(f64, f64)>| {
            let found = Thresholds::of_chunks(values, (0.0, 1.0), min_chunks);
            let found = found.map(|bounds| (bounds.lower.unwrap(), bounds.upper.unwrap()));
            match (found, expected) {
                (Some(found), Some(expected)) => {
                    assert!((found.0 - expected.0).abs() < 1e-12 && (found.1 - expected.1).abs() < 1e-12)
                }
                other => assert_eq!(found, expected, "{other:?}"),
            }
        };
        let spread = [0.4, 0.5, 0.6, 0.4, 0.5, 0.6].map(Some);
        // numpy.std([.4, .5, .6, .4, .5, .6]) = 0.0816496580927726
        check(&spread, MIN_REFERENCE_CHUNKS, Some((0.255_051_025_721_682_2, 0.744_948_974_278_317_8)));
        check(&spread[..5], MIN_REFERENCE_CHUNKS, None);
        check(&[Some(0.9), Some(0.1), None], 1, Some((0.0, 1.0)));
        check(&[Some(0.9)], 1, Some((0.9, 0.9)));
        check(&[None], 0, None);
    }

    #[test]
    fn only_what_is_outside_alerts() {
        let check =
            |bounds: Thresholds, value, expected| assert_eq!(bounds.alert(value), expected, "{bounds:?}");
        let both = Thresholds { lower: Some(0.4), upper: Some(0.8) };
        check(both, Some(0.4), Some(false));
        check(both, Some(0.39), Some(true));
        check(both, Some(0.81), Some(true));
        check(both, None, None);
        check(both.against_worse(Metric::RocAuc), Some(0.9), Some(false));
        check(both.against_worse(Metric::FalsePositive), Some(0.1), Some(false));
        check(both.against_worse(Metric::FalsePositive), Some(0.9), Some(true));
        check(both.against_worse(Metric::PositiveRate), Some(0.9), Some(true));
        check(Thresholds::default(), Some(-1e9), Some(false));
    }
}
