//! What is known of a counter reset between two histograms that follow each other in a series.
//!
//! The rules are those by which Prometheus 3.5 begins chunks: a histogram that is no gauge and has the layout of the one
//! before it was reset where any of its counts is lower, and was not where none is. With another layout nothing is
//! known, but with other custom bounds it was reset.

use std::sync::Arc;

use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, ResetHint};

/// The histogram with what is known of a reset, the sample before it being `before`. Gauges stay gauges, and a sender
/// that says that there was a reset is believed.
pub(crate) fn hinted(before: Option<&Histogram>, mut histogram: Arc<Histogram>) -> Arc<Histogram> {
    let hint = match histogram.reset {
        sure @ (ResetHint::Gauge | ResetHint::Reset) => sure,
        _ => before.map_or(ResetHint::Unknown, |before| hint(before, &histogram)),
    };
    if histogram.reset != hint {
        Arc::make_mut(&mut histogram).reset = hint;
    }
    histogram
}

fn hint(before: &Histogram, histogram: &Histogram) -> ResetHint {
    if before.reset == ResetHint::Gauge {
        return ResetHint::Unknown;
    }
    if histogram.count < before.count {
        return ResetHint::Reset;
    }
    if histogram.schema != before.schema || histogram.zero_threshold != before.zero_threshold {
        return ResetHint::Unknown;
    }
    let other_bounds = histogram.schema == CUSTOM_BOUNDS && histogram.custom_bounds != before.custom_bounds;
    let is_lower = histogram.zero_count < before.zero_count
        || falls(&before.positive, &histogram.positive)
        || falls(&before.negative, &histogram.negative);
    if other_bounds || is_lower { ResetHint::Reset } else { ResetHint::NoReset }
}

/// Tells whether any bucket has less than before; those that are not listed have nothing.
fn falls(before: &Buckets, after: &Buckets) -> bool {
    let mut places = 0;
    before.indices.iter().zip(&before.counts).any(|(index, count)| {
        while after.indices.get(places).is_some_and(|other| other < index) {
            places += 1;
        }
        let now = if after.indices.get(places) == Some(index) { after.counts[places] } else { 0.0 };
        now < *count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(i32, f64)]) -> Histogram {
        let positive = Buckets {
            indices: buckets.iter().map(|(index, _)| *index).collect(),
            counts: buckets.iter().map(|(_, count)| *count).collect(),
        };
        let count = positive.counts.iter().sum();
        Histogram { positive, count, zero_threshold: 0.5, ..Histogram::default() }
    }

    fn check(change: impl FnOnce(&mut Histogram), expected: ResetHint) {
        let before = histogram(&[(0, 3.0), (4, 2.0)]);
        let mut after = histogram(&[(-2, 1.0), (0, 3.0), (4, 4.0)]);
        change(&mut after);
        assert_eq!(hinted(Some(&before), Arc::new(after)).reset, expected);
    }

    #[test]
    fn a_count_that_falls_is_a_reset() {
        check(|_| (), ResetHint::NoReset);
        check(|h| h.count = 4.0, ResetHint::Reset);
        check(|h| h.positive.counts[1] = 2.0, ResetHint::Reset);
        check(|h| h.positive = histogram(&[(0, 3.0), (5, 9.0)]).positive, ResetHint::Reset);
        check(|h| h.schema = 2, ResetHint::Unknown);
        check(|h| h.zero_threshold = 0.25, ResetHint::Unknown);
        check(|h| h.reset = ResetHint::Gauge, ResetHint::Gauge);
        check(|h| h.reset = ResetHint::Reset, ResetHint::Reset);
        // What a sender says of a sample that it did not send right before is not believed.
        check(|h| (h.reset, h.count) = (ResetHint::NoReset, 1.0), ResetHint::Reset);
    }

    #[test]
    fn nothing_is_known_of_the_first_and_behind_gauges() {
        let after = Arc::new(histogram(&[(0, 3.0)]));
        assert_eq!(hinted(None, Arc::clone(&after)).reset, ResetHint::Unknown);
        let gauge = Histogram { reset: ResetHint::Gauge, ..histogram(&[(0, 4.0)]) };
        assert_eq!(hinted(Some(&gauge), after).reset, ResetHint::Unknown);
    }

    #[test]
    fn other_custom_bounds_are_a_reset() {
        let custom = |bound| Histogram {
            schema: CUSTOM_BOUNDS,
            custom_bounds: vec![bound],
            zero_threshold: 0.0,
            ..histogram(&[(0, 3.0)])
        };
        assert_eq!(hinted(Some(&custom(1.0)), Arc::new(custom(2.0))).reset, ResetHint::Reset);
        assert_eq!(hinted(Some(&custom(1.0)), Arc::new(custom(1.0))).reset, ResetHint::NoReset);
    }
}
