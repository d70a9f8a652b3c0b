//! The significance test of numbers in the calibrated profile: three rank tests in one p-value.
//!
//! p = min(1, 3 · min(p_location, p_scale, p_shape)):
//! - location: Wilcoxon–Mann–Whitney, two-sided (Mann and Whitney 1947, doi:10.1214/aoms/1177730491);
//! - scale: the same on distances from the pooled median (after Fligner and Killeen 1976,
//!   doi:10.1080/01621459.1976.10481517). The pooled median does not know the sides, so the ranks stay exchangeable;
//! - shape: Kolmogorov–Smirnov, two-sided, which sees any difference.
//!
//! Bonferroni's factor holds the level whatever the dependence of the three. Ties: the rank sums use midranks with
//! the variance corrected for ties, so counts and zero-inflated numbers keep their power; Kolmogorov–Smirnov is
//! conservative under ties. Rank sums are exact for small sides without ties, else normal with
//! continuity correction.

use streamflow_stats::{self as stats, Alternative, Sample, ks_2samp, mannwhitneyu};

use crate::observations::Numbers;

/// The combined p-value, 0 to 1. One distinct value on both sides gives 1.
pub(crate) fn rank_tests(numbers: &Numbers) -> Result<f64, stats::Error> {
    let rank_sum = |reference: &Sample, current: &Sample| {
        mannwhitneyu(reference, current, Alternative::TwoSided).map(|test| test.p_value)
    };
    let median = pooled_median(numbers);
    let location = rank_sum(&numbers.reference, &numbers.current)?;
    let scale = rank_sum(&numbers.reference.distances_from(median), &numbers.current.distances_from(median))?;
    let shape = ks_2samp(&numbers.reference, &numbers.current)?.p_value;
    Ok((3.0 * location.min(scale).min(shape)).min(1.0))
}

/// The middle value of both sides together, or the mean of the two in the middle.
fn pooled_median(numbers: &Numbers) -> f64 {
    let rows = numbers.reference.len() + numbers.current.len();
    let (mut below, mut lower) = (0, None);
    for (value, n, m) in numbers.merged() {
        below += n + m;
        if let Some(lower) = lower {
            return f64::midpoint(lower, value);
        }
        if 2 * below > rows {
            return value;
        }
        // Exactly half: the median lies between this value and the next.
        lower = (2 * below == rows).then_some(value);
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn numbers(reference: &[f64], current: &[f64]) -> Numbers<'static> {
        let sample = |values: &[f64]| Cow::Owned(Sample::new(values.to_vec()).unwrap());
        Numbers { reference: sample(reference), current: sample(current), integer: false }
    }

    #[test]
    fn the_pooled_median_is_that_of_all_rows() {
        for (reference, current, expected) in [
            (&[1.0, 2.0][..], &[3.0][..], 2.0),
            (&[1.0, 2.0], &[3.0, 7.0], 2.5),
            (&[1.0, 1.0, 1.0], &[5.0], 1.0),
            (&[1.0, 1.0], &[5.0, 5.0], 3.0),
        ] {
            assert_eq!(pooled_median(&numbers(reference, current)), expected);
        }
    }

    #[test]
    fn a_change_of_spread_alone_is_seen() {
        let narrow: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0 - 0.5).collect();
        let wide: Vec<f64> = narrow.iter().map(|value| value * 2.0).collect();
        assert!(rank_tests(&numbers(&narrow, &wide)).unwrap() < 1e-6);
        assert!(rank_tests(&numbers(&narrow, &narrow)).unwrap() >= 1.0);
    }
}
