//! Chi-square goodness of fit.

use crate::distribution::chi2_sf;
use crate::error::Error;
use crate::shares::totals;
use crate::sum::sum;
use crate::test_result::TestResult;

/// X² = Σ (O − E)² / E over k categories, p from the chi-square distribution with k − 1 degrees of freedom.
///
/// `expected` holds expected *counts* with the same total as `observed` (relative 1.5e-8, SciPy's rule). Statistic
/// from 0 up. An observation where none is expected makes it infinite and p 0; a category empty on both sides is no
/// category. One category only: statistic 0, p NaN (nothing to test). No continuity correction; asymptotic, usual
/// from expected counts of 5.
///
/// The test takes `expected` as known exactly. Scaling a reference sample up or down to get it (as Evidently does)
/// ignores that sample's own variation; [`chi2_contingency`](crate::chi2_contingency) is the two-sample test.
///
/// Source: K. Pearson (1900), doi:10.1080/14786440009463897. Reproduces `scipy.stats.chisquare(observed, expected)`
/// of SciPy 1.17.1 except for categories empty on both sides (NaN there).
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`], [`Error::UnequalTotals`].
pub fn chisquare(observed: &[f64], expected: &[f64]) -> Result<TestResult, Error> {
    goodness_of_fit(observed, expected, |observed, expected| (observed - expected).powi(2) / expected)
}

/// Sum of `term(observed, expected)` against the chi-square distribution; infinite when any term is.
pub(crate) fn goodness_of_fit(
    observed: &[f64],
    expected: &[f64],
    term: impl Fn(f64, f64) -> f64,
) -> Result<TestResult, Error> {
    let (expected_total, observed_total) = totals(expected, observed)?;
    // The square root of the machine's precision.
    if (observed_total - expected_total).abs()
        > 1.490_116_119_384_765_6e-8 * observed_total.min(expected_total)
    {
        return Err(Error::UnequalTotals { observed: observed_total, expected: expected_total });
    }
    let cells =
        observed.iter().zip(expected).filter(|(observed, expected)| **observed > 0.0 || **expected > 0.0);
    let categories = cells.clone().count() as u64;
    let statistic = sum(cells.map(|(&observed, &expected)| term(observed, expected)));
    Ok(TestResult { statistic, p_value: chi2_sf(statistic, categories - 1) })
}
