//! Effect sizes: how large a difference is, apart from how certain it is.

use crate::chi2_contingency::chi2_contingency;
use crate::error::Error;
use crate::sample::Sample;
use crate::ttest_ind::mean_difference;
use crate::wasserstein_distance::wasserstein_distance;

/// Cohen's d = (mean of current − mean of reference) / pooled standard deviation (ddof 1).
///
/// Any real number, positive when the current side is higher; unchanged by a common shift or positive scale.
/// Conventional steps: 0.2 small, 0.5 medium, 0.8 large. Without variation on both sides: 0 for equal means, else
/// infinite with the sign of the difference.
///
/// Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences" (1988), section 2.2.
///
/// # Errors
/// [`Error::TooFewRows`] below 2 rows on a side, [`Error::Infinite`].
pub fn cohens_d(reference: &Sample, current: &Sample) -> Result<f64, Error> {
    for (side, sample) in [("reference", reference), ("current", current)] {
        sample.require_rows(side, 2)?;
        sample.require_finite(side)?;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let squares = reference.variance(1) * (n - 1.0) + current.variance(1) * (m - 1.0);
    Ok(ratio(-mean_difference(reference, current), (squares / (n + m - 2.0)).sqrt()))
}

/// W₁ / standard deviation of the reference (ddof 0): the mean shift of mass in standard deviations, which sees
/// changes of spread and shape too. A pure shift by k standard deviations scores k.
///
/// From 0 up; unchanged by a common shift or scale; not symmetric (the reference sets the unit). A constant
/// reference: 0 for equal sides, else infinite.
///
/// Source: the distance of [`wasserstein_distance`] in the unit Evidently 0.7.23 uses, without its floor of 0.001.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty, [`Error::Infinite`].
pub fn standardized_wasserstein(reference: &Sample, current: &Sample) -> Result<f64, Error> {
    Ok(ratio(wasserstein_distance(reference, current)?, reference.variance(0).sqrt()))
}

/// Cohen's h = 2 arcsin √p_current − 2 arcsin √p_reference, a difference of proportions on the scale where equal
/// differences are equally detectable.
///
/// From −π to π, positive when the current share is higher. Conventional steps: 0.2, 0.5, 0.8.
///
/// Source: J. Cohen (1988), section 6.2. Reproduces `statsmodels.stats.proportion.proportion_effectsize(current,
/// reference)`.
///
/// # Errors
/// [`Error::OutOfRange`] when a share is not between 0 and 1.
pub fn cohens_h(reference: f64, current: f64) -> Result<f64, Error> {
    for (name, value) in [("the reference share", reference), ("the current share", current)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::OutOfRange { name, value, low: 0.0, high: 1.0 });
        }
    }
    Ok(2.0 * (current.sqrt().asin() - reference.sqrt().asin()))
}

/// Cramér's V of the 2×k table of both samples: √(X² / (n₁ + n₂)), X² of [`chi2_contingency`].
///
/// From 0 (equal shares) to 1 (no common category), symmetric. No bias correction. With sides of very different
/// size it cannot approach 1; compare samples of similar size by it.
///
/// Source: H. Cramér, "Mathematical Methods of Statistics" (1946), section 21.9. Reproduces
/// `scipy.stats.contingency.association([reference, current], method="cramer", correction=False)` of SciPy 1.17.1.
///
/// # Errors
/// Those of [`chi2_contingency`].
pub fn cramers_v(reference: &[u64], current: &[u64]) -> Result<f64, Error> {
    let statistic = chi2_contingency(reference, current)?.statistic;
    let rows: f64 = reference.iter().chain(current).map(|&count| count as f64).sum();
    Ok((statistic / rows).sqrt().min(1.0))
}

/// `difference / unit`, with 0/0 = 0: no difference is no effect in any unit.
fn ratio(difference: f64, unit: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference / unit }
}
