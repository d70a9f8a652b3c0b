//! Bins over both sides, as Evidently makes them for distances between distributions.

use streamflow_stats::Sample;

use crate::observations::{Counts, Numbers};

/// Numbers are put into intervals from this many distinct reference values.
const DISTINCT_VALUES_AS_BINS: usize = 20;

/// Counts per bin on both sides.
///
/// More than 20 distinct reference values: equal-width bins over the pooled range, their number by Sturges's rule
/// on the pooled size (Sturges 1926, doi:10.1080/01621459.1926.10502161) as `numpy.histogram_bin_edges(bins="sturges")`
/// of NumPy 2.4 does, last bin closed on the right. Otherwise one bin per distinct value of either side.
#[must_use]
pub(crate) fn bins(numbers: &Numbers) -> Counts {
    if numbers.reference.distinct() <= DISTINCT_VALUES_AS_BINS {
        return numbers.counts();
    }
    let rows = numbers.reference.len() + numbers.current.len();
    interval_counts(numbers, &sturges_edges(range(numbers), rows, numbers.integer))
}

/// Counts per bin where Sturges's rule counts each distinct value once, as Evidently's Hellinger distance does.
#[must_use]
pub(crate) fn distinct_value_bins(numbers: &Numbers) -> Counts {
    interval_counts(numbers, &sturges_edges(range(numbers), numbers.distinct() as u64, numbers.integer))
}

/// Pooled minimum and maximum.
fn range(numbers: &Numbers) -> (f64, f64) {
    let sides = [&numbers.reference, &numbers.current];
    let low = sides.iter().filter_map(|side| side.min()).fold(f64::INFINITY, f64::min);
    let high = sides.iter().filter_map(|side| side.max()).fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// NumPy's steps in NumPy's order, so that a value on an edge falls on the same side.
fn sturges_edges((low, high): (f64, f64), rows: u64, integer: bool) -> Vec<f64> {
    if low == high {
        return vec![low - 0.5, high + 0.5];
    }
    let mut width = (high - low) / ((rows as f64).log2() + 1.0);
    if integer && width < 1.0 {
        width = 1.0;
    }
    // A range that overflows to infinity makes no finite number of bins: one bin then.
    let bins = ((high - low) / width).ceil();
    let bins = if bins.is_finite() && bins >= 1.0 { bins as usize } else { 1 };
    let step = (high - low) / bins as f64;
    let mut edges: Vec<f64> = (0..=bins).map(|i| i as f64 * step + low).collect();
    edges[bins] = high;
    edges
}

fn interval_counts(numbers: &Numbers, edges: &[f64]) -> Counts {
    Counts {
        labels: edges.windows(2).map(|edge| format!("{} – {}", edge[0], edge[1])).collect(),
        reference: histogram(&numbers.reference, edges),
        current: histogram(&numbers.current, edges),
    }
}

/// Counts of `sample` in `[edge, next edge)`, the last interval closed; values outside are not counted.
#[must_use]
pub(crate) fn histogram(sample: &Sample, edges: &[f64]) -> Vec<u64> {
    let last = edges.len() - 2;
    let mut counts = vec![0; last + 1];
    let mut bin = 0;
    for (value, count) in sample.iter() {
        while bin < last && value >= edges[bin + 1] {
            bin += 1;
        }
        if value >= edges[bin] && value <= edges[last + 1] {
            counts[bin] += count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_those_of_numpy() {
        // numpy.histogram_bin_edges(numpy.arange(10.0), bins="sturges"), NumPy 2.4.6
        let expected = [0.0, 1.8, 3.6, 5.4, 7.2, 9.0];
        assert_eq!(sturges_edges((0.0, 9.0), 10, false), expected);
        // numpy.histogram_bin_edges(numpy.arange(4).repeat(50), bins="sturges"): integers have width 1 at least
        assert_eq!(sturges_edges((0.0, 3.0), 200, true), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(sturges_edges((2.0, 2.0), 5, false), [1.5, 2.5]);
    }

    #[test]
    fn the_last_bin_is_closed_and_the_others_are_open_on_the_right() {
        let sample = Sample::new(vec![0.0, 1.0, 1.5, 2.0, 3.0]).unwrap();
        assert_eq!(histogram(&sample, &[0.0, 1.0, 2.0]), [1, 3]);
    }

    #[test]
    fn a_range_too_wide_for_a_double_is_one_bin() {
        assert_eq!(sturges_edges((-f64::MAX, f64::MAX), 9, false).len(), 2);
    }
}
