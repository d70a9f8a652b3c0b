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
    let rank_sum = |sides: &Numbers| mannwhitneyu(&sides.reference, &sides.current, Alternative::TwoSided);
    let location = rank_sum(numbers)?.p_value;
    let scale = rank_sum(&distances_from_median(numbers)?)?.p_value;
    let shape = ks_2samp(&numbers.reference, &numbers.current)?.p_value;
    Ok((3.0 * location.min(scale).min(shape)).min(1.0))
}

/// Both sides as distances from the median of all values.
fn distances_from_median(numbers: &Numbers) -> Result<Numbers, stats::Error> {
    let pooled = Sample::from_counts(numbers.merged().map(|(value, n, m)| (value, n + m)))?;
    let median = pooled.quantile(0.5).unwrap_or(0.0);
    let distances =
        |sample: &Sample| Sample::from_counts(sample.iter().map(|(value, n)| ((value - median).abs(), n)));
    Ok(Numbers {
        reference: distances(&numbers.reference)?,
        current: distances(&numbers.current)?,
        integer: numbers.integer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(reference: &[f64], current: &[f64]) -> Numbers {
        let sample = |values: &[f64]| Sample::new(values.to_vec()).unwrap();
        Numbers { reference: sample(reference), current: sample(current), integer: false }
    }

    #[test]
    fn a_change_of_spread_alone_is_seen() {
        let narrow: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0 - 0.5).collect();
        let wide: Vec<f64> = narrow.iter().map(|value| value * 2.0).collect();
        assert!(rank_tests(&numbers(&narrow, &wide)).unwrap() < 1e-6);
        assert!(rank_tests(&numbers(&narrow, &narrow)).unwrap() >= 1.0);
    }
}
