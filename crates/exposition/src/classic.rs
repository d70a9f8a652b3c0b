//! Classic histograms, whose buckets are series of their own, as native ones with custom bounds.

use streamflow_gotext::parse_float;
use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram};

use crate::error::Error;
use crate::event::Sample;
use crate::labels::LabelPairs;
use crate::line;
use crate::native::checked;

/// The suffixes of the series of a classic histogram.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Finds classic histograms among the samples of a text.
#[derive(Debug)]
pub struct ClassicHistogram;

impl ClassicHistogram {
    /// The text of a series without `le` that is named as the family: the same for all series of one histogram. `None`
    /// for a series that is none of a classic histogram of the family.
    #[must_use]
    pub fn of_series(family: &str, series: &str) -> Option<String> {
        let pairs: Vec<_> = LabelPairs::of_series(series).collect();
        let (_, name) = pairs.iter().find(|(label, _)| label == "__name__")?;
        let suffix = name.strip_prefix(family)?;
        if !SUFFIXES.contains(&suffix) {
            return None;
        }
        let labels =
            pairs.iter().map(|(label, value)| (&**label, &**value)).filter(|(label, _)| *label != "le");
        let mut text = String::new();
        line::series(family, labels, &mut text);
        Some(text)
    }

    /// The native histogram that the samples of one classic histogram are together.
    ///
    /// # Errors
    /// A bound that is no number, buckets that count less than those below, and what no histogram has.
    pub fn of_samples(samples: &[Sample]) -> Result<Histogram, Error> {
        let (mut buckets, mut count, mut sum) = (Vec::new(), None, 0.0);
        for sample in samples {
            let pairs: Vec<_> = sample.labels().collect();
            let of =
                |wanted: &str| pairs.iter().find(|(label, _)| label == wanted).map(|(_, value)| &**value);
            match of("__name__") {
                Some(name) if name.ends_with("_sum") => sum = sample.value,
                Some(name) if name.ends_with("_count") => count = Some(sample.value),
                _ => {
                    let bound = of("le").and_then(|text| parse_float(text).ok());
                    let refused =
                        || Error::Histogram(format!("the bucket {} without a bound", sample.series));
                    buckets.push((bound.ok_or_else(refused)?, sample.value));
                }
            }
        }
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let all = buckets.last().filter(|(bound, _)| *bound == f64::INFINITY).map(|(_, count)| *count);
        let count = count.or(all).unwrap_or_default();
        with_custom_bounds(buckets, count, sum)
    }
}

/// The histogram of upper bounds with how many observations are up to each, ascending; a bound of +Inf says what `count`
/// says.
pub(crate) fn with_custom_bounds(
    buckets: impl IntoIterator<Item = (f64, f64)>,
    count: f64,
    sum: f64,
) -> Result<Histogram, Error> {
    let refused = |reason: String| Error::Histogram(reason);
    let (mut custom_bounds, mut positive, mut before) = (Vec::new(), Buckets::default(), 0.0);
    for (bound, up_to) in
        buckets.into_iter().filter(|(bound, _)| *bound != f64::INFINITY).chain([(f64::INFINITY, count)])
    {
        let more = up_to - before;
        if more.is_nan() || more < 0.0 {
            return Err(refused(format!(
                "{up_to} observations up to {bound} and {before} below, expected as many or more"
            )));
        }
        if more > 0.0 {
            positive.indices.push(custom_bounds.len() as i32);
            positive.counts.push(more);
        }
        if bound != f64::INFINITY {
            custom_bounds.push(bound);
        }
        before = up_to;
    }
    let histogram =
        Histogram { schema: CUSTOM_BOUNDS, count, sum, positive, custom_bounds, ..Histogram::default() };
    checked(histogram, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_up_is_taken_apart() {
        let found =
            with_custom_bounds([(0.5, 2.0), (1.0, 2.0), (2.0, 5.0), (f64::INFINITY, 6.0)], 6.0, 9.0).unwrap();
        assert_eq!(found.custom_bounds, [0.5, 1.0, 2.0]);
        assert_eq!(found.positive, Buckets { indices: vec![0, 2, 3], counts: vec![2.0, 3.0, 1.0] });
        assert_eq!((found.count, found.sum, found.schema), (6.0, 9.0, CUSTOM_BOUNDS));
        for (buckets, count, expected) in [
            (vec![(1.0, 3.0), (2.0, 2.0)], 3.0, "2 observations up to 2 and 3 below"),
            (vec![(1.0, 3.0)], 2.0, "2 observations up to inf and 3 below"),
            (vec![(2.0, 1.0), (1.0, 1.0)], 2.0, "bound 1 follows bound 2"),
            (vec![(f64::NAN, 1.0)], 2.0, "bound NaN"),
            (vec![(1.0, f64::NAN)], 2.0, "NaN observations up to 1"),
        ] {
            let error = with_custom_bounds(buckets, count, 0.0).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
